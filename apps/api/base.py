"""Base classes and helpers of the API's views."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from pydantic import BaseModel
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts import audit
from apps.accounts.models import AuditEntry, Project, Scope
from apps.api.authentication import Caller
from apps.api.request_errors import ScopeMissing
from apps.api.requests import query_parameters
from apps.api.requests.rate_limits import KeyRateLimit
from apps.api.requests.scopes import Scopes


class ApiView(APIView):
    """A view that returns JSON for any ``Accept`` header and reads bodies itself (bodies.py, uploads.py)."""

    parser_classes = ()
    throttle_classes: tuple[type[KeyRateLimit], ...] = (KeyRateLimit,)
    http_method_names = ["get", "head", "post", "put", "delete"]  # noqa: RUF012
    scopes: Scopes
    refuses_unknown_parameters = False  # some of LlamaParse's clients send more than its description has

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.GET and self.refuses_unknown_parameters:
            query_parameters.check_names(request, self._declared_parameters(request))

    def _declared_parameters(self, request: Request) -> list[str]:
        """Return the query parameters that the API description has for the request's method."""
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        declared = getattr(getattr(self, method, None), "kwargs", {}).get("schema")  # set by extend_schema
        if declared is None:
            return []
        schema = declared()
        schema.view = self
        parameters: list[OpenApiParameter] = schema.get_override_parameters()
        return [each.name for each in parameters if each.location == OpenApiParameter.QUERY]

    def check_permissions(self, request: Request) -> None:
        """Raise ScopeMissing if the key lacks the scope that the view declares for the method."""
        super().check_permissions(request)
        method = "GET" if request.method == "HEAD" else str(request.method)
        is_served = method.lower() in self.http_method_names and hasattr(self, method.lower())
        if isinstance(request.user, Caller) and is_served:
            scope = self.scopes[method]
            if not request.user.api_key.has_scope(scope):
                raise ScopeMissing(f"The API key lacks the scope {scope}. Use a key that has it.")

    def _audit(self, request: Request, named: dict[str, Any]) -> None:
        """Record a change of something that exists, and of keys. A new job or file is a record itself."""
        scope = self.scopes.get(str(request.method), Scope.READ)
        is_change = scope is Scope.PARSE and (request.method != "POST" or named)
        if (scope is Scope.ADMIN and request.method != "GET") or is_change:
            route = request.resolver_match.route if request.resolver_match else request.path_info
            key = caller_of(request).api_key
            target = ", ".join(map(str, named.values()))
            audit.record(
                kind=AuditEntry.Kind.KEY,
                actor=str(key),
                action=f"{request.method} /{route}",
                target=target,
                meta=request.META,
            )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), "application/json"

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finished = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code < 400 and isinstance(request.user, Caller):
            self._audit(request, kwargs)
        for name, value in getattr(request, "rate_limit_headers", {}).items():
            finished[name] = value
        return finished


class PublicView(ApiView):
    """A view that needs no API key."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


def caller_of(request: Request) -> Caller:
    caller = request.user
    assert isinstance(caller, Caller)
    return caller


def project_of(request: Request) -> Project:
    return caller_of(request).project


def json_response(content: BaseModel | dict[str, Any] | list[Any], *, status: int = 200) -> HttpResponse:
    return HttpResponse(to_json(content), content_type="application/json", status=status)


def to_json(content: BaseModel | dict[str, Any] | list[Any]) -> bytes:
    if isinstance(content, BaseModel):
        return content.model_dump_json().encode()
    return msgspec.json.encode(content)
