"""Error responses in one format: ``application/problem+json`` (RFC 9457) with LlamaParse's ``detail``."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from apps.api import request_errors
from apps.api.error_codes import error_kind
from apps.api.request_errors import InvalidOptions, LimitReached, OptionProblem
from apps.documents.errors import StorageFull
from apps.documents.storage import NO_SPACE
from apps.jobs.errors import IntakePaused, InvalidOption, ModeNotAvailable, QueueFull
from apps.pages.model.errors import PageOutOfRange, ParseError, UnplannedError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
_CODES_BY_STATUS = {
    400: "invalid_request",
    401: "unauthenticated",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "field_too_large",
    415: "unsupported_media_type",
    503: "database_unavailable",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Turn an exception of a view into a response. Log an unexpected one with its traceback."""
    request: HttpRequest | Request = context["request"]
    if isinstance(error, ParseError):
        return problem(request, error)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return problem(request, request_errors.Unauthenticated())
    if isinstance(error, exceptions.APIException):
        return problem_of_status(request, error.status_code)
    if isinstance(error, Http404 | PermissionDenied):
        return problem(request, request_errors.NotFound())
    if isinstance(error, SuspiciousOperation):
        return problem(request, request_errors.InvalidRequest())
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("The database does not respond: %s", type(error).__name__)
        return problem(request, request_errors.DatabaseUnavailable())
    if isinstance(error, OSError) and error.errno in NO_SPACE:  # of temporary files, such as a large upload
        logger.error("The disk is full: %s", error)
        return problem(request, StorageFull())
    logger.error("Request %s failed with an unexpected error", request_id_of(request), exc_info=error)
    return problem(request, UnplannedError())


def problem(request: HttpRequest | Request, error: ParseError) -> HttpResponse:
    """Return the error response for ``error``, with the headers that control retries."""
    options = problems_of(error)
    kind = error_kind(error.code)
    body = describe_error(error.code, error.detail) | {"status": kind.status, "request_id": request_id_of(request)}
    body["errors"] = [{"field": option.field, "code": option.type, "detail": option.message} for option in options]
    if options:
        body["detail"] = [
            {"type": option.type, "loc": list(option.location), "msg": option.message, "input": option.safe_value}
            for option in options
        ]
    response = HttpResponse(msgspec.json.encode(body), content_type="application/problem+json", status=kind.status)
    response["Content-Length"] = str(len(response.content))
    response["X-Content-Type-Options"] = "nosniff"
    response.error_code = error.code  # type: ignore[attr-defined]
    if not kind.retryable:
        response["x-should-retry"] = "false"
    if isinstance(error, IntakePaused | QueueFull | LimitReached):
        response["Retry-After"] = str(error.wait_seconds)
    elif kind.retryable and kind.status in (409, 503, 504, 507):
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if kind.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def problems_of(error: ParseError) -> tuple[OptionProblem, ...]:
    """Return the invalid options that an error is about; none for an error about something else."""
    if isinstance(error, InvalidOptions):
        return error.problems
    if isinstance(error, InvalidOption):
        kind = "mode_not_available" if isinstance(error, ModeNotAvailable) else "value_error"
        return (OptionProblem(kind, error.location, error.detail, error.value),)
    if isinstance(error, PageOutOfRange):
        return (OptionProblem("invalid_range", ("body", "page_ranges", "target_pages"), error.detail),)
    return ()


def problem_of_status(request: HttpRequest | Request, status: int) -> HttpResponse:
    """Return the error response for a status that Django or the REST framework chose."""
    code = _CODES_BY_STATUS.get(status, "internal_error" if status >= 500 else "invalid_request")
    if code == "not_found":
        return problem(request, request_errors.NotFound())
    if code == "internal_error":
        return problem(request, UnplannedError())
    error = ParseError(f"{error_kind(code).title}. The API is described at /api/docs.")
    error.code = code
    return problem(request, error)


def describe_error(code: str, detail: str) -> dict[str, Any]:
    """Return the fields that error responses, failed jobs and failed pages have in common."""
    kind = error_kind(code)
    return {
        "type": f"{settings.PUBLIC_URL}/errors#{code}",
        "title": kind.title,
        "code": code,
        "detail": detail,
        "retryable": kind.retryable,
    }


def request_id_of(request: HttpRequest | Request) -> str:
    return getattr(request, "request_id", "")
