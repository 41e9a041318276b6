"""OpenAI's chat completions, also for OpenAI-compatible servers.

https://platform.openai.com/docs/api-reference/chat/create
https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.fakes.providers import thinking
from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply
from tests.fakes.providers.wires.base import check_model, is_positive, json_reply, number, objects

CREATED_AT = 1_750_000_000
FINISH = {"stop": "stop", "length": "length", "tool": "tool_calls", "filter": "content_filter", None: None}
_DATA_URL = re.compile(r"data:(image/[a-z]+);base64,(.*)", re.DOTALL)
GPT_4O_MAX_TOKENS = 16_384
_MESSAGE_FIELDS = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "refusal"})
_COMPATIBLE_FIELDS = frozenset(
    {
        *("model", "messages", "max_tokens", "tools", "tool_choice", "temperature", "top_p", "seed", "stop", "stream"),
        *("presence_penalty", "frequency_penalty", "response_format", "user", "n"),
    }
)
_FIELDS = _COMPATIBLE_FIELDS | {
    *("max_completion_tokens", "reasoning_effort", "verbosity", "service_tier", "parallel_tool_calls", "store"),
    *("metadata", "logit_bias", "logprobs", "top_logprobs", "prediction", "modalities", "prompt_cache_key"),
    *("safety_identifier", "stream_options", "prompt_cache_retention"),
}

# kind -> status, type, code, message
_ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "wrong_path": (404, "invalid_request_error", None, "Invalid URL ({method} {path})"),
    "wrong_method": (405, "invalid_request_error", "method_not_supported", "Not allowed to {method} on {path}."),
    "auth": (
        401,
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys.",
    ),
    "no_auth": (
        401,
        "invalid_request_error",
        None,
        (
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY)."
        ),
    ),
    "invalid_json": (
        400,
        "invalid_request_error",
        None,
        (
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
            "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
        ),
    ),
    "invalid": (400, "invalid_request_error", "invalid_value", "Invalid request."),
    "model_not_found": (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "rate_limited": (
        429,
        "requests",
        "rate_limit_exceeded",
        (
            "Rate limit reached for {model} in organization org-fake on requests per min (RPM). Please try again "
            "later. Visit https://platform.openai.com/account/rate-limits to learn more."
        ),
    ),
    "insufficient_quota": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        (
            "You exceeded your current quota, please check your plan and billing details. For more information on this "
            "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
        ),
    ),
    "overloaded": (
        503,
        "service_unavailable_error",
        None,
        "The engine is currently overloaded, please try again later",
    ),
    "context_exceeded": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 210000 tokens. "
            "Please reduce the length of the messages."
        ),
    ),
    "status": (500, "server_error", None, "The server had an error while processing your request. Sorry about that!"),
}


class OpenAI:
    """OpenAI's API. ``key`` None: a local server without a key."""

    usage_key = "usage"
    filters_by_error = False

    def __init__(self, family: str, *, key: str | None, models: tuple[str, ...]) -> None:
        self.family = family
        self.key = key
        self.models = models

    def read(self, call: Call) -> Conversation:
        if call.path != "/v1/chat/completions":
            raise Refusal("wrong_path")
        if call.method != "POST":
            raise Refusal("wrong_method")
        scheme, _, call.credential = call.headers.get("Authorization", "").partition(" ")
        if self.key is not None and (scheme != "Bearer" or not call.credential):
            raise Refusal("no_auth")
        if self.key is not None and call.credential != self.key:
            raise Refusal("auth")
        body = call.json_object()
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise _invalid("model", "you must provide a model parameter")
        call.model = body["model"]
        check_model(self, call.model)
        if self.key is None:
            check_strict_server(call.model, body)
            conversation = read_chat(body, call.model)
            conversation.thinking_tokens = thinking.compatible(call.model, body)
            conversation.shows_thinking = True
            return conversation
        return read_own_chat(body, call.model)

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        return chat_completion(conversation, completion)

    def answer_headers(self) -> dict[str, str]:
        return {"x-request-id": f"req_{number():032x}", "openai-version": "2020-10-01", "openai-processing-ms": "1"}

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        status, error = openai_error(refusal, call)
        headers = self.answer_headers()
        if refusal.retry_after is not None:
            headers["Retry-After"] = refusal.retry_after
        return json_reply(status, {"error": error}, headers)


def openai_error(refusal: Refusal, call: Call) -> tuple[int, dict[str, Any]]:
    status, kind, code, message = _ERRORS[refusal.kind]
    key = f"{call.credential[:8]}****{call.credential[-4:]}"
    filled = message.format(method=call.method, path=call.path, model=call.model, key=key)
    if refusal.kind == "status" and (refusal.status or 500) < 500:
        kind = "invalid_request_error"
    error = {"message": refusal.message or filled, "type": kind, "param": refusal.param, "code": code}
    return refusal.status or status, error


def read_chat(body: dict[str, Any], model: str) -> Conversation:
    """Read the messages and tools of a chat request. Raise Refusal with the first error."""
    if body.get("stream"):
        raise _invalid("stream", "This server does not stream.")
    conversation = Conversation(model)
    for name in ("max_tokens", "max_completion_tokens"):  # the latter takes precedence
        if body.get(name) is None:
            continue
        if not is_positive(body[name]):
            raise _invalid(name, f"Invalid '{name}': integer below minimum value. Expected a value >= 1.")
        conversation.max_tokens = int(body[name])
    for index, tool in enumerate(
        objects(body.get("tools") or [], lambda: _invalid("tools", "Invalid 'tools'."), empty=True)
    ):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, dict) or not function.get("name"):
            raise _invalid(f"tools[{index}].function.name", f"Missing required parameter: 'tools[{index}].function'.")
        conversation.tools.append(str(function["name"]))
    conversation.tier = str(body.get("service_tier") or "")
    if "messages" not in body:
        raise _invalid("messages", "Missing required parameter: 'messages'.")
    messages = objects(body["messages"], lambda: _invalid("messages", "Invalid 'messages': empty array."))
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        open_calls = _read_message(conversation, message, f"messages.[{index}]", open_calls)
    if open_calls:
        raise _unanswered(f"messages.[{len(messages)}].role", open_calls)
    return conversation


def read_own_chat(body: dict[str, Any], model: str) -> Conversation:
    """Read a chat request as OpenAI and Azure do, which refuse every field that they do not document."""
    for name in body:
        if name not in _FIELDS:
            raise Refusal("invalid", f"Unrecognized request argument supplied: {name}")
    _check_message_fields(body)
    tokens = thinking.openai(model, body)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if model.startswith("gpt-4o") and isinstance(limit, int) and limit > GPT_4O_MAX_TOKENS:
        raise _invalid(
            "max_tokens",
            f"max_tokens is too large: {limit}. This model supports at most {GPT_4O_MAX_TOKENS} completion tokens, "
            f"whereas you provided {limit}.",
        )
    conversation = read_chat(body, model)
    conversation.thinking_tokens = tokens
    return conversation


def check_strict_server(model: str, body: dict[str, Any]) -> None:
    """Refuse what Groq and Mistral refuse, for models whose names begin with "strict"."""
    if not model.startswith("strict"):
        return
    for name in body:
        if name not in _COMPATIBLE_FIELDS:
            raise Refusal("invalid", f"property '{name}' is unsupported", param=name)
    _check_message_fields(body)


def _check_message_fields(body: dict[str, Any]) -> None:
    for index, message in enumerate(body.get("messages") or []):
        for name in message if isinstance(message, dict) else ():
            if name not in _MESSAGE_FIELDS:
                raise Refusal(
                    "invalid", f"Additional properties are not allowed ('{name}' was unexpected) - 'messages.{index}'"
                )
        for call in (message.get("tool_calls") or []) if isinstance(message, dict) else ():
            if isinstance(call, dict) and (set(call) - {"id", "type", "function"} or len(str(call.get("id"))) > 40):
                raise Refusal("invalid", f"Invalid 'messages[{index}].tool_calls[0]': unexpected field or id too long")


def chat_completion(conversation: Conversation, completion: Completion) -> dict[str, Any]:
    filtered, counted = completion.finish == "filter", completion.counted
    content = None if completion.tool is not None or filtered else completion.text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    if filtered:
        message["content"] = ""
    if completion.tool is not None:
        arguments = json.dumps(completion.tool.arguments, ensure_ascii=False)
        function = {"name": completion.tool.name, "arguments": arguments}
        message["tool_calls"] = [{"id": f"call_{number():024d}", "type": "function", "function": function}]
    if conversation.shows_thinking and counted.thinking:
        message["reasoning_content"] = "Hmm " * counted.thinking
    return {
        "id": f"chatcmpl-fake{number():08d}",
        "object": "chat.completion",
        "created": CREATED_AT,
        "model": conversation.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[completion.finish]}],
        "usage": {
            "prompt_tokens": completion.input_tokens,
            "completion_tokens": completion.output_tokens,
            "total_tokens": completion.input_tokens + completion.output_tokens,
            "prompt_tokens_details": {"cached_tokens": counted.cached, "audio_tokens": 0}
            | ({"cache_write_tokens": counted.written} if counted.written else {}),
            "completion_tokens_details": {"reasoning_tokens": counted.thinking, "audio_tokens": 0},
        },
        "service_tier": counted.tier or "default",
        "system_fingerprint": "fp_fake",
    }


def _read_message(conversation: Conversation, message: dict[str, Any], where: str, open_calls: set[str]) -> set[str]:
    """Read one message. Return the tool calls that are still without a result."""
    role = message.get("role")
    if role not in {"system", "developer", "user", "assistant", "tool"}:
        raise _invalid(f"{where}.role", f"Invalid value: '{role}'.")
    if open_calls and role != "tool":
        raise _unanswered(f"{where}.role", open_calls)
    calls = _read_tool_calls(conversation, message, where) if role == "assistant" else set()
    if not (calls and message.get("content") is None):
        _read_content(conversation, message.get("content"), where)
    if role != "tool":
        return calls
    if message.get("tool_call_id") not in open_calls:
        raise _invalid(
            f"{where}.role",
            "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
        )
    return open_calls - {message["tool_call_id"]}


def _read_tool_calls(conversation: Conversation, message: dict[str, Any], where: str) -> set[str]:
    ids = set()
    wrong = f"{where}.tool_calls"
    for call in objects(message.get("tool_calls") or [], lambda: _invalid(wrong, f"Invalid '{wrong}'."), empty=True):
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), str) or not call.get("id"):
            raise _invalid(wrong, f"Invalid '{wrong}'.")
        conversation.called.append(str(function.get("name")))
        conversation.texts.append(function["arguments"])
        ids.add(str(call["id"]))
    return ids


def _read_content(conversation: Conversation, content: object, where: str) -> None:
    if isinstance(content, str):
        conversation.texts.append(content)
        return
    name = f"{where}.content"
    message = f"Invalid type for '{name}': expected one of a string or array of objects."
    for part in objects(content, lambda: _invalid(name, message)):
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            conversation.texts.append(part["text"])
        elif part.get("type") == "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else None
            found = _DATA_URL.fullmatch(url) if isinstance(url, str) else None
            if found is None:
                raise _invalid(name, "Invalid image URL: expected a base64-encoded data URL with an image MIME type.")
            try:
                conversation.add_image(found[2], found[1])
            except ValueError as error:
                raise _invalid(name, f"You uploaded an unsupported image: {error}.") from error
        else:
            raise _invalid(name, f"Invalid value: '{part.get('type')}'. Supported values are: 'text' and 'image_url'.")


def _unanswered(where: str, open_calls: set[str]) -> Refusal:
    return _invalid(
        where,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}",
    )


def _invalid(param: str, message: str) -> Refusal:
    return Refusal("invalid", message, param=param)
