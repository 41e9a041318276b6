"""Errors as answers, all in one shape: ``application/problem+json`` (RFC 9457) with LlamaParse's ``detail``."""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request

from apps.api import request_errors
from apps.api.error_codes import error_kind
from apps.api.request_errors import InvalidOptions, OptionProblem
from apps.jobs.errors import IntakePaused, InvalidOption, ModeNotAvailable
from apps.pages.model.errors import PageOutOfRange, ParseError, UnplannedError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
MAX_USER_TEXT_CHARS = 120
_SECRET = re.compile("password|secret|token|key|proxy|header|authorization", re.IGNORECASE)
_NEEDS_MORE = frozenset({"model_type", "dict_type", "list_type"})  # a text where an object with a secret should stand
_BY_STATUS = {
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
    """Every exception of a view becomes an answer; what nobody planned for is logged whole and told as a code."""
    request: HttpRequest | Request = context["request"]
    if isinstance(error, ParseError):
        return problem(request, error)
    if isinstance(error, exceptions.APIException):
        return _framework_problem(request, error)
    if isinstance(error, Http404 | PermissionDenied):
        return problem(request, request_errors.NotFound())
    if isinstance(error, SuspiciousOperation):
        return problem(request, request_errors.InvalidRequest())
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("The database does not answer: %s", type(error).__name__)
        return problem(request, request_errors.DatabaseUnavailable())
    logger.error("Request %s stopped on an unplanned error", request_id_of(request), exc_info=error)
    return problem(request, UnplannedError())


def problem(request: HttpRequest | Request, error: ParseError) -> HttpResponse:
    """The answer that tells ``error``."""
    kind = error_kind(error.code)
    body = described(error.code, error.detail) | {"status": kind.status, "request_id": request_id_of(request)}
    problems = _option_problems(error)
    body["errors"] = [{"field": _field(each.location), "code": each.type, "detail": each.message} for each in problems]
    if problems:
        body["detail"] = [
            {"type": each.type, "loc": list(each.location), "msg": each.message, "input": _shown(each)}
            for each in problems
        ]
    response = HttpResponse(msgspec.json.encode(body), content_type="application/problem+json", status=kind.status)
    response["Content-Length"] = str(len(response.content))
    response["X-Content-Type-Options"] = "nosniff"
    if not kind.retryable:
        response["x-should-retry"] = "false"
    elif kind.status in (409, 429, 503, 507):
        response["Retry-After"] = str(error.wait_seconds if isinstance(error, IntakePaused) else RETRY_AFTER_SECONDS)
    if kind.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def problem_of_status(request: HttpRequest, status: int) -> HttpResponse:
    """The answer for an error that the framework answered itself, before a view of ours saw the request."""
    code = _BY_STATUS.get(status, "internal_error" if status >= 500 else "invalid_request")
    error = (
        request_errors.NotFound() if code == "not_found" else ParseError(f"{error_kind(code).title}. See /api/docs.")
    )
    error.code = code
    return problem(request, error)


def described(code: str, detail: str) -> dict[str, Any]:
    """What an answer, a job and a page say of an error alike."""
    kind = error_kind(code)
    return {
        "type": f"/errors#{code}",
        "title": kind.title,
        "code": code,
        "detail": detail,
        "retryable": kind.retryable,
    }


def request_id_of(request: HttpRequest | Request) -> str:
    return getattr(request, "request_id", "")


def _framework_problem(request: HttpRequest | Request, error: exceptions.APIException) -> HttpResponse:
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return problem(request, request_errors.Unauthenticated())
    told = ParseError(f"{error_kind(_BY_STATUS.get(error.status_code, 'invalid_request')).title}. See /api/docs.")
    told.code = _BY_STATUS.get(error.status_code, "invalid_request")
    return problem(request, told)


def _option_problems(error: ParseError) -> tuple[OptionProblem, ...]:
    if isinstance(error, InvalidOptions):
        return error.problems
    if isinstance(error, InvalidOption):
        kind = "mode_not_available" if isinstance(error, ModeNotAvailable) else "value_error"
        return (OptionProblem(kind, error.location, error.detail, error.value),)
    if isinstance(error, PageOutOfRange):
        return (OptionProblem("invalid_range", ("body", "page_ranges", "target_pages"), error.detail),)
    return ()


def _field(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location[1:] or location)


def _shown(option: OptionProblem) -> object:
    """The value that was sent, where it is one that may be repeated: short, and never a secret nor what holds one."""
    if option.type in _NEEDS_MORE or any(_SECRET.search(str(part)) for part in option.location):
        return None
    if isinstance(option.value, str):
        return printable(option.value)
    return option.value if isinstance(option.value, bool | int | float) else None


def printable(text: str) -> str:
    """User text that an answer may repeat: at most 120 characters, none of them a control character."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_USER_TEXT_CHARS])
