"""Azure OpenAI: OpenAI's chat completions behind deployments, with Azure's own errors.

https://learn.microsoft.com/azure/ai-services/openai/reference
https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter
"""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.providers import credentials
from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply
from tests.fakes.providers.wires.base import check_model, json_reply, number
from tests.fakes.providers.wires.openai import chat_completion, openai_error, read_own_chat

_PATH = re.compile(r"/openai/deployments/([^/]+)/chat/completions")
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")
_NOTHING_FILTERED = {
    kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")
}

# kind -> status, code, message; all other kinds are OpenAI's.
_ERRORS: dict[str, tuple[int, str, str]] = {
    "wrong_path": (404, "404", "Resource not found"),
    "wrong_method": (405, "405", "Method not allowed"),
    "auth": (
        401,
        "401",
        (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for "
            "an active subscription and use a correct regional API endpoint for your resource."
        ),
    ),
    "model_not_found": (
        404,
        "DeploymentNotFound",
        (
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
            "minutes, please wait a moment and try again."
        ),
    ),
    "rate_limited": (
        429,
        "429",
        (
            "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded call rate limit of "
            "your current OpenAI pricing tier. Please retry later."
        ),
    ),
    "insufficient_quota": (403, "403", "Out of call volume quota for this resource. Quota will be replenished later."),
    "overloaded": (503, "ServiceUnavailable", "The service is temporarily unable to process your request."),
    "status": (500, "InternalServerError", "The server had an error while processing your request."),
}
_ERRORS["no_auth"] = _ERRORS["auth"]
_FILTERED = {
    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
    "Please modify your prompt and retry.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {**_NOTHING_FILTERED, "violence": {"filtered": True, "severity": "high"}},
    },
}


class Azure:
    family = "azure"
    usage_key = "usage"
    filters_by_error = True

    def __init__(self, *, key: str, models: tuple[str, ...]) -> None:
        self.key = key
        self.models = models

    def read(self, call: Call) -> Conversation:
        found = _PATH.fullmatch(call.path)
        call.model = found[1] if found else ""
        call.credential = call.headers.get("api-key", "")
        if not call.credential:
            call.credential = call.headers.get("Authorization", "").removeprefix("Bearer ")
        if call.credential not in (self.key, credentials.ENTRA_TOKEN):
            raise Refusal("auth")
        if found is None or not _VERSION.fullmatch(call.query.get("api-version", "")):
            raise Refusal("wrong_path")
        if call.method != "POST":
            raise Refusal("wrong_method")
        check_model(self, call.model)
        return read_own_chat(call.json_object(), call.model)

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        body = chat_completion(conversation, completion)
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _NOTHING_FILTERED}]
        body["choices"][0]["content_filter_results"] = _NOTHING_FILTERED
        return body

    def answer_headers(self) -> dict[str, str]:
        return {"apim-request-id": f"fake-{number():08d}", "x-ms-region": "Sweden Central"}

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        headers = self.answer_headers()
        if refusal.retry_after is not None:
            headers["Retry-After"] = refusal.retry_after
        if refusal.kind == "filtered":
            return json_reply(400, {"error": _FILTERED}, headers)
        if refusal.kind not in _ERRORS:
            status, error = openai_error(refusal, call)
            return json_reply(status, {"error": error}, headers)
        status, code, message = _ERRORS[refusal.kind]
        return json_reply(
            refusal.status or status, {"error": {"code": code, "message": refusal.message or message}}, headers
        )
