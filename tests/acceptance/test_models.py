"""Pages that go to models, with real worker processes: providers fail, workers die, quotas are forgotten.

The fake providers' server is the referee: what arrived there, when, and what was sent too early.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from apps.providers.catalog import deployment_quota_key
from apps.providers.quota.store import QuotaStore, connect
from apps.providers.quota.terms import EPOCH_KEY
from tests.acceptance.backends import EMBEDDED, RABBITMQ, mostly_on_rabbitmq
from tests.acceptance.model_workers import (
    PROCESSES,
    WIDTH,
    ModelWorkers,
    calls,
    deployed,
    pages_accepted,
    pages_with_fallback_text,
    parsing,
    upload,
)
from tests.acceptance.running_service import RunningService, wait_for
from tests.documents.hidden import ORDER, TINY, UNSEEN, commanding_pdf
from tests.documents.long import heading_of, long_document
from tests.fakes.provider import FakeProvider
from tests.services import flush_redis, redis_client

MAX_CALL_SECONDS = 241.0  # PROVIDER_TOTAL_SECONDS and a minute
# How long a request may need from the last look at the store to the provider's door, on two busy cores.
ON_ITS_WAY = 0.5
REGION_REFUSED = "region is [x0, top, x1, bottom] in points, within the page."
long_on_others = partial(pytest.param, marks=pytest.mark.long)
on_one_set = pytest.mark.parametrize("backends", [RABBITMQ], indirect=True, scope="session")
Document = Callable[[int], Path]

# What a provider does to a request, and whether a row says that it was answered all the same.
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


@pytest.fixture(scope="module")
def running_provider() -> Iterator[FakeProvider]:
    with FakeProvider() as server:
        yield server


@pytest.fixture
def provider(running_provider: FakeProvider) -> FakeProvider:
    running_provider.reset()
    return running_provider


@pytest.fixture
def other_provider() -> Iterator[FakeProvider]:
    with FakeProvider() as server:
        yield server


@pytest.fixture(scope="module")
def shared_workers(shared_service: RunningService) -> Iterator[ModelWorkers]:
    workers = ModelWorkers(shared_service)
    yield workers
    workers.stop()


@pytest.fixture
def workers(shared_workers: ModelWorkers) -> Iterator[ModelWorkers]:
    shared_workers.start()
    yield shared_workers
    shared_workers.mark_idle()


@pytest.fixture
def service(workers: ModelWorkers) -> RunningService:
    return workers.service


@pytest.fixture
def document(tmp_path: Path) -> Document:
    def write(pages: int) -> Path:
        path = tmp_path / f"{pages}.pdf"
        path.write_bytes(long_document(pages))
        return path

    return write


def assert_every_page_by_a_model(service: RunningService, job_id: str, pages: int, *, seconds: float = 90) -> None:
    """Each page accepted once, as a model parsed it."""
    assert service.wait(job_id, seconds=seconds, pause=0.2) == "COMPLETED"
    assert service.pages_in(job_id, "succeeded") == pages
    assert pages_accepted(service, job_id) == list(range(1, pages + 1))
    assert pages_with_fallback_text(service, job_id) == 0


# --- on each set of backends ---


@pytest.mark.parametrize(
    "backends", [EMBEDDED, long_on_others("postgres+redis"), long_on_others(RABBITMQ)], indirect=True, scope="session"
)
def test_faults_on_a_third_of_the_requests_fail_no_page(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 200 if service.backends.name == EMBEDDED else 100
    workers.deploy(deployed(provider, "openai"), deployed(provider, "anthropic", order=2))
    provider.set_latency(0.2)
    strew_faults(provider, pages, share=0.2)

    job_id = upload(service, document(pages), disable_cache=False)

    assert_every_page_by_a_model(service, job_id, pages)
    seen = provider.requests()
    assert 0.2 < sum(entry["fault"] is not None for entry in seen) / len(seen) < 0.4
    assert_ledger_is_what_the_provider_saw(service, job_id, seen)

    again = upload(service, document(pages), disable_cache=False)
    assert service.wait(again, pause=0.2) == "COMPLETED"
    assert len(provider.requests()) == len(seen)
    assert {page["cache"] for page in parsing(service, again)} == {"hit"}
    assert service.result(again) == service.result(job_id)


def strew_faults(provider: FakeProvider, pages: int, *, share: float) -> None:
    """Two different faults wait for each page, each strikes once at most."""
    for number in range(1, pages + 1):
        for turn in range(2):
            kind, details = FAULTS[(number + 3 * turn) % len(FAULTS)]
            provider.fault(kind, when=heading_of(number), share=share, seed=turn, at_most_per_prompt=1, **details)


def assert_ledger_is_what_the_provider_saw(service: RunningService, job_id: str, seen: list[dict[str, Any]]) -> None:
    """A row for each request that arrived, with its end: a reset too is a row, of a call without a status. Only what
    was answered whole has tokens and a cost."""
    rows = calls(service, job_id)
    whole = [entry for entry in seen if entry["status"] == 200 and entry["fault"] in (None, "cut_text")]
    assert Counter(row.model for row in rows) == Counter(entry["model"] for entry in seen)
    ended = Counter((row.model, row.http_status) for row in rows if row.outcome == "failed")
    assert ended == Counter((entry["model"], entry["status"] or None) for entry in seen if entry not in whole)
    assert Counter(row.model for row in rows if row.outcome == "answered") == Counter(e["model"] for e in whole)
    for name in ("input_tokens", "output_tokens"):
        assert sum(getattr(row, name) for row in rows) == sum(entry[name] for entry in whole)
    usage = service.job(job_id, "usage")["usage"]
    assert usage["requests"] == len(rows)
    assert usage["cost_usd"] == pytest.approx(sum(row.cost_nanos for row in rows) / 1e9)
    assert sum(row.cost_nanos for row in rows) == sum(
        2500 * entry["input_tokens"] + 10_000 * entry["output_tokens"] for entry in whole
    )


@mostly_on_rabbitmq
@pytest.mark.chaos
def test_a_worker_killed_with_calls_in_flight(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 60
    workers.deploy(deployed(provider, quota={"calls_in_flight": 40}))
    provider.set_latency(1.0)
    job_id = upload(service, document(pages))
    victim = workers.processes[0]
    out = (
        "SELECT page_number, reservation_id FROM providers_usage JOIN jobs_pageattempt ON"
        " jobs_pageattempt.job_id=providers_usage.job_id AND first_page=page_number AND stage='model' AND"
        f" jobs_pageattempt.outcome='running' AND worker LIKE '%:{victim.popen.pid}'"
        f" WHERE providers_usage.job_id='{job_id}' AND providers_usage.outcome='running'"
    )
    wait_for(lambda: len(service.rows(out)) >= 5, "the victim has calls out", seconds=30, pause=0.005)

    workers.kill(victim)
    lost = dict(service.rows(out))
    assert lost
    workers.start_one()

    assert_every_page_by_a_model(service, job_id, pages)
    rows = calls(service, job_id)
    assert {row.reservation_id for row in rows if row.outcome == "running"} == set(lost.values())
    assert {row.page for row in rows if row.outcome == "answered"} == set(range(1, pages + 1))
    assert len(provider.requests()) <= len(rows)  # some were begun in the ledger and not sent yet
    assert places_held(service) >= len(lost)
    assert places_held(service, seconds_from_now=MAX_CALL_SECONDS) == 0


def places_held(service: RunningService, *, seconds_from_now: float = 0.0) -> int:
    """Calls that the quota store takes to be in flight, now or later."""
    store = QuotaStore(connect(service.backends.environment["REDIS_URL"]), rebuild=list)
    keys = [deployment_quota_key(deployment) for (deployment,) in service.rows("SELECT id FROM providers_deployment")]
    return sum(account.in_flight for account in store.state(keys, now=time.time() + seconds_from_now))


# --- on one set of backends ---


@on_one_set
def test_two_processes_never_exceed_a_quota(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 60
    provider.limit(requests=30, window_seconds=10.0)
    workers.deploy(deployed(provider, quota={"requests_per_window": 30, "window_seconds": 10.0}))

    job_id = upload(service, document(pages))

    assert_every_page_by_a_model(service, job_id, pages)
    counted = provider.stats()["openai/gpt-4o-mini"]
    assert (counted["requests"], counted["over_limit"], counted["early"]) == (pages, 0, 0)


@on_one_set
@pytest.mark.chaos
def test_a_quota_store_that_forgets_everything_lets_no_call_too_many_go(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 40
    redis_url = service.backends.environment["REDIS_URL"]
    provider.limit(requests=20, window_seconds=10.0)
    workers.deploy(deployed(provider, quota={"requests_per_window": 20, "window_seconds": 10.0}))
    job_id = upload(service, document(pages))
    wait_for(lambda: len(provider.requests()) >= 8, "some pages were asked for", seconds=30)

    flush_redis(redis_url)

    assert_every_page_by_a_model(service, job_id, pages)
    with redis_client(redis_url) as client:
        assert client.get(EPOCH_KEY) is not None
    counted = provider.stats()["openai/gpt-4o-mini"]
    assert (counted["requests"], counted["over_limit"]) == (pages, 0)


@on_one_set
def test_pages_go_to_the_next_provider_while_the_first_is_down(
    workers: ModelWorkers,
    service: RunningService,
    provider: FakeProvider,
    other_provider: FakeProvider,
    document: Document,
) -> None:
    pages = 120
    first, second = other_provider, provider
    workers.deploy(deployed(first), deployed(second, "anthropic", order=2))
    for server in (first, second):
        server.set_latency(1.0)
    job_id = upload(service, document(pages))
    wait_for(lambda: len(first.requests()) > PROCESSES * WIDTH, "the first has answered some", seconds=30)
    assert second.requests() == []

    first.stop()
    stopped_at = time.time()

    assert_every_page_by_a_model(service, job_id, pages)
    arrived = [stopped_at, *(entry["arrived_at"] for entry in second.requests())]
    assert max(later - earlier for earlier, later in pairwise(arrived)) < 5.0

    first.start()
    asked_before = len(first.requests())

    def is_used_again() -> bool:
        assert service.wait(upload(service, document(1)), pause=0.1) == "COMPLETED"
        return len(first.requests()) > asked_before

    wait_for(is_used_again, "the first is used again", seconds=60, pause=1.0)


@on_one_set
def test_nobody_comes_before_the_moment_that_a_provider_named(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 40
    workers.deploy(deployed(provider))
    provider.set_latency(0.2)
    provider.fault("status", code=429, retry_after="2", share=0.1, seed=3)

    job_id = upload(service, document(pages))

    assert_every_page_by_a_model(service, job_id, pages)
    seen = provider.requests()
    told = [entry["arrived_at"] for entry in seen if entry["status"] == 429]
    assert 3 <= len(told) <= 0.17 * pages
    assert len(seen) == pages + len(told)
    for moment in told:  # what had left before the answer was there could not know of it
        assert not [entry for entry in seen if moment + ON_ITS_WAY < entry["arrived_at"] < moment + 2.0]


@on_one_set
def test_a_provider_with_a_wrong_key_is_left_alone(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    pages = 60
    workers.deploy(deployed(provider, secrets={"api_key": "sk-wrong"}), deployed(provider, "anthropic", order=2))
    provider.set_latency(0.2)

    job_id = upload(service, document(pages))

    assert_every_page_by_a_model(service, job_id, pages)
    refused = [entry for entry in provider.requests() if entry["family"] == "openai"]
    assert {entry["status"] for entry in refused} == {401}
    assert len(refused) <= PROCESSES * WIDTH  # what was out when the first answer came
    codes = dict(service.rows("SELECT name, trouble_code FROM providers_provider"))
    assert codes == {"openai-account": "provider_auth_failed", "anthropic-account": ""}


@pytest.mark.parametrize("backends", [EMBEDDED, long_on_others(RABBITMQ)], indirect=True, scope="session")
def test_a_project_without_external_providers_sends_nothing_out(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    workers.deploy(deployed(provider))
    careful = replace(service, key=service.manage("create_api_key", "careful", "--project", "careful").strip())
    service.run_python(KEEP_IN_THE_HOUSE)
    with careful.client() as client:
        answer = client.post(
            "/api/v2/parse/upload",
            data={"configuration": '{"tier":"balanced","version":"latest","allow_external":true}'},
            files={"file": ("kept.pdf", document(2).read_bytes(), "application/pdf")},
        )

    if service.backends.name == EMBEDDED:  # MODE_WITHOUT_PROVIDER is fast there
        job_id = answer.json()["id"]
        assert careful.wait(job_id) == "COMPLETED"
        warnings = careful.job(job_id)["job"]["warnings"]
        assert [warning["code"] for warning in warnings] == ["mode_not_available"]
        assert "the project allows no external provider" in warnings[0]["detail"]
    else:
        assert answer.status_code == 422
        assert "the project allows no external provider" in answer.text
    assert provider.requests() == []


@on_one_set
@pytest.mark.parametrize("tier", ["balanced", "agentic"])
def test_orders_in_a_document_are_copied_and_not_obeyed(
    workers: ModelWorkers,
    service: RunningService,
    provider: FakeProvider,
    other_provider: FakeProvider,
    tmp_path: Path,
    tier: str,
) -> None:
    workers.deploy(deployed(provider))
    provider.zoom(2, region=(9000.0, 9000.0, 9900.0, 9900.0))
    path = tmp_path / "orders.pdf"
    path.write_bytes(commanding_pdf(other_provider.url))
    order = ORDER.format(address=other_provider.url)

    honest = upload(service, path, tier=tier)
    assert service.wait(honest, pause=0.1) == "COMPLETED"
    provider.answer("HACKED", when="write only HACKED")
    obedient = upload(service, path, tier=tier)
    assert service.wait(obedient, pause=0.1) == "COMPLETED"

    for job_id in (honest, obedient):
        assert order in service.result(job_id)["text_full"]
        assert service.result(job_id)["text_full"].count("HACKED") == 1
        [page] = service.job(job_id, "metadata")["metadata"]["pages"]
        assert page["hidden_text"] == [UNSEEN, TINY]
    assert [page.get("fallback_used") for page in parsing(service, honest)] == [None]
    assert [page["fallback_reason"] for page in parsing(service, obedient)] == ["all_providers_failed"]
    prompts = [entry["text"] for entry in provider.requests()]
    assert all(order in prompt and UNSEEN not in prompt and TINY not in prompt for prompt in prompts)
    assert any(REGION_REFUSED in prompt for prompt in prompts) == (tier == "agentic")
    assert other_provider.requests() == []


@on_one_set
def test_when_every_provider_is_dead_pages_have_their_plain_text(
    shared_workers: ModelWorkers, provider: FakeProvider, tmp_path: Path
) -> None:
    pages = 10
    path = tmp_path / "never-answered.pdf"
    path.write_bytes(long_document(pages, columns=2))
    service = shared_workers.service
    kept = service.number("SELECT count(*) FROM jobs_pageanswer")
    shared_workers.start(PROVIDER_OUTAGE_WAIT="1")
    shared_workers.deploy(deployed(provider), deployed(provider, "anthropic", order=2))
    provider.stop()
    try:
        job_id = upload(service, path, disable_cache=False)
        assert service.wait(job_id, pause=0.2) == "COMPLETED"
    finally:
        provider.start()

    assert provider.requests() == []
    assert [page["fallback_used"] for page in parsing(service, job_id)] == [True] * pages
    text = service.result(job_id)["text_full"]
    assert all(heading_of(number) in text for number in range(1, pages + 1))
    assert [warning["code"] for warning in service.job(job_id)["job"]["warnings"]] == ["fallback_used"]
    assert service.number("SELECT count(*) FROM jobs_pageanswer") == kept


KEEP_IN_THE_HOUSE = """
from apps.accounts.models import Project, ProjectQuota
ProjectQuota.objects.create(project=Project.objects.get(name="careful"), allow_external=False)
"""
