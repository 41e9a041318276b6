"""Make one call to one deployment with litellm. Only this module imports litellm.

``litellm.acompletion`` runs on the event loop of this process, without retries: only the gateway's loop retries.
docs/decisions/gateway.md explains which parts of litellm are used and why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from http import HTTPStatus
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx

from apps.core.event_loop import event_loop
from apps.pages.model.text.safe_text import clean
from apps.providers.calls.access_tokens import access_tokens
from apps.providers.calls.connection import Call, CallLimits, Withheld, calling
from apps.providers.calls.failures import failure_of
from apps.providers.calls.learning import thinking_tokens_of
from apps.providers.calls.usage import TokenUsage, usage_in
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed, Failure, FailureFacts
from apps.providers.requests.access import headers_of
from apps.providers.requests.entra import identity_of
from apps.providers.requests.families import FAMILIES
from apps.providers.requests.messages import messages_for
from apps.providers.requests.request_parameters import model_of, output_limit, request_parameters

OPENAI_ADDRESS = "https://api.openai.com/v1"
MAX_KNOWN_MODELS = 256
_REFUSALS = frozenset({"content_filter", "refusal", "safety", "guardrail_intervened"})


@dataclass(frozen=True)
class ToolCall:
    """A tool call of the model. ``arguments`` is {} if the model sent no JSON object."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class CompletionResponse:
    """A model's response. ``usage``: the tokens as the provider counts them; None if it does not."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: TokenUsage | None
    message: dict[str, Any] = field(repr=False)
    thinking_tokens: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether the answer ended at its limit of tokens."""
        return self.finish_reason == "length"


@dataclass(frozen=True)
class CompletionRequest:
    """A request to a deployment: messages and tools in OpenAI's shape. ``input_tokens``: our own estimate.

    ``max_tokens``: of the answer without thinking. ``limit``: with it; None: as the deployment thinks.
    """

    messages: Sequence[Mapping[str, Any]] = field(repr=False)
    tools: Sequence[Mapping[str, Any]] = ()
    max_tokens: int = 4096
    input_tokens: int = 0
    limit: int | None = None


class Client:
    """Calls deployments from any number of threads. The calls wait together on one event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sdk_clients: dict[int, tuple[str, Any]] = {}  # by id of the deployment, with its revision

    def warm_up(self) -> None:
        """Import litellm, so that the first pages do not all wait for it."""
        _litellm()

    def send(self, target: Target, request: CompletionRequest, call: Call) -> CompletionResponse:
        """Send the request to the deployment, and note in ``call`` what happens. Raise CallFailed and Withheld."""
        litellm = _litellm()
        arguments = request_arguments(target, request)
        call.extra_headers, call.proxy = headers_of(target.settings, target.secrets), target.settings.get("proxy")
        try:
            response = event_loop().run(self._complete(litellm, target, call, arguments))
            return completion_response(response, usage_in(call))
        except CallFailed as failed:
            failed.sent_at, failed.usage = call.sent_at, usage_in(call)
            raise without_secrets(failed, target) from None
        except Exception as error:
            if call.is_withheld:
                raise Withheld from None
            if call.status == HTTPStatus.UNAUTHORIZED:
                access_tokens().forget(target)
            raise without_secrets(failure_of(call, error), target) from None

    def body_of(self, target: Target, request: CompletionRequest) -> dict[str, Any]:
        """Return the body of the request in the form of the deployment's API. Nothing is sent. Raise CallFailed."""
        written: list[bytes] = []

        def keep(body: bytes) -> bytes:
            written.append(body)
            raise httpx.ReadError("the request was written, not sent")

        try:
            self.send(target, request, Call(CallLimits(), offline=keep))
        except CallFailed:
            if not written:
                raise
        body: dict[str, Any] = json.loads(written[0])
        return body

    def read(self, target: Target, request: CompletionRequest, body: bytes) -> CompletionResponse:
        """Read a response to the request that arrived in another way (a batch). Raise CallFailed."""
        return self.send(target, request, Call(CallLimits(), offline=lambda _: body))

    async def _complete(self, litellm: ModuleType, target: Target, call: Call, arguments: dict[str, Any]) -> Any:
        from litellm.utils import is_internal_call  # True: litellm does no bookkeeping after the call

        is_internal_call.set(True)  # in the context of this task only
        limit = call.limits.total_seconds
        token = "" if call.offline else await access_tokens().token_of(target)
        if token:
            call.extra_headers = {**call.extra_headers, "Authorization": f"Bearer {token}"}
        with calling(call):
            # The connection keeps the limits of the call. A library that waits for something else must end, too.
            async with asyncio.timeout(limit + call.limits.connect_seconds):
                return await litellm.acompletion(client=self._sdk_client(target), timeout=limit, **arguments)

    def _sdk_client(self, target: Target) -> Any:
        """Return the SDK's client of the deployment. All of them share the connections of this process."""
        with self._lock:
            revision, client = self._sdk_clients.get(target.id, ("", None))
            if client is None or revision != target.revision:
                client = self._new_sdk_client(target)
                self._sdk_clients[target.id] = (target.revision, client)
            return client

    def _new_sdk_client(self, target: Target) -> Any:
        from apps.providers.calls.transport import shared_http_client

        sdk = FAMILIES[target.family].sdk
        key = target.secrets.get("api_key", "none")
        base = target.settings.get("base_url")
        if sdk == "openai":
            return OpenAIChat(str(base or OPENAI_ADDRESS), key, shared_http_client())
        if sdk == "azure":
            import openai

            has_identity = bool(identity_of(target.settings, target.secrets))
            return openai.AsyncAzureOpenAI(
                api_key=None if has_identity else key,
                # The token of the identity takes the place of this one right before sending.
                azure_ad_token="none" if has_identity else None,
                azure_endpoint=str(base),
                api_version=str(target.settings.get("api_version")),
                http_client=shared_http_client(),
                max_retries=0,
            )
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

        handler = AsyncHTTPHandler()
        handler.client = shared_http_client()
        return handler


class OpenAIChat:
    """The part of the OpenAI SDK's client that litellm uses for chat completions.

    The SDK looks up the type of every value that it sends and receives, which took half of the CPU of a call. Its
    exceptions also make litellm send a request again (422 with ``drop_params``).
    """

    def __init__(self, base_url: str, api_key: str, http: httpx.AsyncClient) -> None:
        self.api_key = api_key
        self._http = http
        self._base_url = SimpleNamespace(_uri_reference=base_url)  # litellm reads it to log the call
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self.chat = SimpleNamespace(completions=SimpleNamespace(with_raw_response=self))

    async def create(
        self,
        *,
        timeout: object,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **body: Any,
    ) -> Any:
        """Send the request. Return its response as litellm expects it: with ``headers`` and ``parse``."""
        response = await self._http.post(
            self._url,
            json={**body, **(extra_body or {})},
            headers={"Authorization": f"Bearer {self.api_key}", **(extra_headers or {})},
            params=extra_query,
        )
        if response.status_code == HTTPStatus.BAD_REQUEST:
            import openai

            # litellm recognises the one for a model that thought until the limit, and returns an empty answer.
            raise openai.BadRequestError(response.text, response=response, body=None)
        if not response.is_success:
            raise httpx.HTTPStatusError(f"HTTP {response.status_code}", request=response.request, response=response)
        return SimpleNamespace(
            headers=response.headers, parse=lambda: SimpleNamespace(model_dump=lambda: json.loads(response.content))
        )


def request_arguments(target: Target, request: CompletionRequest) -> dict[str, Any]:
    """Return litellm's arguments for the request to the deployment, except its client and time-out."""
    family = FAMILIES[target.family]
    parameters = family.litellm_parameters(target.settings, target.secrets)
    limit = output_limit(target, request.max_tokens) if request.limit is None else request.limit
    return {
        "model": family.prefix + target.model,
        "messages": messages_for(target.family, model_of(target), request.messages),
        # The flag keeps litellm from searching for tools that it would run itself.
        **({"tools": list(request.tools), "_skip_mcp_handler": True} if request.tools else {}),
        "max_retries": 0,
        "num_retries": 0,
        **({"api_key": "none"} if family.sdk and "api_key" not in parameters else {}),
        **request_parameters(target, answer_tokens=request.max_tokens, limit=limit),
        **parameters,
    }


def without_secrets(failed: CallFailed, target: Target) -> CallFailed:
    """Return the failure without secrets: some providers repeat the key that they refuse."""
    detail = failed.facts.detail
    for secret in [*target.secrets.values(), *headers_of({}, target.secrets).values()]:
        detail = detail.replace(secret, "(secret)") if secret else detail
    return CallFailed(failed.failure, replace(failed.facts, detail=detail), sent_at=failed.sent_at, usage=failed.usage)


@cache
def _litellm() -> ModuleType:
    """Import litellm at the first use, which takes seconds, and disable what it does besides calling."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # without it, litellm fetches a price list when imported
    import litellm
    from litellm._service_logger import ServiceLogging

    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        library_logger = logging.getLogger(name)
        library_logger.setLevel(logging.ERROR)  # litellm logs lines per call, with addresses; the ledger has the facts
        library_logger.handlers.clear()
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    litellm.num_retries = 0
    # The ledger and the quota store have the facts that litellm would count, price and report after each call.
    litellm.utils.update_response_metadata = lambda **_: None
    ServiceLogging.service_success_hook = lambda *_, **__: None  # type: ignore[method-assign]
    # litellm searches its table of models for each call, which took 40 % of what a call costs apart from HTTP.
    known_model = lru_cache(maxsize=MAX_KNOWN_MODELS)(litellm.main.get_model_info_helper)
    litellm.main.get_model_info_helper = lambda *names, **named: known_model(*names, **named).copy()
    for name in (
        "success_callback",
        "failure_callback",
        "_async_success_callback",
        "_async_failure_callback",
        "callbacks",
    ):
        setattr(litellm, name, [])
    return litellm


def completion_response(response: Any, usage: TokenUsage | None) -> CompletionResponse:
    """Convert litellm's response. Raise CallFailed if it contains no answer."""
    try:
        choice = response.choices[0]
        message = choice.message
    except (AttributeError, IndexError, TypeError) as error:
        raise CallFailed(Failure.BAD_RESPONSE, FailureFacts("the answer has no choices")) from error
    finish = str(choice.finish_reason or "")
    refusal = getattr(message, "refusal", None)
    if finish in _REFUSALS or refusal:
        raise CallFailed(Failure.REFUSED, FailureFacts("the model refused this page"))
    text = message.content if isinstance(message.content, str) else ""
    tool_calls = []
    for call in message.tool_calls or ():
        try:
            arguments = json.loads(call.function.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = {}
        arguments = arguments if isinstance(arguments, dict) else {}
        tool_calls.append(ToolCall(str(call.id), str(call.function.name), arguments))
    return CompletionResponse(
        text=clean(text),
        tool_calls=tuple(tool_calls),
        finish_reason=finish,
        usage=usage,
        message=message.model_dump(exclude_none=True),
        thinking_tokens=thinking_tokens_of(
            message,
            usage,
            visible_characters=len(text) + sum(len(str(call.arguments)) for call in tool_calls),
            is_cut=finish == "length",
        ),
    )
