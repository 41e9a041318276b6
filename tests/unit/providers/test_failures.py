"""Failures are classified by the documented errors of each provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpcore
import httpx
import pytest

from apps.providers.calls.connection import Call, CallLimits
from apps.providers.calls.failures import MAX_RETRY_AFTER_SECONDS, failure_of, retry_after
from apps.providers.errors import CallFailed, Failure

RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
OUT_OF_QUOTA = "You exceeded your current quota, please check your plan and billing details."


def failed(
    status: int | None,
    body: str | bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    error: Exception | None = None,
) -> CallFailed:
    call = Call(CallLimits())
    call.status, call.headers = status, httpx.Headers(headers or {})
    call.error_body = body.encode() if isinstance(body, str) else body
    return failure_of(call, error or RuntimeError("an error of the SDK"))


def openai(message: str, *, code: str | None = None, kind: str = "invalid_request_error") -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


def anthropic(kind: str, message: str) -> str:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> str:
    return json.dumps({"error": {"code": code, "message": message, "status": status, "details": list(details)}})


def google_reason(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def bedrock(message: str) -> str:
    return json.dumps({"message": message})


FILTERED_BY_AZURE = json.dumps(
    {
        "error": {
            "message": "The response was filtered due to Azure OpenAI's content management policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation"},
        }
    }
)


# https://platform.openai.com/docs/guides/error-codes
@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (401, openai("Incorrect API key provided: sk-1.", code="invalid_api_key"), Failure.AUTH),
        (403, openai("Country, region, or territory not supported"), Failure.AUTH),
        (
            429,
            openai(
                "Rate limit reached for gpt-4o on requests per min (RPM).", code="rate_limit_exceeded", kind="requests"
            ),
            Failure.RATE_LIMITED,
        ),
        (
            429,
            openai("Rate limit reached for gpt-4o on tokens per min (TPM).", code="rate_limit_exceeded", kind="tokens"),
            Failure.RATE_LIMITED,
        ),
        (429, openai(OUT_OF_QUOTA, code="insufficient_quota", kind="insufficient_quota"), Failure.NO_MONEY),
        (429, openai("Your account is not active.", code="billing_not_active"), Failure.NO_MONEY),
        (
            400,
            openai("This model's maximum context length is 128000 tokens.", code="context_length_exceeded"),
            Failure.CONTEXT,
        ),
        (404, openai("The model `gpt-9` does not exist.", code="model_not_found"), Failure.MODEL_NOT_FOUND),
        (400, openai("Invalid value for 'temperature'.", code="invalid_value"), Failure.BAD_REQUEST),
        (500, openai("The server had an error.", kind="server_error"), Failure.UNAVAILABLE),
        (503, openai("The engine is currently overloaded, please try again later"), Failure.OVERLOADED),
        # llama.cpp's server speaks the same wire.
        (400, openai("the request exceeds the available context size, try increasing it"), Failure.CONTEXT),
    ],
)
def test_openai_error_is_classified(status: int, body: str, failure: Failure) -> None:
    assert failed(status, body).failure is failure


# https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter
@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, FILTERED_BY_AZURE, Failure.REFUSED),
        (401, openai("Access denied due to invalid subscription key.", code="401"), Failure.AUTH),
        (404, openai("The API deployment does not exist.", code="DeploymentNotFound"), Failure.MODEL_NOT_FOUND),
        (429, openai("Requests have exceeded call rate limit of your pricing tier.", code="429"), Failure.RATE_LIMITED),
    ],
)
def test_azure_error_is_classified(status: int, body: str, failure: Failure) -> None:
    assert failed(status, body).failure is failure


# https://docs.anthropic.com/en/api/errors
@pytest.mark.parametrize(
    ("status", "kind", "message", "failure"),
    [
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", Failure.NO_MONEY),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", Failure.CONTEXT),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 197202 + 21333 > 200000",
            Failure.CONTEXT,
        ),
        (400, "invalid_request_error", "Output blocked by content filtering policy", Failure.REFUSED),
        (400, "invalid_request_error", "max_tokens: Field required", Failure.BAD_REQUEST),
        (401, "authentication_error", "invalid x-api-key", Failure.AUTH),
        (402, "billing_error", "Your payment failed", Failure.NO_MONEY),
        (403, "permission_error", "Your API key does not have permission.", Failure.AUTH),
        (404, "not_found_error", "model: claude-9", Failure.MODEL_NOT_FOUND),
        (413, "request_too_large", "Request exceeds the maximum size", Failure.CONTEXT),
        (429, "rate_limit_error", "This request would exceed your organization's rate limit.", Failure.RATE_LIMITED),
        (500, "api_error", "Internal server error", Failure.UNAVAILABLE),
        (529, "overloaded_error", "Overloaded", Failure.OVERLOADED),
    ],
)
def test_anthropic_error_is_classified(status: int, kind: str, message: str, failure: Failure) -> None:
    assert failed(status, anthropic(kind, message)).failure is failure


# https://ai.google.dev/gemini-api/docs/troubleshooting
@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (
            google(400, "INVALID_ARGUMENT", "API key not valid.", google_reason("API_KEY_INVALID")),
            Failure.AUTH,
        ),
        (
            google(
                403, "PERMISSION_DENIED", "Requests to this API are blocked.", google_reason("API_KEY_SERVICE_BLOCKED")
            ),
            Failure.AUTH,
        ),
        (google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied."), Failure.AUTH),
        (
            google(403, "PERMISSION_DENIED", "This API method requires billing.", google_reason("BILLING_DISABLED")),
            Failure.NO_MONEY,
        ),
        (google(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), Failure.BAD_REQUEST),
        (
            google(
                400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed"
            ),
            Failure.CONTEXT,
        ),
        (google(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta."), Failure.MODEL_NOT_FOUND),
        (google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), Failure.RATE_LIMITED),
        (
            google(429, "RESOURCE_EXHAUSTED", OUT_OF_QUOTA, {"@type": RETRY_INFO, "retryDelay": "34s"}),
            Failure.RATE_LIMITED,
        ),
        (google(500, "INTERNAL", "An internal error has occurred."), Failure.UNAVAILABLE),
        (google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), Failure.OVERLOADED),
    ],
)
def test_google_error_is_classified(body: str, failure: Failure) -> None:
    assert failed(json.loads(body)["error"]["code"], body).failure is failure


# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
@pytest.mark.parametrize(
    ("status", "message", "failure"),
    [
        (400, "The provided model identifier is invalid.", Failure.MODEL_NOT_FOUND),
        (400, "Input is too long for requested model.", Failure.CONTEXT),
        (400, "The request is invalid.", Failure.BAD_REQUEST),
        (403, "You don't have access to the model with the specified model ID.", Failure.AUTH),
        (403, "The security token included in the request is invalid.", Failure.AUTH),
        (404, "The specified resource was not found.", Failure.MODEL_NOT_FOUND),
        (408, "The model took too long.", Failure.TIMEOUT),
        (429, "Too many requests, please wait before trying again.", Failure.RATE_LIMITED),
        (429, "Too many tokens, please wait before trying again.", Failure.RATE_LIMITED),
        (500, "The system encountered an unexpected error.", Failure.UNAVAILABLE),
        (503, "Bedrock is unable to process your request.", Failure.OVERLOADED),
    ],
)
def test_bedrock_error_is_classified(status: int, message: str, failure: Failure) -> None:
    assert failed(status, bedrock(message)).failure is failure


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (None, httpx.ConnectError("refused"), Failure.UNAVAILABLE),
        (None, httpx.ReadTimeout("no byte"), Failure.TIMEOUT),
        (200, httpx.ReadTimeout("half of it"), Failure.TIMEOUT),
        (200, json.JSONDecodeError("Expecting value", "<html>", 0), Failure.BAD_RESPONSE),
        (302, RuntimeError("redirected"), Failure.BAD_RESPONSE),
    ],
)
def test_call_without_usable_response_is_classified(status: int | None, error: Exception, failure: Failure) -> None:
    assert failed(status, error=error).failure is failure


def test_cause_of_an_sdk_error_is_classified() -> None:
    sdks_own = RuntimeError("Connection error.")
    sdks_own.__cause__ = httpx.ReadTimeout("no byte")
    sdks_own.__cause__.__cause__ = httpcore.ReadTimeout()

    assert failed(None, error=sdks_own).failure is Failure.TIMEOUT


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b"<html>502</html>", b'{"error": null}', b"[1]"])
def test_error_without_json_is_classified_by_its_status(body: bytes) -> None:
    answer = failed(502, body)

    assert answer.failure is Failure.UNAVAILABLE
    assert answer.facts.http_status == 502


def test_detail_is_the_providers_message_on_one_short_line() -> None:
    facts = failed(400, anthropic("invalid_request_error", "max_tokens:\nField required\x1b[31m" + "!" * 999)).facts

    assert facts.detail.startswith("HTTP 400: max_tokens: Field required")
    assert facts.detail.isprintable()
    assert len(facts.detail) <= 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1"}, 1.0),
        ({"retry-after": "90"}, 90.0),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "99999999999"}, MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": f"Wed, 21 Oct {'9' * 30} 07:28:00 GMT"}, None),
        ({"retry-after": f"Wed, 21 Oct 2099 07:28:00 +{'9' * 30}"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
    ],
)
def test_retry_after_is_read_from_a_header(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx.Headers(headers)) == seconds


def test_retry_after_date_is_relative_to_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    assert retry_after({"retry-after": date}) == pytest.approx(3600, abs=60)


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ([{"@type": RETRY_INFO, "retryDelay": "34s"}], 34.0),
        ([{"@type": RETRY_INFO, "retryDelay": "34.074824224s"}], 34.074824224),
        ([google_reason("RATE_LIMIT_EXCEEDED"), {"@type": RETRY_INFO, "retryDelay": "0s"}], 0.0),
        ([{"@type": RETRY_INFO, "retryDelay": "-34s"}], None),
        ([{"@type": RETRY_INFO, "retryDelay": "soon"}], None),
        ([{"@type": RETRY_INFO, "retryDelay": None}], None),
        (["retryDelay"], None),
        ("retryDelay", None),
        (None, None),
    ],
)
def test_retry_after_is_read_from_googles_body(details: object, seconds: float | None) -> None:
    body = json.dumps({"error": {"code": 429, "details": details}, "of": "retryDelay"})

    assert retry_after({}, body.encode()) == seconds


def test_retry_after_header_takes_precedence_over_the_body() -> None:
    body = google(429, "RESOURCE_EXHAUSTED", OUT_OF_QUOTA, {"@type": RETRY_INFO, "retryDelay": "34s"})

    assert retry_after({"retry-after": "7"}, body.encode()) == 7
    assert retry_after({}, body.encode()) == 34
