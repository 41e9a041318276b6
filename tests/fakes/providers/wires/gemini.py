"""Gemini on Google GenAI (Google AI Studio).

https://ai.google.dev/api/generate-content
https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.fakes.providers import thinking
from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply
from tests.fakes.providers.wires.base import check_model, is_positive, json_reply, number, objects

FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool": "STOP", "filter": "SAFETY", None: None}
SIGNATURE = "c2lnbmVkLWJ5LWdlbWluaQ=="
_PATH = re.compile(r"/(v1|v1alpha|v1beta)/models/([^/:]+):(\w+)")
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_FIELDS = frozenset(
    [
        "contents",
        "tools",
        "toolConfig",
        "safetySettings",
        "systemInstruction",
        "generationConfig",
        "cachedContent",
        "serviceTier",
        "store",
    ]
)
_CONFIG_FIELDS = frozenset(
    [
        "stopSequences",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
        "responseModalities",
        "candidateCount",
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "thinkingConfig",
        "mediaResolution",
        "speechConfig",
        "imageConfig",
        "enableEnhancedCivicAnswers",
        "audioTimestamp",
    ]
)

# kind -> status, message
ERRORS: dict[str, tuple[int, str]] = {
    "wrong_method": (404, "Not Found"),
    "auth": (400, "API key not valid. Please pass a valid API key."),
    "no_auth": (
        403,
        (
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API."
        ),
    ),
    "invalid_json": (400, "Invalid JSON payload received. Unexpected token."),
    "invalid": (400, "Request contains an invalid argument."),
    "model_not_found": (
        404,
        (
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call "
            "ListModels to see the list of available models and their supported methods."
        ),
    ),
    "rate_limited": (429, "Resource has been exhausted (e.g. check quota)."),
    "insufficient_quota": (
        429,
        (
            "You exceeded your current quota, please check your plan and billing details. For more information on this "
            "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
        ),
    ),
    "overloaded": (503, "The model is overloaded. Please try again later."),
    "context_exceeded": (
        400,
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "status": (500, "An internal error has occurred. Please retry or report in https://developers.google.com"),
}


class Gemini:
    family = "gemini"
    usage_key = "usageMetadata"
    filters_by_error = False

    def __init__(self, *, key: str, models: tuple[str, ...]) -> None:
        self.key = key
        self.models = models

    def read(self, call: Call) -> Conversation:
        found = _PATH.fullmatch(call.path)
        if found is None or call.method != "POST" or found[3] != "generateContent":
            raise Refusal("wrong_path")
        call.model = found[2]
        call.credential = call.headers.get("x-goog-api-key") or call.query.get("key", "")
        if not call.credential:
            raise Refusal("no_auth")
        if call.credential != self.key:
            raise Refusal("auth")
        check_model(self, call.model)
        return read_contents(call.json_object(), call.model, fields=_FIELDS)

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        return candidates(conversation, completion)

    def answer_headers(self) -> dict[str, str]:
        return {"Server": "scaffolding on HTTPServer2", "X-Content-Type-Options": "nosniff"}

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        details = []
        if refusal.kind == "auth":
            details = [error_info("API_KEY_INVALID", "googleapis.com", "generativelanguage.googleapis.com")]
        return refuse_as_google(refusal, call, ERRORS, self.answer_headers(), details)


def error_info(reason: str, domain: str, service: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": domain, "metadata": {"service": service}}


def refuse_as_google(
    refusal: Refusal,
    call: Call,
    errors: dict[str, tuple[int, str]],
    headers: dict[str, str],
    details: list[dict[str, Any]],
) -> Reply:
    """Return an error in Google's format. For an unknown path, Google's front end returns HTML."""
    if refusal.kind == "wrong_path":
        page = "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b> That's an error."
        return Reply(404, page.encode(), {**headers, "Content-Type": "text/html; charset=UTF-8"})
    status, message = errors[refusal.kind]
    status = refusal.status or status
    error = {
        "code": status,
        "message": refusal.message or message.format(model=call.model, path=call.path),
        "status": _STATUS.get(status, "UNKNOWN"),
    }
    if refusal.retry_after is not None:
        headers = {**headers, "Retry-After": refusal.retry_after}
        # https://cloud.google.com/apis/design/errors: the delay is a protobuf Duration.
        delay = f"{refusal.retry_after}s" if refusal.retry_after.isdigit() else "0s"
        details = [*details, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    return json_reply(status, {"error": {**error, "details": details} if details else error}, headers)


def read_contents(body: dict[str, Any], model: str, *, fields: frozenset[str]) -> Conversation:
    """Read the contents of a request. ``fields``: the allowed fields at its top level."""
    body = _camel(body)
    _check_fields(body, fields, "")
    config = body.get("generationConfig") or {}
    config = _camel(config) if isinstance(config, dict) else {}
    _check_fields(config, _CONFIG_FIELDS, " at 'generation_config'")
    max_tokens = config.get("maxOutputTokens")
    if max_tokens is not None and not is_positive(max_tokens):
        raise Refusal("invalid", "max_output_tokens must be positive.")
    conversation = Conversation(model, max_tokens=max_tokens, tier=str(body.get("serviceTier") or ""))
    conversation.thinking_tokens = thinking.gemini(model, config)
    conversation.shows_thinking = "gemini-3" in model
    for tool in objects(body.get("tools") or [], lambda: Refusal("invalid"), empty=True):
        declared = _camel(tool).get("functionDeclarations") or []
        for index, function in enumerate(objects(declared, lambda: Refusal("invalid"), empty=True)):
            if not function.get("name"):
                raise _missing(f"tools[0].function_declarations[{index}].name")
            conversation.tools.append(str(function["name"]))
    if body.get("systemInstruction"):
        _read_parts(conversation, body["systemInstruction"], "system_instruction")
    contents = objects(body.get("contents"), lambda: _missing("contents"))
    for index, content in enumerate(contents):
        if content.get("role", "user") not in {"user", "model", "function"}:
            raise Refusal("invalid", "Please use a valid role: user, model.")
        _read_parts(conversation, content, f"contents[{index}]")
    return conversation


def candidates(conversation: Conversation, completion: Completion, *, tier_key: str = "serviceTier") -> dict[str, Any]:
    counted = completion.counted
    parts: list[dict[str, Any]] = [{"text": completion.text}]
    if completion.tool is not None:
        parts = [{"functionCall": {"name": completion.tool.name, "args": completion.tool.arguments}}]
        if conversation.shows_thinking:
            parts[0]["thoughtSignature"] = SIGNATURE
    candidate: dict[str, Any] = {"index": 0, "content": {"parts": parts, "role": "model"}}
    if completion.finish == "length" and not completion.text:
        candidate["content"] = {"role": "model"}
    if completion.finish == "filter":
        del candidate["content"]
        candidate["safetyRatings"] = [
            {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}
        ]
    if completion.finish is not None:
        candidate["finishReason"] = FINISH[completion.finish]
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": completion.input_tokens,
            "candidatesTokenCount": completion.output_tokens - counted.thinking,
            "totalTokenCount": completion.input_tokens + completion.output_tokens,
            **({"cachedContentTokenCount": counted.cached} if counted.cached else {}),
            **({"thoughtsTokenCount": counted.thinking} if counted.thinking else {}),
            **({tier_key: counted.tier} if counted.tier else {}),
        },
        "modelVersion": conversation.model,
        "responseId": f"fake{number():08d}",
    }


def _check_fields(given: dict[str, Any], known: frozenset[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise Refusal("invalid", f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.')


def _read_parts(conversation: Conversation, content: object, where: str) -> None:
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    for index, part in enumerate(objects(parts, lambda: _missing(f"{where}.parts"))):
        _read_part(conversation, _camel(part), f"{where}.parts[{index}]")


def _read_part(conversation: Conversation, part: dict[str, Any], where: str) -> None:
    match part:
        case {"text": str(text)}:
            conversation.texts.append(text)
        case {"inlineData": dict(blob)}:
            blob = _camel(blob)
            if not blob.get("mimeType") or not isinstance(blob.get("data"), str):
                raise _missing(f"{where}.inline_data.mime_type")
            try:
                conversation.add_image(blob["data"], str(blob["mimeType"]))
            except ValueError as error:
                report = "Please retry or report in https://developers.google.com/generative-ai/troubleshooting"
                raise Refusal("invalid", f"Unable to process input image. {report}") from error
        case {"functionCall": {"name": str(name), **rest}}:
            if conversation.shows_thinking and part.get("thoughtSignature") != SIGNATURE:
                raise Refusal("invalid", f"Function call is missing a thought_signature in functionCall parts. {where}")
            conversation.called.append(name)
            conversation.texts.append(json.dumps(rest.get("args", {}), ensure_ascii=False))
        case {"functionResponse": {"name": str(), "response": dict(response)}}:
            conversation.texts += [value for value in response.values() if isinstance(value, str)]
        case _:
            needed = "required oneof field 'data' must have one initialized field"
            raise Refusal("invalid", f"* GenerateContentRequest.{where}.data: {needed}\n")


def _camel(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields in camel case: Protobuf's JSON accepts both spellings."""
    return {re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name): value for name, value in given.items()}


def _missing(name: str) -> Refusal:
    return Refusal("invalid", f"* GenerateContentRequest.{name}: {name.rpartition('.')[2]} is not specified\n")
