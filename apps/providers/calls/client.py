"""Make one call to one deployment with litellm's Router. Only this module imports litellm.

The Router makes one attempt per call, without retries: only the gateway's loop retries. The Router's hook
``get_available_deployment`` asks the gateway for the deployment, which reserves its quota first; so a deployment
without quota gets no request. docs/decisions/gateway.md explains why the Router's own fallbacks are not used.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from apps.pages.model.text.safe_text import clean
from apps.providers.calls.connection import Call, CallLimits, Withheld, calling, http_client
from apps.providers.calls.failures import failure_of
from apps.providers.calls.families import FAMILIES
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed, Failure, FailureFacts

if TYPE_CHECKING:
    from litellm import Router

GROUP = "pages"
_MAX_TOKENS = 10_000_000
_REFUSALS = frozenset({"content_filter", "refusal", "safety", "guardrail_intervened"})


@dataclass(frozen=True)
class ToolCall:
    """A tool call of the model. ``arguments`` is {} if the model sent no JSON object."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class CompletionResponse:
    """A model's response. Token counts are the provider's, or None if they are implausible."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    message: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class CompletionRequest:
    """A request to a deployment: messages and tools in OpenAI's shape."""

    messages: Sequence[Mapping[str, Any]] = field(repr=False)
    tools: Sequence[Mapping[str, Any]] = ()
    max_tokens: int = 4096


Pick = Callable[[], Target]


class Client:
    """Calls deployments from any number of threads, which share the connections of each deployment."""

    def __init__(self, *, connections: int, limits: CallLimits) -> None:
        self._connections = connections
        self._limits = limits
        self._lock = threading.Lock()
        self._router: Router | None = None
        self._known: dict[int, tuple[str, Any]] = {}
        self._http: dict[int, Any] = {}

    def warm_up(self) -> None:
        """Import litellm and build the Router, so that the first pages do not all wait for it."""
        self._get_router()

    def send(self, pick: Pick, request: CompletionRequest) -> tuple[CompletionResponse, Call]:
        """Call the deployment that ``pick`` returns. Raise CallFailed, Withheld and the exceptions of ``pick``."""
        router = self._get_router()
        from litellm.utils import is_internal_call  # True: litellm starts no thread to log the call

        picked = _Picked(pick, self)
        with calling(self._limits) as call:
            _picked.current = picked
            unlogged = is_internal_call.set(True)
            try:
                response = router.completion(
                    model=GROUP,
                    messages=[dict(message) for message in request.messages],
                    # The flag keeps litellm from searching for tools that it would run itself.
                    **({"tools": list(request.tools), "_skip_mcp_handler": True} if request.tools else {}),
                    max_tokens=request.max_tokens,
                    timeout=self._limits.total_seconds,
                )
                return _completion_response(response), call
            except CallFailed as failed:
                failed.sent_at = call.sent_at
                raise
            except Exception as error:
                if picked.refused is not None:
                    raise picked.refused from None
                if call.is_withheld:
                    raise Withheld from None
                raise picked.without_secrets(failure_of(call, error)) from None
            finally:
                is_internal_call.reset(unlogged)
                _picked.current = None

    def deployment(self, target: Target) -> dict[str, Any]:
        """Return the deployment in the Router's form."""
        family = FAMILIES[target.family]
        parameters = family.litellm_parameters(target.settings, target.secrets)
        return {
            "model_name": GROUP,
            "litellm_params": {
                "model": family.prefix + target.model,
                "max_retries": 0,
                "num_retries": 0,
                **({"api_key": "none"} if family.sdk and "api_key" not in parameters else {}),
                **target.parameters,
                **parameters,
            },
            "model_info": {"id": str(target.id)},
        }

    def sdk_client(self, target: Target) -> Any:
        """Return the deployment's SDK client, which uses our own kept connections."""
        with self._lock:
            revision, client = self._known.get(target.id, ("", None))
            if revision != target.revision:
                client = self._new_sdk_client(target)
                self._known[target.id] = (target.revision, client)
            return client

    def _new_sdk_client(self, target: Target) -> Any:
        family = FAMILIES[target.family]
        http = self._http.setdefault(target.id, http_client(connections=self._connections))
        key = target.secrets.get("api_key", "none")
        base = target.settings.get("base_url")
        if family.sdk == "openai":
            import openai

            return openai.OpenAI(api_key=key, base_url=base, http_client=http, max_retries=0)
        if family.sdk == "azure":
            import openai

            return openai.AzureOpenAI(
                api_key=key,
                azure_endpoint=str(base),
                api_version=str(target.settings.get("api_version")),
                http_client=http,
                max_retries=0,
            )
        from litellm.llms.custom_httpx.http_handler import HTTPHandler

        return HTTPHandler(client=http)

    def _get_router(self) -> Router:
        with self._lock:
            if self._router is None:
                self._router = _router_class()(
                    model_list=[],
                    num_retries=0,
                    max_fallbacks=0,
                    allowed_fails=1_000_000,  # the quota store judges health, for all processes together
                    disable_cooldowns=True,
                    cache_responses=False,
                    set_verbose=False,
                )
                _disable_bookkeeping()
            return self._router


class _Picked:
    """Asks the gateway for a deployment when the Router needs one, and keeps the error if there is none."""

    def __init__(self, pick: Pick, client: Client) -> None:
        self._pick = pick
        self._client = client
        self.refused: Exception | None = None
        self._secrets: list[str] = []

    def deployment(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            target = self._pick()
        except Exception as error:
            self.refused = error  # the Router may wrap it in an error of its own
            raise
        self._secrets = [secret for secret in target.secrets.values() if secret]
        request["client"] = self._client.sdk_client(target)
        request["max_tokens"] = min(request["max_tokens"], target.max_output_tokens)
        return self._client.deployment(target)

    def without_secrets(self, failed: CallFailed) -> CallFailed:
        """Return the failure without secrets: some providers repeat the key that they refuse."""
        detail = failed.facts.detail
        for secret in self._secrets:
            detail = detail.replace(secret, "(secret)")
        return CallFailed(failed.failure, replace(failed.facts, detail=detail), sent_at=failed.sent_at)


_picked = threading.local()


@cache
def _router_class() -> type[Router]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # without it, litellm fetches a price list when imported
    import litellm

    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        library_logger = logging.getLogger(name)
        library_logger.setLevel(logging.ERROR)  # litellm logs lines per call, with addresses; the ledger has the facts
        library_logger.handlers.clear()
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    litellm.num_retries = 0

    class QuotaRouter(litellm.Router):
        """A Router that asks the gateway for the deployment of every attempt."""

        def get_available_deployment(
            self,
            model: str,
            messages: Any = None,
            input: Any = None,  # noqa: A002 (the Router's own name)
            specific_deployment: bool | None = False,
            request_kwargs: dict[str, Any] | None = None,
        ) -> dict[str, Any]:
            assert request_kwargs is not None
            picked: _Picked = _picked.current
            return picked.deployment(request_kwargs)

        def function_with_fallbacks(self, *args: Any, **kwargs: Any) -> Any:
            """Make the attempt only: the Router would start an event loop for each call, although it never retries."""
            attempt = kwargs.pop("original_function")
            return attempt(*args, **kwargs)

    return QuotaRouter


def _disable_bookkeeping() -> None:
    """Disable litellm's own bookkeeping per call, because the ledger and the quota store already have these facts.

    It counts successes and failures, computes prices, and reports durations to no one through an extra event loop.
    """
    import litellm
    from litellm._service_logger import ServiceLogging

    litellm.utils.update_response_metadata = lambda **_: None
    ServiceLogging.service_success_hook = lambda *_, **__: None  # type: ignore[method-assign]

    for name in (
        "success_callback",
        "failure_callback",
        "_async_success_callback",
        "_async_failure_callback",
        "callbacks",
    ):
        setattr(litellm, name, [])


def _completion_response(response: Any) -> CompletionResponse:
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
    usage = getattr(response, "usage", None)
    return CompletionResponse(
        text=clean(text),
        tool_calls=tuple(tool_calls),
        finish_reason=finish,
        input_tokens=_count(getattr(usage, "prompt_tokens", None)),
        output_tokens=_count(getattr(usage, "completion_tokens", None)),
        message=message.model_dump(exclude_none=True),
    )


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_TOKENS
    return int(value) if is_count else None  # type: ignore[call-overload]
