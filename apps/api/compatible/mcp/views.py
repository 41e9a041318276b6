"""The streamable HTTP transport: each POST has one message, and its response is JSON. There are no sessions."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.api import delivery
from apps.api.base import json_response
from apps.api.compatible.base import CompatibleView
from apps.api.compatible.mcp.protocol import PARSE_ERROR, VERSIONS, ProtocolError, answer, error_response
from apps.api.compatible.mcp.tools import call_tool, tool_list
from apps.api.request_errors import InvalidJson, InvalidRequest, RequestError
from apps.api.requests.bodies import read_json
from apps.api.requests.scopes import PARSES
from apps.api.schema import JSON, PROBLEMS

MAX_BODY_BYTES = 16 * 1024 * 1024
_VERSION = OpenApiParameter("MCP-Protocol-Version", str, OpenApiParameter.HEADER, description=", ".join(VERSIONS))


class OriginNotAllowed(RequestError):
    """Pages of other websites may not use this address. Call it from a program, or from a page of this service."""

    code = "origin_not_allowed"


class Mcp(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="mcp",
        tags=["mcp"],
        parameters=[_VERSION],
        request={JSON: dict[str, Any]},
        responses={200: dict[str, Any], 202: None, (400, JSON): dict[str, Any], **PROBLEMS},
    )
    def post(self, request: Request) -> Any:
        """Answer a JSON-RPC message of the Model Context Protocol. A notification is 202."""
        _check_origin(request)
        version = request.META.get("HTTP_MCP_PROTOCOL_VERSION")
        if version is not None and version not in VERSIONS:
            raise InvalidRequest(f"This MCP-Protocol-Version is not supported. Send one of: {', '.join(VERSIONS)}.")
        try:
            message = read_json(request, max_bytes=MAX_BODY_BYTES)
        except InvalidJson as error:
            return json_response(error_response(ProtocolError(PARSE_ERROR, error.detail)), status=400)
        response = answer(message, tools=tool_list(), call=partial(call_tool, request))
        if response is None:
            return HttpResponse(status=202)
        return delivery.private(json_response(response))


def _check_origin(request: Request) -> None:
    """Raise OriginNotAllowed for a request of another website's page in the browser of a person."""
    origin = request.META.get("HTTP_ORIGIN", "")
    trusted = (*settings.CSRF_TRUSTED_ORIGINS, *settings.CORS_ORIGINS)
    if origin and origin not in trusted and "*" not in trusted and urlsplit(origin).netloc != request.get_host():
        raise OriginNotAllowed
