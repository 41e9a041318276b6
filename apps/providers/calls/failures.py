"""Classify the failure of a call by the provider's HTTP response, independent of the SDK.

Statuses and bodies are classified as the providers document them; families.py has the addresses of the documentation.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from apps.providers.calls.connection import Call
from apps.providers.calls.usage import usage_in
from apps.providers.errors import NO_TOKEN, CallFailed, Failure, FailureFacts

MAX_RETRY_AFTER_SECONDS = 7 * 24 * 3600.0
_MAX_DETAIL_CHARS = 300
# "You exceeded your current quota" means money at OpenAI. At Google it can mean tokens per minute, with a retry delay.
_ASK_AGAIN = re.compile(r"google\.rpc\.RetryInfo")
# Words in the body of a 4xx that are more specific than its status. The first match counts.
_NO_MONEY = re.compile(
    r"insufficient_quota|credit balance|billing_hard_limit|billing_not_active|BILLING_DISABLED"
    r"|exceeded your current quota",
    re.I,
)
_BAD_KEY = re.compile(
    r"API_KEY_(?:INVALID|\w+_BLOCKED)|api key not valid|invalid[ _]api[ _]key|InvalidSignature|UnrecognizedClient", re.I
)
_NO_MODEL = re.compile(
    r"model identifier is invalid|model_not_found|DeploymentNotFound|model .{0,80}(?:does not exist|not found)"
    r"|on-demand throughput isn.{1,8}t supported|don.{1,8}t have access to the model|model .{0,80}end of its life",
    re.I,
)
_HTML = re.compile(r"\s{0,100}(?:<!doctype html|<html)", re.I)
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|prompt is too long|input is too long|input token count"
    r"|exceeds the maximum number of tokens|too many (?:input )?tokens|request_too_large|string_above_max_length"
    r"|exceeds? (?:the (?:available )?)?context",
    re.I,
)
_FILTERED = re.compile(r"content_filter|content_policy|ResponsibleAI|safety|blocked|content management policy", re.I)
_OF_STATUS = {
    401: Failure.AUTH,
    407: Failure.MISCONFIGURED,
    402: Failure.NO_MONEY,
    403: Failure.AUTH,
    404: Failure.MODEL_NOT_FOUND,
    408: Failure.TIMEOUT,
    409: Failure.UNAVAILABLE,
    413: Failure.CONTEXT,
    424: Failure.UNAVAILABLE,  # Bedrock's ModelErrorException: the same request can succeed
    425: Failure.UNAVAILABLE,
    429: Failure.RATE_LIMITED,
    503: Failure.OVERLOADED,
    529: Failure.OVERLOADED,
}
# The errors of botocore and google-auth that say that an identity is missing, wrong or may not do this.
_NO_ACCESS: dict[str, frozenset[str]] = {
    "botocore": frozenset(
        {
            *("ClientError", "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
            *("ProfileNotFound", "TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError"),
            *("AccessDenied", "AccessDeniedException", "InvalidIdentityToken", "ExpiredTokenException"),
        }
    ),
    "google": frozenset({"DefaultCredentialsError", "RefreshError", "MalformedError", "OAuthError"}),
}
AN_HTML_PAGE = "an HTML page instead of an answer"
# With an HTML body these come from a web page, a proxy or a login, not from a model's API.
_STATUSES_OF_PAGES = frozenset({400, 401, 403, 404, 405, 407, 410, 451, 511})
_OF_WORDS = (
    (_ASK_AGAIN, Failure.RATE_LIMITED, {429}),
    (_NO_MONEY, Failure.NO_MONEY, {400, 403, 429}),
    (_BAD_KEY, Failure.AUTH, {400, 403}),
    (_TOO_LONG, Failure.CONTEXT, {400, 422}),
    (_NO_MODEL, Failure.MODEL_NOT_FOUND, {400, 404}),
    (_FILTERED, Failure.REFUSED, {400, 403, 422}),
)


def failure_of(call: Call, error: Exception) -> CallFailed:
    """Classify the failure of ``call``, which raised ``error``.

    Its detail is a line for people: the provider's message, the system's error or the kind of error, never our request.
    """
    if call.status is None:
        if (reason := _without_access(error)) is not None:
            return CallFailed(Failure.AUTH, FailureFacts(f"{NO_TOKEN}: {reason}"))
        failure = Failure.TIMEOUT if _is_timeout(error) else Failure.UNAVAILABLE
        is_too_large = any(
            "ResponseTooLarge" in type(cause).__name__ or "more than" in str(cause) for cause in _causes(error)
        )
        if failure is Failure.UNAVAILABLE and is_too_large:
            failure = Failure.BAD_RESPONSE
    elif call.status >= 400:
        failure = failure_of_error_response(call.status, call.error_body.decode("utf-8", "replace"))
    else:  # a response that is not a completion: HTML, half of a body, a redirect, invalid numbers
        failure = Failure.TIMEOUT if _is_timeout(error) else Failure.BAD_RESPONSE
    is_page = str(call.headers.get("content-type", "")).startswith("text/html")
    if is_page and call.status is not None and call.status < 400:
        detail = AN_HTML_PAGE
    elif call.error_body:
        detail = error_message(call.error_body)
    else:
        # The system's words for an error, if it has any: asyncio replaces them by its own.
        reasons = [
            os.strerror(cause.errno) if cause.errno and cause.errno in errno.errorcode else cause.strerror
            for cause in _causes(error)
            if isinstance(cause, OSError) and cause.strerror
        ]
        detail = f"{reasons[0]}. Check the address and the network" if reasons else type(error).__name__
    detail = f"HTTP {call.status}: {detail}" if call.status else detail
    detail = "".join(letter if letter.isprintable() else " " for letter in detail[:_MAX_DETAIL_CHARS]).strip()
    facts = FailureFacts(detail, call.status, call.error_body.decode("utf-8", "replace"))
    return CallFailed(failure, facts, sent_at=call.sent_at, usage=usage_in(call))


def failure_of_error_response(status: int, body: str) -> Failure:
    """Classify a response with a status of 400 or more, by the words in its body first and by its status second."""
    if status in _STATUSES_OF_PAGES and _HTML.match(body):
        return Failure.MISCONFIGURED
    for words, failure, statuses in _OF_WORDS:
        if status in statuses and words.search(body):
            return failure
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    return Failure.UNAVAILABLE if status >= 500 else Failure.BAD_REQUEST


def _without_access(error: Exception) -> str | None:
    """Return why AWS or Google gave us no token or key for the call; None if that was not the reason, or can pass."""
    for cause in _causes(error):
        module, name = type(cause).__module__.partition(".")[0], type(cause).__name__
        if name in _NO_ACCESS.get(module, ()) and not getattr(cause, "retryable", False):
            response = getattr(cause, "response", None)
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
            if status is None or status < 500:
                return " ".join(str(cause).split())[:_MAX_DETAIL_CHARS]
    return None


def _is_timeout(error: Exception) -> bool:
    return any("Timeout" in type(cause).__name__ for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def error_message(body: bytes) -> str:
    """Return the message in the body of an error response; the start of the body if it has no known form."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body[:_MAX_DETAIL_CHARS].decode("utf-8", "replace")
    for key in ("error", "message", "Message"):
        value = found.get(key) if isinstance(found, dict) else None
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str):
            return value
    return body[:_MAX_DETAIL_CHARS].decode("utf-8", "replace")


def retry_after(headers: Mapping[str, str], body: bytes = b"") -> float | None:
    """Return the seconds until the provider accepts another request; None if they are missing or invalid."""
    seconds = _number(headers.get("retry-after-ms"), 1000.0)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), 1.0)
    if seconds is None:
        seconds = seconds_until(headers.get("retry-after"))
    if seconds is None:
        seconds = google_retry_delay(body)
    if seconds is None or not 0 <= seconds < float("inf"):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


def _number(text: str | None, per_second: float) -> float | None:
    try:
        return float(text) / per_second if text else None
    except ValueError:
        return None


def seconds_until(http_date: str | None) -> float | None:
    """Return the seconds from now to an HTTP date (RFC 9110, 10.2.3); 0 if it has passed, None if it is invalid."""
    if not http_date:
        return None
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, TypeError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def google_retry_delay(body: bytes) -> float | None:
    """Return Google's delay, which is in the body: error.details[].retryDelay = "34s" (google.rpc.RetryInfo)."""
    if b"retryDelay" not in body:
        return None
    try:
        details: Any = json.loads(body)["error"]["details"]
        delays = [detail["retryDelay"] for detail in details if "retryDelay" in detail]
        return float(str(delays[0]).rstrip("s"))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
