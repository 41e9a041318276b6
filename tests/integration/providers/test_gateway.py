"""The gateway: the API of every family, fallback, Retry-After, unusable responses, rules, budgets and the ledger."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from apps.pages.model.errors import Stopped
from apps.parsing.answers.parse_answer import read_answer
from apps.parsing.errors import UnusableAnswer
from apps.providers.calls.attempts import CallScope
from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import ProviderRules, Target, deployment_quota_key
from apps.providers.errors import (
    AllProvidersFailed,
    BudgetExceeded,
    ProviderNotAllowed,
    ProvidersUnavailable,
    QuotaExhausted,
)
from apps.providers.ledger import CallFor, job_quota_key, spent_by_job
from apps.providers.models import CallOutcome, Deployment, Provider, Usage
from tests.fakes.deployments import FAMILIES, deploy
from tests.fakes.fixtures import MakeGateway
from tests.fakes.provider import FakeProvider

MARK = "k7"
PAGE = "# Invoice 7\n\nTotal 12.50"
PROMPT = f'<document_page marker="{MARK}">\n{PAGE}\n</document_page marker="{MARK}">\nEnd with <!-- end {MARK} -->'
PIXEL = base64.b64encode(
    bytes.fromhex(
        "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d"
        "1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001400010000000000"
        "00000000000000000000000affc40014100100000000000000000000000000000000ffda0008010100003f0054bfffd9"
    )
).decode()
REQUEST = CompletionRequest(
    [{"role": "system", "content": "You read pages."}, {"role": "user", "content": PROMPT}], input_tokens=100
)


def scope(page: int = 1, *, parser: str = "llm", job: str = "pjb-1", **fields: Any) -> CallScope:
    return CallScope(CallFor(uuid.UUID(int=7), job, page, parser), **fields)


def check(response: CompletionResponse, target: Target) -> str:
    read_answer(response.text, marker=MARK)
    return response.text


def complete(gateway: Gateway, *arguments: Any, request: CompletionRequest = REQUEST, **fields: Any) -> Any:
    return gateway.complete(scope(*arguments, **fields), lambda target: request, check=check)


def in_another_thread(work: Callable[[], Any]) -> Any:
    def work_and_close() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work_and_close).result()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_completes_over_its_own_api(provider: FakeProvider, gateway: Gateway, family: str) -> None:
    deploy(provider, family)

    completion = complete(gateway)

    seen = provider.requests()[-1]
    assert completion.checked == f"{PAGE}\n<!-- end {MARK} -->"
    assert (seen["family"], seen["status"]) == (family, 200)
    assert (completion.input_tokens, completion.output_tokens) == (seen["input_tokens"], seen["output_tokens"])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gets_the_page_image(provider: FakeProvider, gateway: Gateway, family: str) -> None:
    deploy(provider, family)
    provider.answer("# Seen", when="what the picture shows")
    text = f"Write what the picture shows. End with <!-- end {MARK} -->"
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{PIXEL}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]

    completion = complete(gateway, parser="lvm", request=CompletionRequest(messages))

    assert completion.checked.startswith("# Seen")
    assert provider.requests()[-1]["has_image"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "reset"}, {"kind": "cut_body"}, {"kind": "status", "code": 422}],
    ids=["reset", "cut_body", "422"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_library_sends_a_request_again(
    provider: FakeProvider, gateway: Gateway, family: str, fault: dict[str, Any]
) -> None:
    deploy(provider, family)
    provider.fault(**fault)

    with pytest.raises((ProvidersUnavailable, AllProvidersFailed)):
        complete(gateway)

    requests = [entry for entry in provider.requests() if entry["family"] != "vertex-token"]
    assert len(requests) == Usage.objects.count() > 0


def test_ledger_contains_every_call_with_its_cost(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, prices=("2.5", "10"))

    completion = complete(gateway)

    row = Usage.objects.get()
    assert (row.outcome, row.page_number, row.model) == (CallOutcome.ANSWERED, 1, "gpt-4o-mini")
    assert row.cost_nanos == completion.input_tokens * 2500 + completion.output_tokens * 10_000
    assert spent_by_job("pjb-1").cost_nanos == completion.cost_nanos == row.cost_nanos


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_from_the_cache_are_booked_at_their_price_in_every_family(
    provider: FakeProvider, gateway: Gateway, family: str
) -> None:
    deploy(provider, family, cached_input_price="1.25")
    provider.count_tokens(input=793, cached=700)

    completion = complete(gateway)

    row = Usage.objects.get()
    assert (row.input_tokens, row.cached_tokens, row.usage_suspect) == (793, 700, False)
    assert row.cost_nanos == 93 * 2500 + 700 * 1250 + row.output_tokens * 10_000 == completion.cost_nanos


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_reserves_the_longest_answer_that_it_allows(
    provider: FakeProvider, gateway: Gateway, family: str
) -> None:
    row = deploy(provider, family, quota={"counts_max_tokens": True})

    complete(gateway)

    [state] = gateway.quota_states([deployment_quota_key(row.pk)])
    assert 0 < provider.requests()[-1]["max_tokens"] <= state.output_tokens


@pytest.mark.parametrize("family", ["anthropic", "vertex-claude", "bedrock"])
def test_cache_writes_are_booked_at_their_price(provider: FakeProvider, gateway: Gateway, family: str) -> None:
    listed = {"input": "3", "cached": "0.3", "cache_write": "3.75", "cache_write_hour": "6", "output": "15"}
    deploy(provider, family, prices=None, listed_prices=listed)
    provider.count_tokens(input=1000, cached=300, written=500, written_for_an_hour=200)

    complete(gateway)

    row = Usage.objects.get()
    assert (row.input_tokens, row.cached_tokens, row.cache_write_tokens) == (1000, 300, 500)
    assert row.cost_nanos == 200 * 3000 + 300 * 300 + 300 * 3750 + 200 * 6000 + row.output_tokens * 15_000


@pytest.mark.parametrize("family", ["openai", "azure", "local", "gemini", "vertex", "anthropic"])
def test_thinking_is_booked_as_output(provider: FakeProvider, gateway: Gateway, family: str) -> None:
    deploy(provider, family)
    provider.count_tokens(input=100, output=1500, thinking=1400)

    complete(gateway)

    row = Usage.objects.get()
    assert (row.output_tokens, row.reasoning_tokens) == (1500, 1400)
    assert row.cost_nanos == 100 * 2500 + 1500 * 10_000


@pytest.mark.parametrize(
    ("family", "tier", "share"),
    [
        ("openai", "flex", 0.5),
        ("openai", "priority", 2),
        ("openai", "default", 1),
        ("bedrock", "flex", 0.5),
        ("gemini", "flex", 0.5),
        ("vertex", "ON_DEMAND_PRIORITY", 2),
        ("anthropic", "batch", 0.5),
    ],
)
def test_a_call_costs_what_its_service_tier_costs(
    provider: FakeProvider, gateway: Gateway, family: str, tier: str, share: float
) -> None:
    tiers = {"flex": 0.5, "priority": 2, "batch": 0.5}
    listed = {
        f"{kind} {name}": str(base * by) for kind, base in (("input", 2), ("output", 8)) for name, by in tiers.items()
    }
    deploy(provider, family, prices=None, listed_prices={"input": "2", "output": "8", **listed})
    provider.count_tokens(input=1000, output=100, tier=tier)

    assert complete(gateway).cost_nanos == share * (1000 * 2000 + 100 * 8000)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "azure"])
def test_a_refusal_is_booked_by_what_the_provider_counted(
    provider: FakeProvider, gateway: Gateway, family: str
) -> None:
    deploy(provider, family)
    provider.fault("refusal")
    provider.count_tokens(input=900, output=30)

    with pytest.raises(AllProvidersFailed):
        complete(gateway, job_money=1_000_000)

    costs = list(Usage.objects.values_list("error_code", "input_tokens", "output_tokens", "cost_nanos"))
    assert set(costs) == {("provider_refused", 900, 30, 900 * 2500 + 30 * 10_000)}
    [state] = gateway._store.state([job_quota_key("pjb-1")])
    assert state.money_today == len(costs) * 2550


@pytest.mark.parametrize("kind", ["invalid_utf8", "cut_text", "prose"])
def test_an_answer_that_cannot_be_used_is_booked(provider: FakeProvider, gateway: Gateway, kind: str) -> None:
    deploy(provider)
    provider.fault(kind)
    provider.count_tokens(input=900, output=30)

    with pytest.raises(AllProvidersFailed):
        complete(gateway)

    assert set(Usage.objects.values_list("cost_nanos", flat=True)) == {900 * 2500 + 30 * 10_000}


def test_an_answer_cut_by_thinking_is_booked(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "gemini")
    provider.fault("cut_text", finish="length")
    provider.count_tokens(input=900, output=1500, thinking=1500)

    with pytest.raises(AllProvidersFailed):
        complete(gateway)

    assert set(Usage.objects.values_list("cost_nanos", flat=True)) == {900 * 2500 + 1500 * 10_000}


def test_cost_without_a_price_is_unknown_and_not_zero(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, prices=None)

    assert complete(gateway).cost_nanos is None
    assert spent_by_job("pjb-1").cost_nanos is None


# --- fallback ---


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 500},
        {"kind": "status", "code": 503},
        {"kind": "status", "code": 409},
        {"kind": "status", "code": 408},
        {"kind": "overloaded"},
        {"kind": "reset"},
        {"kind": "insufficient_quota"},
        {"kind": "auth"},
        {"kind": "model_not_found"},
        {"kind": "refusal"},
        {"kind": "context_exceeded"},
        {"kind": "status", "code": 429, "retry_after": "30"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('code', '')}",
)
def test_next_deployment_is_called_at_once(provider: FakeProvider, gateway: Gateway, fault: dict[str, Any]) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2)
    provider.fault(**{"family": "openai", **fault})

    completion = complete(gateway)

    assert completion.target.name == "anthropic"
    assert [entry["family"] for entry in provider.requests()] == ["openai", "anthropic"]


@pytest.mark.parametrize(
    "kind",
    ["html", "empty", "invalid_utf8", "nan", "deep", "cut_text", "cut_body", "prose", "other_page", "huge_int"],
)
def test_unusable_response_is_retried_once(provider: FakeProvider, gateway: Gateway, kind: str) -> None:
    deploy(provider)
    provider.fault(kind, times=1)

    completion = complete(gateway)

    assert completion.checked == f"{PAGE}\n<!-- end {MARK} -->"
    assert [row.error_code != "" for row in Usage.objects.order_by("pk")] == [True, False]


@pytest.mark.parametrize("finish", ["stop", "length", None])
def test_truncated_response_is_never_accepted_whatever_its_finish_reason(
    provider: FakeProvider, gateway: Gateway, finish: str | None
) -> None:
    deploy(provider)
    provider.fault("cut_text", finish=finish)

    with pytest.raises(AllProvidersFailed) as failed:
        complete(gateway)

    assert "output_truncated" in failed.value.detail
    assert len(provider.requests()) == 2


def test_response_of_fifty_megabytes_is_not_read(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider)
    provider.fault("huge_body")

    with pytest.raises(AllProvidersFailed) as failed:
        complete(gateway)

    assert "provider_bad_response" in failed.value.detail


@pytest.mark.parametrize("kind", ["trickle", "trickle_headers"])
def test_endless_response_is_ended_by_the_time_limit(
    provider: FakeProvider, make_gateway: MakeGateway, kind: str
) -> None:
    gateway = make_gateway(total_seconds=1.5, idle_seconds=1.2, first_byte_seconds=1.2)
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2)
    provider.fault(kind, family="openai")
    began = time.monotonic()

    assert complete(gateway).target.name == "anthropic"
    assert time.monotonic() - began < 10
    assert Usage.objects.get(provider_name="openai-account").error_code == "provider_timeout"


@pytest.mark.parametrize("value", ["missing", "negative", "string", "1e12", "too_small"])
def test_implausible_usage_is_replaced_by_our_own_estimate(
    provider: FakeProvider, gateway: Gateway, value: str
) -> None:
    deploy(provider)
    provider.answer("A long answer. " * 200, when="Invoice 7")
    provider.fault("usage", value=value)

    completion = complete(gateway)

    row = Usage.objects.filter(outcome=CallOutcome.ANSWERED, error_code="").get()
    assert row.usage_suspect
    assert 500 <= completion.output_tokens <= 1500
    assert row.input_tokens == 100


# --- Retry-After, quota ---


@pytest.mark.parametrize("retry_after", ["1", "0", "-5", "soon", None])
def test_rate_limited_page_waits_and_does_not_fail(
    provider: FakeProvider, gateway: Gateway, retry_after: str | None
) -> None:
    deploy(provider)
    provider.fault("status", times=1, code=429, retry_after=retry_after)

    for _ in range(20):
        try:
            completion = complete(gateway)
            break
        except QuotaExhausted as quota:
            time.sleep(quota.wait_seconds)

    assert completion.checked
    assert sum(entry["early"] for entry in provider.stats().values()) == 0


def test_long_retry_after_applies_to_all_gateways(provider: FakeProvider, make_gateway: MakeGateway) -> None:
    deploy(provider)
    provider.fault("status", times=1, code=429, retry_after="3600")
    first, second = make_gateway(), make_gateway()

    with pytest.raises(QuotaExhausted) as waiting:
        complete(first)
    with pytest.raises(QuotaExhausted):
        complete(second, 2)

    assert 3500 < waiting.value.wait_seconds <= 3601
    assert len(provider.requests()) == 1


def test_call_reserved_before_a_retry_after_is_not_sent(
    provider: FakeProvider, make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(provider)
    provider.fault("status", times=1, code=429, retry_after="3600")
    first, second = make_gateway(), make_gateway()
    create = Usage.objects.bulk_create

    def create_late(rows: list[Usage]) -> list[Usage]:
        monkeypatch.setattr(Usage.objects, "bulk_create", create)
        with pytest.raises(QuotaExhausted):
            in_another_thread(lambda: complete(second, 2))
        return create(rows)

    monkeypatch.setattr(Usage.objects, "bulk_create", create_late)
    with pytest.raises(QuotaExhausted):
        complete(first)

    assert len(provider.requests()) == 1
    assert Usage.objects.get().page_number == 2


def test_used_up_quota_sends_pages_to_the_next_deployment(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai", quota={"requests_per_window": 1})
    deploy(provider, "anthropic", order=2)

    names = [complete(gateway, page).target.name for page in (1, 2, 3)]

    assert names == ["openai", "anthropic", "anthropic"]


def test_misconfigured_provider_gets_a_fault_and_no_more_calls(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai")
    provider.fault("auth")

    for page in (1, 2, 3):
        with pytest.raises((AllProvidersFailed, ProvidersUnavailable, QuotaExhausted)):
            complete(gateway, page)

    assert len(provider.requests()) == 1
    assert Provider.objects.get().trouble_code == "provider_auth_failed"


def test_deployment_deleted_a_moment_ago_is_not_called(provider: FakeProvider, gateway: Gateway) -> None:
    gone = deploy(provider, "openai", quota={"calls_in_flight": 1})
    deploy(provider, "anthropic", order=2)
    complete(gateway)
    gone.delete()  # the catalog was read before

    assert complete(gateway, 2).target.name == "anthropic"
    Deployment.objects.all().delete()
    with pytest.raises(ProvidersUnavailable):
        complete(gateway, 3)
    assert [entry["family"] for entry in provider.requests()] == ["openai", "anthropic"]


def test_provider_without_money_is_not_waited_for(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2)
    provider.fault("insufficient_quota", family="openai")

    for page in (1, 2, 3):
        assert complete(gateway, page).target.name == "anthropic"

    assert provider.stats()["openai/gpt-4o-mini"]["requests"] == 1


def test_page_is_tried_later_if_no_provider_can_be_reached(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider)
    provider.stop()
    try:
        with pytest.raises(ProvidersUnavailable) as unavailable:
            complete(gateway)
    finally:
        provider.start()

    assert 0 < unavailable.value.wait_seconds < 60
    assert not Usage.objects.exists()  # no call was sent


# --- rules and money ---


def test_rules_exclude_every_external_provider(provider: FakeProvider, gateway: Gateway, settings: Any) -> None:
    deploy(provider, "openai")
    deploy(provider, "local", order=2, external=False)

    assert complete(gateway, rules=ProviderRules(project_external=False)).target.name == "local"
    assert complete(gateway, 2, rules=ProviderRules(job_external=False)).target.name == "local"
    assert complete(gateway, 3, rules=ProviderRules(project_providers=("local-account",))).target.name == "local"
    settings.EXTERNAL_PROVIDERS = False
    assert (
        complete(gateway, 4, rules=ProviderRules(job_providers=("local-account", "openai-account"))).target.name
        == "local"
    )

    assert [entry["family"] for entry in provider.requests()] == ["local"] * 4


def test_error_names_the_rule(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai")

    with pytest.raises(ProviderNotAllowed) as refused:
        complete(gateway, rules=ProviderRules(project_external=False))

    assert "the project allows no external provider" in refused.value.detail
    assert provider.requests() == []


def test_deployment_with_a_fault_is_waited_for_and_no_rule_is_named(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai", trouble_code="provider_model_not_found", trouble_at=Now())
    deploy(provider, "anthropic")

    with pytest.raises(ProvidersUnavailable):
        complete(gateway, rules=ProviderRules(job_providers=("openai-account",)))

    assert provider.requests() == []


def test_job_never_exceeds_its_budget(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, prices=("100", "100"))

    def complete_many() -> None:
        for page in range(1, 50):
            complete(gateway, page, job_money=600_000)  # 60 cents; a call reserves 42 and costs less than one

    with pytest.raises(BudgetExceeded):
        complete_many()

    assert 1 < Usage.objects.count() < 50
    assert (spent_by_job("pjb-1").dollars or 0) <= 0.6


def test_cancelled_job_makes_no_call(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider)

    with pytest.raises(Stopped):
        complete(gateway, should_stop=lambda: True)

    assert provider.requests() == []


def test_response_refused_by_the_check_everywhere_fails_only_the_page(provider: FakeProvider, gateway: Gateway) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2)

    def refuse(response: CompletionResponse, target: Target) -> str:
        raise UnusableAnswer("half of the page is missing", code="output_incomplete")

    with pytest.raises(AllProvidersFailed):
        gateway.complete(scope(), lambda target: REQUEST, check=refuse)

    assert [entry["family"] for entry in provider.requests()] == ["openai", "openai", "anthropic", "anthropic"]
    assert set(Usage.objects.values_list("error_code", flat=True)) == {"output_incomplete"}
    assert Deployment.objects.filter(trouble_code="").count() == 2
