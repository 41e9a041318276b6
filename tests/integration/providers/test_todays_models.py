"""The nine families with today's models, thinking off, on and bounded, on servers as strict as their documentation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.providers.calls.client import Client, CompletionRequest, CompletionResponse
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import Catalog, deployment_quota_key, target_of
from apps.providers.errors import AllProvidersFailed, ProviderError, QuotaExhausted
from apps.providers.models import CallOutcome, Deployment, Provider, Usage
from apps.providers.quota.store import QuotaStore
from apps.providers.requests.families import parameter_problems
from tests.fakes.deployments import deploy
from tests.fakes.fixtures import MakeGateway
from tests.fakes.provider import FakeProvider
from tests.integration.providers.test_gateway import MARK, PAGE, PROMPT, REQUEST, complete, scope

SONNET = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
MODELS = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-5.1"),
    ("openai-eu", "o4-mini"),
    ("azure", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-6"),
    ("gemini", "gemini-2.0-flash"),
    ("gemini", "gemini-2.5-flash"),
    ("gemini", "gemini-2.5-pro"),
    ("gemini", "gemini-3-pro-preview"),
    ("vertex", "gemini-2.5-flash"),
    ("vertex", "gemini-3-flash-preview"),
    ("vertex-claude", "claude-sonnet-4-5"),
    ("bedrock", SONNET),
    ("bedrock", "amazon.nova-lite-v1:0"),
    ("local", "Qwen/Qwen3-8B"),
    ("local", "qwen3:8b"),
    ("local", "thinker-8b"),
    ("local", "strict-8b"),
]
SHORT = CompletionRequest([{"role": "user", "content": PROMPT}], max_tokens=600)
ZOOM = {
    "type": "function",
    "function": {
        "name": "zoom",
        "description": "look closer",
        "parameters": {
            "type": "object",
            "properties": {"region": {"type": "array", "items": {"type": "number"}}},
            "required": ["region"],
        },
    },
}
FINISH = {
    "type": "function",
    "function": {
        "name": "finish",
        "description": "finish the page",
        "parameters": {"type": "object", "properties": {"markdown": {"type": "string"}}, "required": ["markdown"]},
    },
}


def statuses(provider: FakeProvider) -> list[int]:
    return [entry["status"] for entry in provider.requests() if not entry["family"].startswith("vertex-token")]


@pytest.mark.parametrize("thinking", ["", "off", "low", "high", "2000"])
@pytest.mark.parametrize(("family", "model"), MODELS)
def test_page_is_answered_by_one_accepted_request(
    provider: FakeProvider, gateway: Gateway, family: str, model: str, thinking: str
) -> None:
    deploy(provider, family, model=model, thinking=thinking, parameters={"temperature": 0})

    completion = complete(gateway, request=SHORT)

    assert completion.checked == f"{PAGE}\n<!-- end {MARK} -->"
    assert statuses(provider) == [200]
    assert Usage.objects.get().output_tokens == provider.requests()[-1]["output_tokens"]


@pytest.mark.parametrize("thinking", ["", "medium"])
@pytest.mark.parametrize(("family", "model"), MODELS)
def test_tool_calls_are_sent_back_as_each_family_wants_them(
    provider: FakeProvider, gateway: Gateway, family: str, model: str, thinking: str
) -> None:
    deploy(provider, family, model=model, thinking=thinking)
    provider.zoom(1)
    messages: list[dict[str, Any]] = [{"role": "user", "content": PROMPT}]

    def ask() -> CompletionResponse:
        request = CompletionRequest(messages, tools=[ZOOM, FINISH], max_tokens=600)
        return gateway.complete(scope(parser="agent"), lambda _target: request, check=lambda answer, _: answer).checked

    first = ask()
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "name": "zoom", "content": "closer"}
    messages += [first.message, result]
    last = ask()

    assert (first.tool_calls[0].name, last.tool_calls[0].name) == ("zoom", "finish")
    assert statuses(provider) == [200, 200]


def test_tool_call_of_one_family_is_continued_by_another(provider: FakeProvider, gateway: Gateway) -> None:
    gemini = deploy(provider, "gemini", model="gemini-3-pro-preview")
    deploy(provider, "openai", model="gpt-5-mini", order=2)
    provider.zoom(1)
    messages: list[dict[str, Any]] = [{"role": "user", "content": PROMPT}]

    def ask() -> Any:
        request = CompletionRequest(messages, tools=[ZOOM, FINISH], max_tokens=600)
        return gateway.complete(scope(parser="agent"), lambda _target: request, check=lambda answer, _: answer)

    first = ask().checked
    messages += [first.message, {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "closer"}]
    gemini.provider.delete()
    gateway._catalog.forget()

    assert ask().target.name == "openai"
    assert statuses(provider) == [200, 200]


# --- thinking that nobody bounds ---


@pytest.mark.parametrize(
    ("family", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("openai", "gpt-4o-mini"),
        ("gemini", "gemini-2.5-flash"),
        ("local", "llama3.2-vision"),
        ("local", "thinker-8b"),
        ("anthropic", "claude-sonnet-4-5"),
        ("bedrock", SONNET),
    ],
)
def test_cut_answer_is_asked_again_with_more(provider: FakeProvider, gateway: Gateway, family: str, model: str) -> None:
    deploy(provider, family, model=model)
    provider.think(model, 6_000)

    for page in range(1, 4):
        assert complete(gateway, page, request=SHORT).checked == f"{PAGE}\n<!-- end {MARK} -->"

    codes = list(Usage.objects.order_by("pk").values_list("error_code", flat=True))
    assert codes == ["output_truncated", "", "", ""]
    assert 5_900 <= Deployment.objects.get().learnt["thinking_tokens"] <= 6_100


def test_another_process_knows_how_much_a_model_thinks(provider: FakeProvider, make_gateway: MakeGateway) -> None:
    deploy(provider, "local", model="thinker-8b")
    provider.think("thinker-8b", 6_000)
    complete(make_gateway(), request=SHORT)
    other = make_gateway()
    other._catalog = Catalog()

    complete(other, 2, request=SHORT)

    assert len(provider.requests()) == 3


def test_answer_cut_at_the_deployments_maximum_is_not_paid_for_twice(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "local", model="thinker-8b", max_output_tokens=2_000)
    provider.think("thinker-8b", 6_000)

    with pytest.raises(AllProvidersFailed) as failed:
        complete(gateway)

    assert "2,000 tokens, of which 2,000 went into thinking. Raise max_output_tokens" in failed.value.detail
    assert len(provider.requests()) == 1


# --- names of one's own at Azure ---


def test_base_model_names_the_model_behind_a_deployment(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "azure", model="pages-prod", base_model="gpt-5-mini", parameters={"temperature": 0})

    complete(gateway)

    assert statuses(provider) == [200]


def test_wrong_parameters_are_learnt_and_not_sent_fifty_times(
    provider: FakeProvider, make_gateway: MakeGateway
) -> None:
    deploy(provider, "azure", model="pages-prod", parameters={"temperature": 0})
    gateway = make_gateway()

    for page in range(1, 51):
        complete(gateway, page)
    other = make_gateway()
    other._catalog = Catalog()
    complete(other, 51)

    assert statuses(provider).count(400) == 2
    assert statuses(provider).count(200) == 51
    assert Deployment.objects.get().learnt["refused"] == ["max_tokens", "temperature"]
    refused = Usage.objects.filter(outcome=CallOutcome.FAILED)
    assert set(refused.values_list("error_code", "cost_nanos")) == {("provider_parameter_refused", 0)}


def test_limit_that_is_too_large_is_learnt(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "azure", model="gpt-4o-mini-of-ours", base_model="a-model-nobody-knows")
    request = CompletionRequest([{"role": "user", "content": PROMPT}], max_tokens=20_000)

    complete(gateway, request=request)
    complete(gateway, 2, request=request)

    assert statuses(provider) == [400, 200, 200]
    assert Deployment.objects.get().learnt["max_output_tokens"] == 16_384


# --- trouble that the admin shows ---


def fail_pages(gateway: Gateway, count: int) -> None:
    for page in range(1, count + 1):
        with pytest.raises(ProviderError):
            complete(gateway, page)


def test_a_400_on_every_call_becomes_a_fault_with_its_remedy(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider)
    provider.fault("status", code=400, message="Something in this request is not to our taste.")

    fail_pages(gateway, 20)

    row = Deployment.objects.get()
    assert len(provider.requests()) == 5
    assert row.trouble_code == "provider_misconfigured"
    assert "base_model" in row.trouble_detail


def test_a_400_of_one_page_is_no_fault(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider)
    for page in range(1, 9):
        provider.fault("status", code=400, message="Not this page.", times=1)
        with pytest.raises(AllProvidersFailed):
            complete(gateway, 2 * page)
        complete(gateway, 2 * page + 1)

    assert Deployment.objects.get().trouble_code == ""


def test_a_proxys_page_becomes_a_fault_with_its_remedy(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider)
    provider.fault("html")

    fail_pages(gateway, 6)

    row = Provider.objects.get()
    assert len(provider.requests()) == 5
    assert row.trouble_code == "provider_misconfigured"
    assert "an HTML page instead of an answer" in row.trouble_detail
    assert "base_url" in row.trouble_detail


def test_bedrock_asks_for_an_inference_profile(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "bedrock", model="anthropic.claude-sonnet-4-5-20250929-v1:0")

    fail_pages(gateway, 3)

    row = Deployment.objects.get()
    assert len(provider.requests()) == 1
    assert row.trouble_code == "provider_model_not_found"
    assert "inference profile, such as eu.anthropic" in row.trouble_detail


def test_bedrocks_424_is_transient(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "bedrock")
    deploy(provider, "anthropic", order=2)
    provider.fault("status", code=424, family="bedrock", times=1)

    assert complete(gateway).target.name == "anthropic"
    assert complete(gateway, 2).target.name == "bedrock"


# --- addresses ---


@pytest.mark.parametrize(
    ("family", "path"),
    [
        ("openai", "openai/v1/"),
        ("azure", "azure/openai/v1"),
        ("anthropic", "anthropic/v1"),
        ("gemini", "gemini"),
        ("gemini", "gemini/v1beta/"),
        ("vertex", "vertex"),
        ("vertex", "vertex/v1"),
        ("vertex", "v1beta1"),
        ("vertex-claude", "vertex"),
        ("vertex-claude", "vertex/v1"),
    ],
)
def test_address_with_and_without_its_version_is_right(
    provider: FakeProvider, gateway: Gateway, family: str, path: str
) -> None:
    row = deploy(provider, family)
    Provider.objects.update(settings={**row.provider.settings, "base_url": f"{provider.url}/{path}"})
    gateway._catalog.forget()

    assert complete(gateway).checked
    assert statuses(provider) == [200]


# --- limits learnt ---


def test_announced_limits_are_kept_by_all_processes(provider: FakeProvider, make_gateway: MakeGateway) -> None:
    deploy(provider)
    provider.announce("openai", x_ratelimit_limit_requests=2, x_ratelimit_limit_tokens=200_000)
    complete(make_gateway())
    other = make_gateway()
    other._catalog = Catalog()
    complete(other, 2)

    with pytest.raises(QuotaExhausted):
        complete(other, 3)

    assert len(provider.requests()) == 2
    assert Deployment.objects.get().learnt["limits"] == {"requests": 2, "tokens": 200_000}


def test_limits_of_the_operator_come_first(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, quota={"requests_per_window": 100})
    provider.announce("openai", x_ratelimit_limit_requests=1)

    for page in range(1, 4):
        complete(gateway, page)

    assert len(provider.requests()) == 3


def test_claudes_input_and_output_limits_are_learnt(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "anthropic")
    provider.announce(
        "anthropic", anthropic_ratelimit_input_tokens_limit=400_000, anthropic_ratelimit_output_tokens_limit=80_000
    )

    complete(gateway)

    assert Deployment.objects.get().learnt["limits"] == {"input_tokens": 400_000, "output_tokens": 80_000}


def test_claude_on_bedrock_burns_five_tokens_of_quota_for_one(
    provider: FakeProvider, gateway: Gateway, quota_store: QuotaStore
) -> None:
    row = deploy(provider, "bedrock")

    completion = complete(gateway)

    [state] = quota_store.state([deployment_quota_key(row.pk)])
    assert state.output_tokens == 5 * completion.output_tokens
    assert Usage.objects.get().output_tokens == completion.output_tokens


def test_bare_429_of_vertex_is_about_one_request(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "vertex")
    provider.fault("status", code=429, family="vertex", times=1)

    assert complete(gateway).checked


WORTH_SENDING: dict[str, Any] = {
    "temperature": 0.3,
    "top_p": 0.4,
    "top_k": 7,
    "seed": 11,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.6,
    "reasoning_effort": "low",
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "service_tier": "flex",
    "verbosity": "low",
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}


@pytest.mark.parametrize("family", ["anthropic", "gemini", "vertex", "vertex-claude", "bedrock"])
def test_a_parameter_is_sent_or_refused_but_never_dropped(
    provider: FakeProvider, gateway: Gateway, family: str
) -> None:
    target = target_of(deploy(provider, family))
    client, request = Client(), replace(REQUEST, limit=5000)
    plain = client.body_of(target, request)

    refused = {name for name in WORTH_SENDING if parameter_problems(target.family, {name: 1}, model=target.model)}
    without_effect = {
        name
        for name, value in WORTH_SENDING.items()
        if client.body_of(replace(target, parameters={name: value}), request) == plain
    }

    assert refused == without_effect
