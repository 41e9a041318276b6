"""Pages that go to models, with real worker processes: providers fail, workers die, quotas are forgotten.

The fake providers' server is the referee: what arrived there, when, and what was sent too early.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.asking import (
    Fleet,
    calls,
    deployed,
    pages_accepted,
    pages_without_model,
    parsing,
    upload,
)
from tests.acceptance.parts import RABBITMQ
from tests.acceptance.stack import Stack, wait_for
from tests.documents.long import heading_of, long_document
from tests.fakes.provider import FakeProvider

pytestmark = pytest.mark.chaos
on_one_set = pytest.mark.parametrize("parts", [RABBITMQ], indirect=True, scope="session")
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
def shared_fleet(running: Stack) -> Iterator[Fleet]:
    fleet = Fleet(running)
    yield fleet
    fleet.stop()


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    shared_fleet.start()
    yield shared_fleet
    shared_fleet.rest()


@pytest.fixture
def stack(fleet: Fleet) -> Stack:
    return fleet.stack


@pytest.fixture
def document(tmp_path: Path) -> Document:
    def write(pages: int) -> Path:
        path = tmp_path / f"{pages}.pdf"
        path.write_bytes(long_document(pages))
        return path

    return write


def assert_every_page_by_a_model(stack: Stack, job_id: str, pages: int, *, seconds: float = 90) -> None:
    """Each page accepted once, as a model parsed it."""
    assert stack.wait(job_id, seconds=seconds, pause=0.2) == "COMPLETED"
    assert stack.pages_in(job_id, "succeeded") == pages
    assert pages_accepted(stack, job_id) == list(range(1, pages + 1))
    assert pages_without_model(stack, job_id) == 0


# --- on each set of parts ---


def test_faults_on_a_third_of_the_requests_fail_no_page(
    fleet: Fleet, stack: Stack, provider: FakeProvider, document: Document
) -> None:
    pages = 200
    fleet.deploy(deployed(provider, "openai"), deployed(provider, "anthropic", order=2))
    provider.set_latency(0.2)
    strew_faults(provider, pages, share=0.2)

    job_id = upload(stack, document(pages), disable_cache=False)

    assert_every_page_by_a_model(stack, job_id, pages)
    seen = provider.requests()
    assert 0.2 < sum(entry["fault"] is not None for entry in seen) / len(seen) < 0.4
    assert_ledger_is_what_the_provider_saw(stack, job_id, seen)

    again = upload(stack, document(pages), disable_cache=False)
    assert stack.wait(again, pause=0.2) == "COMPLETED"
    assert len(provider.requests()) == len(seen)
    assert {page["cache"] for page in parsing(stack, again)} == {"hit"}
    assert stack.result(again) == stack.result(job_id)


def strew_faults(provider: FakeProvider, pages: int, *, share: float) -> None:
    """Two different faults wait for each page, each strikes once at most."""
    for number in range(1, pages + 1):
        for turn in range(2):
            kind, details = FAULTS[(number + 3 * turn) % len(FAULTS)]
            provider.fault(kind, when=heading_of(number), share=share, seed=turn, at_most_per_prompt=1, **details)


def assert_ledger_is_what_the_provider_saw(stack: Stack, job_id: str, seen: list[dict[str, Any]]) -> None:
    """A row for each request that arrived, with its end: a reset too is a row, of a call without a status. Only what
    was answered whole has tokens and a cost."""
    rows = calls(stack, job_id)
    whole = [entry for entry in seen if entry["status"] == 200 and entry["fault"] in (None, "cut_text")]
    assert Counter(row.model for row in rows) == Counter(entry["model"] for entry in seen)
    ended = Counter((row.model, row.http_status) for row in rows if row.outcome == "failed")
    assert ended == Counter((entry["model"], entry["status"] or None) for entry in seen if entry not in whole)
    assert Counter(row.model for row in rows if row.outcome == "answered") == Counter(e["model"] for e in whole)
    for name in ("input_tokens", "output_tokens"):
        assert sum(getattr(row, name) for row in rows) == sum(entry[name] for entry in whole)
    usage = stack.job(job_id, "usage")["usage"]
    assert usage["requests"] == len(rows)
    assert usage["cost_usd"] == pytest.approx(sum(row.cost_nanos for row in rows) / 1e9)
    assert sum(row.cost_nanos for row in rows) == sum(
        2500 * entry["input_tokens"] + 10_000 * entry["output_tokens"] for entry in whole
    )


def test_a_worker_killed_with_calls_in_flight(
    fleet: Fleet, stack: Stack, provider: FakeProvider, document: Document
) -> None:
    pages = 80
    fleet.deploy(deployed(provider, quota={"calls_in_flight": 40}))
    provider.set_latency(1.0)
    job_id = upload(stack, document(pages))
    victim = fleet.askers[0]
    out = (
        "SELECT page_number, reservation_id FROM providers_usage JOIN jobs_pageattempt ON"
        " jobs_pageattempt.job_id=providers_usage.job_id AND first_page=page_number AND stage='model' AND"
        f" jobs_pageattempt.outcome='running' AND worker LIKE '%:{victim.popen.pid}'"
        f" WHERE providers_usage.job_id='{job_id}' AND providers_usage.outcome='running'"
    )
    wait_for(lambda: len(stack.rows(out)) >= 5, "the victim has calls out", seconds=30, pause=0.005)

    fleet.kill_asker(victim)
    lost = dict(stack.rows(out))
    assert lost
    fleet.start_asker()

    assert_every_page_by_a_model(stack, job_id, pages)
    rows = calls(stack, job_id)
    assert {row.reservation_id for row in rows if row.outcome == "running"} == set(lost.values())
    assert {row.page for row in rows if row.outcome == "answered"} == set(range(1, pages + 1))
    assert len(provider.requests()) <= len(rows)
