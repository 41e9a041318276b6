"""Calls of jobs that can wait: at half price where the provider offers it, and without harm to other calls."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.providers.calls.gateway import Gateway
from apps.providers.errors import QuotaExhausted
from apps.providers.ledger import past_calls
from apps.providers.models import Usage
from apps.providers.quota.store import QuotaDemand, QuotaLimits, QuotaStore, Reservation
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.providers.test_gateway import complete

LISTED = {"input": "2", "output": "8", "input flex": "1", "output flex": "4"}
FULL = 1000 * 2000 + 100 * 8000


def flex_deployment(provider: FakeProvider, family: str = "openai", **fields: Any) -> None:
    deploy(provider, family, prices=None, **{"listed_prices": LISTED, **fields})
    provider.count_tokens(input=1000, output=100)


def booked() -> list[tuple[str, str, int | None]]:
    return list(Usage.objects.order_by("pk").values_list("service_tier", "error_code", "cost_nanos"))


@pytest.mark.parametrize("family", ["openai", "gemini", "bedrock"])
def test_pages_that_can_wait_are_answered_at_half_price(provider: FakeProvider, gateway: Gateway, family: str) -> None:
    flex_deployment(provider, family)

    complete(gateway, 1, can_wait=True)
    complete(gateway, 2)

    assert booked() == [("flex", "", FULL // 2), ("", "", FULL)]


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        ("openai", {"listed_prices": {"input": "2", "output": "8"}}),
        ("openai", {"parameters": {"service_tier": "default"}}),
        ("azure", {}),
        ("anthropic", {}),
        ("vertex", {}),
        ("local", {}),
    ],
)
def test_a_deployment_without_the_tier_is_called_as_usual(
    provider: FakeProvider, gateway: Gateway, family: str, fields: dict[str, Any]
) -> None:
    flex_deployment(provider, family, **fields)

    complete(gateway, can_wait=True)

    assert booked() == [("", "", FULL)]


@pytest.mark.parametrize("fault", [{"kind": "overloaded"}, {"kind": "status", "code": 400}, {"kind": "reset"}])
def test_a_failure_of_the_tier_leads_to_the_usual_one(
    provider: FakeProvider, gateway: Gateway, fault: dict[str, Any]
) -> None:
    flex_deployment(provider)
    provider.fault(times=1, **fault)

    complete(gateway, can_wait=True)

    assert booked()[-1] == ("", "", FULL)
    assert len(provider.requests()) == 2


def test_a_lack_of_cheap_capacity_is_waited_for_and_stops_no_other_calls(
    provider: FakeProvider, gateway: Gateway
) -> None:
    flex_deployment(provider)
    provider.fault("status", times=1, code=429)

    with pytest.raises(QuotaExhausted) as waiting:
        complete(gateway, 1, can_wait=True)
    complete(gateway, 2)

    assert 25 < waiting.value.wait_seconds < 61
    assert [entry["status"] for entry in provider.requests()] == [429, 200]


def test_pages_that_can_wait_leave_half_of_the_width_to_others(provider: FakeProvider, gateway: Gateway) -> None:
    flex_deployment(provider)
    provider.set_latency(3)
    refused = []

    def call(page: int) -> None:
        try:
            complete(gateway, page, can_wait=True)
        except QuotaExhausted:
            refused.append(page)
        connection.close()

    slow = [threading.Thread(target=call, args=(page,)) for page in range(12)]
    for thread in slow:
        thread.start()
    for thread in slow:
        thread.join()

    assert len(refused) == 2  # the gateway of the tests is 20 wide


def test_a_slow_call_has_its_own_time_limit(provider: FakeProvider, make_gateway: Any, settings: Any) -> None:
    gateway = make_gateway(total_seconds=1.0, first_byte_seconds=1.0)
    settings.PROVIDER_FLEX_SECONDS = 20
    flex_deployment(provider)
    provider.set_latency(2)

    complete(gateway, can_wait=True)

    assert booked() == [("flex", "", FULL // 2)]


def test_a_call_of_a_killed_worker_counts_for_as_long_as_it_could_have_run(quota_store: QuotaStore, db: None) -> None:
    now = timezone.now()
    for tier in ("", "flex"):
        Usage.objects.create(
            project_id=uuid.UUID(int=7),
            job_id=f"pjb-{tier}",
            page_number=1,
            page_parser="llm",
            service_tier=tier,
            started_at=now - timedelta(seconds=400),
            input_tokens=1,
            output_tokens=1,
        )

    restored = {call.key: call.in_flight for call in past_calls() if call.key.startswith("job:")}
    reserved_at = time.time()
    for key, seconds in (("job:usual", None), ("job:slow", 960.0)):
        assert isinstance(
            quota_store.reserve([QuotaLimits(key)], QuotaDemand(1, 1), seconds=seconds, now=reserved_at), Reservation
        )
    states = quota_store.state(["job:usual", "job:slow"], now=reserved_at + 400)

    assert restored == {"job:pjb-": False, "job:pjb-flex": True}
    assert [state.in_flight for state in states] == [0, 1]
