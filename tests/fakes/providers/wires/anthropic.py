"""Anthropic's messages.

https://docs.anthropic.com/en/api/messages
https://docs.anthropic.com/en/api/errors
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.providers import thinking
from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply
from tests.fakes.providers.wires.base import check_model, is_positive, json_reply, number, objects

SIGNATURE = "EqQBCgIYAhIkZmFrZQ=="
MAX_IMAGE_BYTES = 5 * 1024 * 1024
FINISH = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "filter": "refusal", None: None}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FIELDS = frozenset(
    [
        "model",
        "messages",
        "max_tokens",
        "system",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "stream",
        "metadata",
        "thinking",
        "service_tier",
        "container",
        "mcp_servers",
        "context_management",
        "output_config",
        "output_format",
        "cache_control",
    ]
)

# kind -> status, message
_ERRORS: dict[str, tuple[int, str]] = {
    "wrong_path": (404, "Not Found"),
    "wrong_method": (405, "Method Not Allowed"),
    "auth": (401, "invalid x-api-key"),
    "no_auth": (401, "x-api-key header is required"),
    "invalid_json": (400, "The request body is not valid JSON"),
    "invalid": (400, "Invalid request"),
    "model_not_found": (404, "model: {model}"),
    "rate_limited": (
        429,
        (
            "This request would exceed your organization's rate limit. For details, refer to: "
            "https://docs.anthropic.com/en/api/rate-limits."
        ),
    ),
    "insufficient_quota": (
        400,
        (
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
            "purchase credits."
        ),
    ),
    "overloaded": (529, "Overloaded"),
    "context_exceeded": (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    "status": (500, "Internal server error"),
}


class Anthropic:
    family = "anthropic"
    usage_key = "usage"
    filters_by_error = False

    def __init__(self, *, key: str, models: tuple[str, ...]) -> None:
        self.key = key
        self.models = models

    def read(self, call: Call) -> Conversation:
        if call.path != "/v1/messages":
            raise Refusal("wrong_path")
        if call.method != "POST":
            raise Refusal("wrong_method")
        call.credential = call.headers.get("x-api-key", "")
        if not call.credential:
            raise Refusal("no_auth")
        if call.credential != self.key:
            raise Refusal("auth")
        if call.headers.get("anthropic-version") not in {"2023-06-01", "2023-01-01"}:
            raise Refusal("invalid", "anthropic-version: header is required")
        body = call.json_object()
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise required("model")
        call.model = model
        conversation = read_messages(body, model, fields=_FIELDS)
        check_model(self, model)
        return conversation

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        return message_body(conversation, completion)

    def answer_headers(self) -> dict[str, str]:
        return {"request-id": f"req_{number():024d}", "anthropic-organization-id": "fake-organization"}

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        return refuse_as_anthropic(refusal, call, self.answer_headers())


def refuse_as_anthropic(refusal: Refusal, call: Call, headers: dict[str, str]) -> Reply:
    status, message = _ERRORS[refusal.kind]
    status = refusal.status or status
    if refusal.retry_after is not None:
        headers = {**headers, "Retry-After": refusal.retry_after}
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": refusal.message or message.format(model=call.model)}
    return json_reply(status, {"type": "error", "error": error, "request_id": headers.get("request-id")}, headers)


def read_messages(body: dict[str, Any], model: str, *, fields: frozenset[str]) -> Conversation:
    """Read the messages of a request. ``fields``: the allowed fields at its top level."""
    for name in body:
        if name not in fields:
            raise Refusal("invalid", f"{name}: Extra inputs are not permitted")
    if "max_tokens" not in body:
        raise required("max_tokens")
    if not is_positive(body["max_tokens"]):
        raise Refusal("invalid", "max_tokens: Input should be greater than or equal to 1")
    if body.get("stream"):
        raise Refusal("invalid", "stream: this server does not stream")
    conversation = Conversation(model, max_tokens=body["max_tokens"], tools=_tools(body))
    if body.get("system"):
        _read_content(conversation, body["system"], "system")
    conversation.thinking_tokens = thinking.claude(
        model, body.get("thinking"), body["max_tokens"], body.get("temperature")
    )
    conversation.shows_thinking = conversation.thinking_tokens > 0
    open_calls: set[str] = set()
    for index, message in enumerate(objects(body.get("messages"), lambda: required("messages"))):
        open_calls = _read_message(conversation, message, index, open_calls)
    if open_calls:
        raise _unanswered(len(body["messages"]), open_calls)
    return conversation


def message_body(conversation: Conversation, completion: Completion) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    counted = completion.counted
    if conversation.shows_thinking:
        content.append({"type": "thinking", "thinking": "Let me read the page.", "signature": SIGNATURE})
    if completion.tool is not None:
        content.append(
            {
                "type": "tool_use",
                "id": f"toolu_{number():024d}",
                "name": completion.tool.name,
                "input": completion.tool.arguments,
            }
        )
    elif completion.finish != "filter" and (completion.text or completion.finish != "length"):
        content.append({"type": "text", "text": completion.text})
    return {
        "id": f"msg_{number():024d}",
        "type": "message",
        "role": "assistant",
        "model": conversation.model,
        "content": content,
        "stop_reason": FINISH[completion.finish],
        "stop_sequence": None,
        "usage": {
            "input_tokens": completion.input_tokens - counted.cached - counted.written,
            "cache_creation_input_tokens": counted.written,
            "cache_read_input_tokens": counted.cached,
            "cache_creation": {
                "ephemeral_5m_input_tokens": counted.written - counted.written_for_an_hour,
                "ephemeral_1h_input_tokens": counted.written_for_an_hour,
            },
            "output_tokens": completion.output_tokens,
            "output_tokens_details": {"thinking_tokens": counted.thinking},
            "service_tier": counted.tier or "standard",
        },
    }


def required(name: str) -> Refusal:
    return Refusal("invalid", f"{name}: Field required")


def _tools(body: dict[str, Any]) -> list[str]:
    names = []
    not_a_list = Refusal("invalid", "tools: Input should be a valid list")
    for index, tool in enumerate(objects(body.get("tools") or [], lambda: not_a_list, empty=True)):
        for name in ("name", "input_schema"):
            if not tool.get(name):
                raise required(f"tools.{index}.custom.{name}")
        names.append(str(tool["name"]))
    return names


def _read_message(conversation: Conversation, message: dict[str, Any], index: int, open_calls: set[str]) -> set[str]:
    """Read one message. Return the tool calls that are still without a result."""
    where = f"messages.{index}"
    role = message.get("role")
    if role not in {"user", "assistant"}:
        raise Refusal("invalid", f"{where}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    _read_content(conversation, content, f"{where}.content")
    blocks = content if isinstance(content, list) else []
    results = {str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"}
    if results - open_calls:
        raise Refusal(
            "invalid",
            f"{where}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(results)}. Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous message.",
        )
    if open_calls - results:
        raise _unanswered(index - 1, open_calls - results)
    return {str(block.get("id")) for block in blocks if block.get("type") == "tool_use"}


def _read_content(conversation: Conversation, content: object, where: str) -> None:
    if isinstance(content, str):
        if not content:
            raise Refusal("invalid", f"{where}: all messages must have non-empty content")
        conversation.texts.append(content)
        return
    for index, block in enumerate(objects(content, lambda: required(where))):
        _read_block(conversation, block, f"{where}.{index}")


def _read_block(conversation: Conversation, block: dict[str, Any], where: str) -> None:
    match block:
        case {"type": "text", "text": str(text)}:
            if not text.strip():
                raise Refusal("invalid", "messages: text content blocks must be non-empty")
            conversation.texts.append(text)
        case {"type": "image", "source": {"type": "base64", "media_type": str(media_type), "data": str(data)}}:
            image = f"{where}.image.source.base64"
            if len(data) > MAX_IMAGE_BYTES:
                raise Refusal(
                    "invalid", f"{image}: image exceeds 5 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes"
                )
            try:
                conversation.add_image(data, media_type)
            except ValueError as error:
                raise Refusal("invalid", f"{image}: {error}") from error
        case {"type": "tool_use", "id": str(), "name": str(name), "input": dict(arguments)}:
            conversation.called.append(name)
            conversation.texts.append(json.dumps(arguments, ensure_ascii=False))
        case {"type": "tool_result", "tool_use_id": str()}:
            if block.get("content"):
                _read_content(conversation, block["content"], f"{where}.content")
        case {"type": "thinking", "signature": "EqQBCgIYAhIkZmFrZQ=="} | {"type": "redacted_thinking"}:
            pass
        case _:
            raise Refusal("invalid", f"{where}: Input does not match any of the expected content blocks")


def _unanswered(index: int, open_calls: set[str]) -> Refusal:
    return Refusal(
        "invalid",
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(sorted(open_calls))}. Each `tool_use` block must have a corresponding `tool_result` block in the "
        "next message.",
    )
