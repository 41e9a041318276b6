"""Requests fail and workers die, and no page is lost. The fake provider's log shows which requests arrived."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from apps.providers.catalog import deployment_quota_key
from apps.providers.quota.store import QuotaStore, connect
from tests.acceptance.backends import EMBEDDED, RABBITMQ, REDIS, mostly_on_rabbitmq, on_backends
from tests.acceptance.models.conftest import Document
from tests.acceptance.models.model_workers import (
    ModelWorkers,
    assert_every_page_by_a_model,
    calls,
    deployed,
    parsing,
    upload,
)
from tests.acceptance.running_service import RunningService, wait_for
from tests.documents.long import heading_of
from tests.fakes.provider import FakeProvider

MAX_CALL_SECONDS = 241.0  # PROVIDER_TOTAL_SECONDS and a minute

# Faults of the fake provider, with their details.
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"code": 500}),
    ("overloaded", {}),
    ("status", {"code": 429, "retry_after": "1"}),
    ("reset", {}),
    ("html", {}),
    ("empty", {}),
    ("cut_text", {"finish": "stop"}),
    ("cut_body", {}),
)


@pytest.mark.parametrize(
    "backends",
    [EMBEDDED, pytest.param(REDIS, marks=pytest.mark.long), pytest.param(RABBITMQ, marks=pytest.mark.long)],
    indirect=True,
    scope="session",
)
def test_faults_on_a_third_of_the_requests_fail_no_page(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 100
    workers.deploy(deployed(provider, "openai"), deployed(provider, "anthropic", order=2))
    provider.set_latency(0.2)
    inject_faults(provider, pages, share=0.2)

    job_id = upload(service, document(pages), disable_cache=False)

    assert_every_page_by_a_model(service, job_id, pages)
    seen = provider.requests()
    assert 0.2 < sum(entry["fault"] is not None for entry in seen) / len(seen) < 0.4
    assert_ledger_matches_the_provider_log(service, job_id, seen)

    again = upload(service, document(pages), disable_cache=False)
    assert service.wait(again, pause=0.2) == "COMPLETED"
    assert len(provider.requests()) == len(seen)
    assert {page["cache"] for page in parsing(service, again)} == {"hit"}
    assert service.result(again) == service.result(job_id)


def inject_faults(provider: FakeProvider, pages: int, *, share: float) -> None:
    """Give each page two different faults; each fault happens at most once."""
    for number in range(1, pages + 1):
        for seed in range(2):
            kind, details = FAULTS[(number + 3 * seed) % len(FAULTS)]
            provider.fault(kind, when=heading_of(number), share=share, seed=seed, at_most_per_prompt=1, **details)


def assert_ledger_matches_the_provider_log(service: RunningService, job_id: str, seen: list[dict[str, Any]]) -> None:
    """Assert one ledger row for each request that arrived, with its outcome.

    A reset connection is a row without a status. Only complete responses have tokens and a cost.
    """
    rows = calls(service, job_id)
    complete = [entry for entry in seen if entry["status"] == 200 and entry["fault"] in (None, "cut_text")]
    assert Counter(row.model for row in rows) == Counter(entry["model"] for entry in seen)
    failed = Counter((row.model, row.http_status) for row in rows if row.outcome == "failed")
    assert failed == Counter((entry["model"], entry["status"] or None) for entry in seen if entry not in complete)
    assert Counter(row.model for row in rows if row.outcome == "answered") == Counter(e["model"] for e in complete)
    for name in ("input_tokens", "output_tokens"):
        assert sum(getattr(row, name) for row in rows) == sum(entry[name] for entry in complete)
    usage = service.job(job_id, "usage")["usage"]
    assert usage["requests"] == len(rows)
    assert usage["cost_usd"] == pytest.approx(sum(row.cost_nanos for row in rows) / 1e9)
    assert sum(row.cost_nanos for row in rows) == sum(
        2500 * entry["input_tokens"] + 10_000 * entry["output_tokens"] for entry in complete
    )


@mostly_on_rabbitmq
@pytest.mark.chaos
def test_a_killed_worker_loses_no_page_and_its_calls_stay_counted(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 60
    workers.deploy(deployed(provider, quota={"calls_in_flight": 40}))
    provider.set_latency(1.0)
    job_id = upload(service, document(pages))
    victim = workers.processes[0]
    in_flight = (
        "SELECT page_number, reservation_id FROM providers_usage JOIN jobs_pageattempt ON"
        " jobs_pageattempt.job_id=providers_usage.job_id AND first_page=page_number AND stage='model' AND"
        f" jobs_pageattempt.outcome='running' AND worker LIKE '%:{victim.popen.pid}'"
        f" WHERE providers_usage.job_id='{job_id}' AND providers_usage.outcome='running'"
    )
    wait_for(lambda: len(service.rows(in_flight)) >= 5, "the victim has calls in flight", seconds=30, pause=0.005)

    workers.kill(victim)
    lost = dict(service.rows(in_flight))
    assert lost
    workers.start_one()

    assert_every_page_by_a_model(service, job_id, pages)
    rows = calls(service, job_id)
    assert {row.reservation_id for row in rows if row.outcome == "running"} == set(lost.values())
    assert {row.page for row in rows if row.outcome == "answered"} == set(range(1, pages + 1))
    assert len(provider.requests()) <= len(rows)  # some are in the ledger but were not sent yet
    assert calls_counted_by_quota_store(service) >= len(lost)
    assert calls_counted_by_quota_store(service, seconds_from_now=MAX_CALL_SECONDS) == 0


def calls_counted_by_quota_store(service: RunningService, *, seconds_from_now: float = 0.0) -> int:
    """Return how many calls the quota store counts as in flight, now or at a later time."""
    store = QuotaStore(connect(service.backends.environment["REDIS_URL"]), rebuild=list)
    keys = [deployment_quota_key(deployment) for (deployment,) in service.rows("SELECT id FROM providers_deployment")]
    return sum(account.in_flight for account in store.state(keys, now=time.time() + seconds_from_now))


@on_backends(EMBEDDED)
def test_workers_that_stop_finish_the_pages_that_they_have_begun(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    provider.set_latency(3.0)
    workers.deploy(deployed(provider))
    job_id = upload(service, document(12))
    wait_for(lambda: len(provider.requests()) == 12, "all pages are at the provider", seconds=60)

    for process in workers.processes:
        process.popen.terminate()
    for process in workers.processes:
        process.popen.wait(20)

    assert service.rows(
        f"SELECT outcome, count(*) FROM jobs_pageattempt WHERE job_id='{job_id}' AND stage='model' GROUP BY outcome"
    ) == [("accepted", 12)]
    for process in list(workers.processes):
        workers.kill(process)  # it has ended; the next test starts another
    assert service.wait(job_id) == "COMPLETED"
    assert len(provider.requests()) == 12
