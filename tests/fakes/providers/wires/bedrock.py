"""Converse of Amazon Bedrock, with its request signature checked.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from tests.fakes.providers import credentials, thinking
from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply
from tests.fakes.providers.wires.base import check_model, is_positive, json_reply, number, objects

FINISH = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "filter": "content_filtered", None: None}
CLOCK_SKEW = timedelta(minutes=5)
_PATH = re.compile(r"/model/([^/]+)/converse")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_FORMATS = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_SECRETS = {
    credentials.AWS_ACCESS_KEY_ID: (credentials.AWS_SECRET_ACCESS_KEY, ""),
    credentials.AWS_TEMPORARY_KEY_ID: (credentials.AWS_TEMPORARY_SECRET, credentials.AWS_SESSION_TOKEN),
}

# kind -> status, exception, message
_ERRORS: dict[str, tuple[int, str, str]] = {
    "wrong_path": (404, "UnknownOperationException", "Unknown operation"),
    "wrong_method": (404, "UnknownOperationException", "Unknown operation"),
    "auth": (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "no_auth": (403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    "signature": (
        403,
        "InvalidSignatureException",
        (
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details."
        ),
    ),
    "invalid_json": (400, "SerializationException", "Could not parse request body into JSON"),
    "invalid": (400, "ValidationException", "The request is invalid."),
    "model_not_found": (400, "ValidationException", "The provided model identifier is invalid."),
    "rate_limited": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "insufficient_quota": (429, "ThrottlingException", "Too many tokens per day, please wait before trying again."),
    "overloaded": (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    "context_exceeded": (400, "ValidationException", "Input is too long for requested model."),
    "status": (500, "InternalServerException", "The system encountered an unexpected error. Try your request again."),
}
_ON_DEMAND = (
    "Invocation of model ID {model} with on-demand throughput isn’t supported. Retry your request with the ID or ARN "
    "of an inference profile that contains this model."
)
_EXCEPTIONS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


class Bedrock:
    family = "bedrock"
    usage_key = "usage"
    filters_by_error = False

    def __init__(self, *, models: tuple[str, ...]) -> None:
        self.models = models

    def read(self, call: Call) -> Conversation:
        found = _PATH.fullmatch(call.path)
        if found is None or call.method != "POST":
            raise Refusal("wrong_path")
        call.model = unquote(found[1])
        _check_authorization(call)
        body = call.json_object()
        conversation = _read_converse(body, call.model)
        check_model(self, call.model)
        return conversation

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        content: dict[str, Any] = {"text": completion.text}
        counted = completion.counted
        if completion.tool is not None:
            use_id = f"tooluse_{number():022d}"
            content = {
                "toolUse": {"toolUseId": use_id, "name": completion.tool.name, "input": completion.tool.arguments}
            }
        blocks = [] if completion.finish == "filter" or not (completion.tool or completion.text) else [content]
        if conversation.shows_thinking:
            reasoning = {"text": "Let me read the page.", "signature": "c2lnbmVk"}
            blocks.insert(0, {"reasoningContent": {"reasoningText": reasoning}})
        return {
            "metrics": {"latencyMs": 1},
            "output": {"message": {"role": "assistant", "content": blocks}},
            "stopReason": FINISH[completion.finish],
            "usage": {
                "inputTokens": completion.input_tokens - counted.cached - counted.written,
                "outputTokens": completion.output_tokens,
                "totalTokens": completion.input_tokens + completion.output_tokens,
                "cacheReadInputTokens": counted.cached,
                "cacheWriteInputTokens": counted.written,
                "cacheDetails": [
                    {"ttl": ttl, "inputTokens": tokens}
                    for ttl, tokens in (
                        ("1h", counted.written_for_an_hour),
                        ("5m", counted.written - counted.written_for_an_hour),
                    )
                    if tokens
                ],
            },
            **({"serviceTier": {"type": counted.tier}} if counted.tier else {}),
        }

    def answer_headers(self) -> dict[str, str]:
        return {"x-amzn-RequestId": f"00000000-0000-4000-8000-{number():012d}"}

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        status, exception, message = _ERRORS[refusal.kind]
        if refusal.status not in {None, status}:
            exception = _EXCEPTIONS.get(refusal.status or status, exception)
        headers = {**self.answer_headers(), "x-amzn-ErrorType": f"{exception}:http://internal.amazon.com/coral/"}
        if refusal.retry_after is not None:
            headers["Retry-After"] = refusal.retry_after
        if exception == "UnknownOperationException":
            unknown = {"Output": {"__type": f"com.amazon.coral.service#{exception}"}, "Version": "1.0"}
            return json_reply(status, unknown, headers)
        return json_reply(refusal.status or status, {"message": refusal.message or message}, headers)


def _check_authorization(call: Call) -> None:
    given = call.headers.get("Authorization", "")
    if not given:
        raise Refusal("no_auth")
    if given.startswith("Bearer "):
        call.credential = given[7:]
        if call.credential != credentials.BEDROCK_API_KEY:
            raise Refusal("auth")
        return
    found = _AUTHORIZATION.fullmatch(given)
    if found is None:
        raise _unsigned("Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.")
    call.credential = found["key"]
    secret, token = _SECRETS.get(found["key"], ("", ""))
    if not secret or call.headers.get("x-amz-security-token", "") != token:
        raise Refusal("auth")
    _check_scope(call, found)
    if not hmac.compare_digest(signature_v4(call, found, secret), found["signature"]):
        raise Refusal("signature")


def _check_scope(call: Call, found: re.Match[str]) -> None:
    if found["region"] != credentials.AWS_REGION:
        raise _unsigned("Credential should be scoped to a valid region.")
    if found["service"] != "bedrock":
        raise _unsigned("Credential should be scoped to correct service: 'bedrock'.")
    if "host" not in found["headers"].split(";"):
        raise _unsigned("'Host' must be a 'SignedHeader' in the AWS Authorization.")
    try:
        signed_at = datetime.strptime(call.headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _unsigned(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        ) from error
    if signed_at.strftime("%Y%m%d") != found["date"]:
        raise _unsigned("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    if abs(datetime.now(UTC) - signed_at) > CLOCK_SKEW:
        raise _unsigned(f"Signature expired: {call.headers['x-amz-date']} is now outside of the allowed five minutes.")


def signature_v4(call: Call, found: re.Match[str], secret: str) -> str:
    """Compute Signature Version 4. The path is encoded a second time, as for every service except S3."""
    path, _, query = call.raw_path.partition("?")
    names = found["headers"].split(";")
    headers = "".join(f"{name}:{' '.join(call.headers.get(name, '').split())}\n" for name in names)
    payload = hashlib.sha256(call.body).hexdigest()
    canonical = "\n".join(
        [call.method, quote(path, safe="/-_.~"), "&".join(sorted(query.split("&"))), headers, found["headers"], payload]
    )
    scope = f"{found['date']}/{found['region']}/{found['service']}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", call.headers["x-amz-date"], scope, digest])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _read_converse(body: dict[str, Any], model: str) -> Conversation:
    max_tokens = (body.get("inferenceConfig") or {}).get("maxTokens")
    if max_tokens is not None and not is_positive(max_tokens):
        raise _constraint("inferenceConfig.maxTokens", "Member must have value greater than or equal to 1")
    tier = body.get("serviceTier")
    conversation = Conversation(model, max_tokens=max_tokens, tools=_tools(body))
    extra = body.get("additionalModelRequestFields") or {}
    if "claude" in model:
        temperature = (body.get("inferenceConfig") or {}).get("temperature")
        conversation.thinking_tokens = thinking.claude(model, extra.get("thinking"), max_tokens or 4096, temperature)
        conversation.shows_thinking = conversation.thinking_tokens > 0
    elif "thinking" in extra:
        raise Refusal("invalid", "Malformed input request: #: extraneous key [thinking] is not permitted")
    if re.match(r"anthropic\.claude-(?:opus|sonnet|haiku)-4", model):
        raise Refusal("invalid", _ON_DEMAND.format(model=model))
    conversation.tier = str(tier.get("type", "")) if isinstance(tier, dict) else ""
    for block in objects(body.get("system") or [], lambda: _constraint("system", "Member must be a list"), empty=True):
        if "text" in block:
            conversation.texts.append(str(block["text"]))
    open_calls: set[str] = set()
    messages = objects(body.get("messages"), lambda: _constraint("messages", "Member must not be null"))
    for index, message in enumerate(messages):
        open_calls = _read_message(conversation, message, index, open_calls)
    if open_calls:
        raise _unanswered(len(messages), open_calls)
    if conversation.called and not conversation.tools:
        raise Refusal(
            "invalid", "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )
    return conversation


def _tools(body: dict[str, Any]) -> list[str]:
    config = body.get("toolConfig")
    if config is None:
        return []
    names = []
    wrong = _constraint("toolConfig.tools", "Member must have length greater than or equal to 1")
    for tool in objects(config.get("tools") if isinstance(config, dict) else None, lambda: wrong):
        match tool:
            case {"toolSpec": {"name": str(name), "inputSchema": {"json": dict()}}}:
                names.append(name)
            case {"cachePoint": dict()}:
                pass
            case _:
                raise _constraint("toolConfig.tools.1.member.toolSpec.inputSchema", "Member must not be null")
    return names


def _read_message(conversation: Conversation, message: dict[str, Any], index: int, open_calls: set[str]) -> set[str]:
    """Read one message. Return the tool uses that are still without a result."""
    where = f"messages.{index + 1}.member"
    role = message.get("role")
    if role not in {"user", "assistant"}:
        raise _constraint(f"{where}.role", "Member must satisfy enum value set: [user, assistant]")
    if index == 0 and role != "user":
        raise Refusal("invalid", "A conversation must start with a user message. Try again with a conversation that "
                      "starts with a user message.")  # fmt: skip
    results, uses = set(), set()
    blocks = objects(message.get("content"), lambda: _constraint(f"{where}.content", "Member must not be null"))
    for block in blocks:
        _read_block(conversation, block, where)
        if "toolUse" in block:
            uses.add(str(block["toolUse"]["toolUseId"]))
        if "toolResult" in block:
            results.add(str(block["toolResult"]["toolUseId"]))
    if results != open_calls:
        raise _unanswered(index, open_calls ^ results)
    return uses


def _read_block(conversation: Conversation, block: dict[str, Any], where: str) -> None:
    match block:
        case {"text": str(text)}:
            if not text.strip():
                raise Refusal(
                    "invalid", "The text field in the ContentBlock object is blank. Add text to the text field."
                )
            conversation.texts.append(text)
        case {"image": {"format": str(form), "source": {"bytes": str(data)}}}:
            if form not in _FORMATS:
                raise _constraint("image.format", "Member must satisfy enum value set: [gif, jpeg, png, webp]")
            try:
                conversation.add_image(data, _FORMATS[form])
            except ValueError as error:
                raise Refusal("invalid", f"The model returned the following errors: {error}") from error
        case {"toolUse": {"toolUseId": str(), "name": str(name), "input": dict(arguments)}}:
            conversation.called.append(name)
            conversation.texts.append(json.dumps(arguments, ensure_ascii=False))
        case {"toolResult": {"toolUseId": str(), "content": list(content)}}:
            for inner in content:
                _read_block(conversation, inner, where)
        case {"cachePoint": dict()} | {"json": _} | {"reasoningContent": _}:
            pass
        case _:
            raise Refusal("invalid", f"The content field in the Message object at {where} is not a known block.")


def _unanswered(index: int, ids: set[str]) -> Refusal:
    return Refusal(
        "invalid",
        f"Expected toolResult blocks at messages.{index}.content for the following Ids: {', '.join(sorted(ids))}",
    )


def _unsigned(message: str) -> Refusal:
    return Refusal("signature", message)


def _constraint(name: str, rule: str) -> Refusal:
    return Refusal("invalid", f"1 validation error detected: Value at '{name}' failed to satisfy constraint: {rule}")
