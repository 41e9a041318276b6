"""Faults of whole processes: a power cut, a stop that is not waited for, a key that is revoked while its job runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.running_service import PARSE_QUEUES, Backends, wait_for
from tests.chaos.corpus import CorpusDocument, write_corpus
from tests.chaos.results import FaultResult, record
from tests.chaos.rig import Rig
from tests.chaos.storm import Kill, recoveries

pytestmark = [pytest.mark.chaos, pytest.mark.long]

JOBS = 3
REVOKED_SECONDS = 5.0


@pytest.fixture(scope="module")
def rig(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("chaos")
    with ExitStack() as parts:
        rig = Rig.make(backends, folder / "service", LEASE_SECONDS="5")
        parts.callback(rig.close)
        rig.start_worker("parse", *PARSE_QUEUES)
        yield rig


@pytest.fixture(scope="module")
def documents(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> list[CorpusDocument]:
    documents = write_corpus(tmp_path_factory.mktemp("corpus"), documents=JOBS)
    rig.run_calm(documents)
    return documents


@pytest.fixture
def at_work(rig: Rig, documents: list[CorpusDocument]) -> Callable[[], None]:
    """Return a function that submits the documents and returns while one of them is being read."""

    def submit() -> None:
        for document in documents:
            rig.submit(document)
        running = "SELECT count(*) FROM jobs_pageattempt WHERE outcome='running'"
        wait_for(lambda: rig.service.number(running) > 0, "a document is being read", seconds=60, pause=0.001)

    return submit


def kill_all(rig: Rig, *names: str) -> Kill:
    """Kill processes of the service, by default all of them, and return what was killed."""
    killed = [rig.running[name] for name in names or rig.running]
    pids = frozenset(pid for process in killed for pid in process.pids())
    for process in killed:
        process.kill()
    return Kill("service", time.time(), pids)


def assert_nothing_was_lost(rig: Rig, fault: str, kills: list[Kill]) -> None:
    rig.wait_for_all()
    verdict = rig.check()
    record(
        FaultResult(
            fault,
            "once",
            rig.service.backends.name,
            f'python -m pytest -m "long or not long" tests/chaos/test_faults.py -k {fault.lower()}_',
            jobs=JOBS,
            lost=verdict.lost,
            doubled=verdict.doubled,
            recover=recoveries(rig, kills),
            violations=verdict.violations,
        )
    )
    assert verdict.violations == []


def test_f50_all_processes_die_at_once(rig: Rig, at_work: Callable[[], None]) -> None:
    at_work()

    kill = kill_all(rig)
    servers = rig.service.backends.servers.values()
    for server in servers:
        server.kill()
    for server in servers:
        server.start()

    assert_nothing_was_lost(rig, "F50", [kill])


def test_f4_a_whole_worker_is_killed(rig: Rig, at_work: Callable[[], None]) -> None:
    at_work()

    kill = kill_all(rig, "parse")

    assert_nothing_was_lost(rig, "F4", [kill])


def test_f28_a_worker_is_killed_while_it_stops(rig: Rig, at_work: Callable[[], None]) -> None:
    at_work()

    rig.running["parse"].popen.terminate()
    kill = kill_all(rig, "parse")

    assert_nothing_was_lost(rig, "F28", [kill])


def test_f45_a_job_ends_although_its_key_was_revoked(rig: Rig, at_work: Callable[[], None]) -> None:
    """The key is refused within seconds, and accepted work is finished."""
    first_key = rig.service.key
    rig.service.key = rig.service.manage("create_api_key", "revoked").strip()
    at_work()

    rig.service.manage("revoke_api_key", "revoked")
    revoked_at = time.monotonic()

    def is_refused() -> bool:
        with rig.service.client() as client:
            return client.get("/api/v2/parse").status_code == 401

    wait_for(is_refused, "the key is refused", seconds=REVOKED_SECONDS)
    assert time.monotonic() - revoked_at < REVOKED_SECONDS
    rig.service.key = first_key
    assert_nothing_was_lost(rig, "F45", [])
