"""Faults of whole processes: a power cut, stops under load, workers of two releases, a revoked key."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.running_service import PARSE_QUEUES, ROOT, Backends, wait_for
from tests.acceptance.test_queue_status import status
from tests.chaos.corpus import CorpusDocument, write_corpus
from tests.chaos.results import FaultResult, record
from tests.chaos.rig import Rig
from tests.chaos.storm import Kill, recoveries

pytestmark = [pytest.mark.chaos, pytest.mark.long]

JOBS = 3
REVOKED_SECONDS = 5.0
AWAY_SECONDS = 60.0
STOPS = 4
LAST_RELEASE = "af3c2bc"  # the commit before this release was begun


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


def assert_nothing_was_lost(
    rig: Rig,
    fault: str,
    kills: Sequence[Kill] = (),
    *,
    jobs: int = JOBS,
    violations: Sequence[str] = (),
    **figures: float | int,
) -> None:
    rig.wait_for_all()
    verdict = rig.check()
    violations = [*verdict.violations, *violations]
    record(
        FaultResult(
            fault,
            "once",
            rig.service.backends.name,
            f'python -m pytest -m "long or not long" tests/chaos/test_faults.py -k {fault.lower()}_',
            jobs=jobs,
            lost=verdict.lost,
            doubled=verdict.doubled,
            recover=recoveries(rig.service, kills),
            violations=violations,
            figures=figures,
        )
    )
    assert violations == []


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
    assert_nothing_was_lost(rig, "F45")


def test_f27_workers_are_stopped_again_and_again(rig: Rig, at_work: Callable[[], None]) -> None:
    """A stopped worker finishes its pages or hands them back, and no lease has to run out for them."""
    lease_lost = "SELECT count(*) FROM jobs_pageattempt WHERE outcome='lease_lost'"
    before, slowest = rig.service.number(lease_lost), 0.0
    for _ in range(STOPS):
        at_work()
        stopped, began = rig.running["parse"].popen, time.monotonic()
        stopped.terminate()
        stopped.wait(60)
        slowest = max(slowest, time.monotonic() - began)
        rig.heal()
    rig.wait_for_all()

    lost = rig.service.number(lease_lost) - before
    violations = [f"{lost} leases ran out"] if lost else []
    assert_nothing_was_lost(
        rig, "F27", jobs=STOPS * JOBS, violations=violations, stops=STOPS, slowest_stop_seconds=round(slowest, 1)
    )


def test_f49_all_workers_of_a_queue_are_gone_for_a_while(rig: Rig, documents: list[CorpusDocument]) -> None:
    """The jobs wait, and autoscalers see them."""
    gone = rig.running.pop("parse")
    gone.stop()
    rig.service.processes.remove(gone)
    for document in documents:
        rig.submit(document)
    time.sleep(AWAY_SECONDS)
    waiting = status(rig.service)["total_messages"]
    open_jobs = rig.open_jobs()
    rig.start_worker("parse", *PARSE_QUEUES)

    violations = [] if open_jobs == waiting == JOBS else [f"{open_jobs} jobs wait, and the queue status says {waiting}"]
    assert_nothing_was_lost(rig, "F49", violations=violations, away_seconds=AWAY_SECONDS)


@pytest.fixture
def last_release(tmp_path: Path) -> Path:
    """The files of the release before this one, from the history of the repository."""
    archive = subprocess.run(["git", "archive", LAST_RELEASE], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=archive, check=True)
    return tmp_path


def test_f46_workers_of_the_last_release_run_beside_this_one(
    rig: Rig, last_release: Path, at_work: Callable[[], None]
) -> None:
    """The last release's worker joins at work, then works alone on jobs that this release has accepted."""
    old = rig.service.start(
        "worker-of-last-release",
        *("env", "-C", str(last_release), "DJANGO_SETTINGS_MODULE=parse_project.settings"),
        *(sys.executable, "manage.py", "work", *PARSE_QUEUES, "--name", "old"),
    )
    wait_for(lambda: b" ready." in old.log.read_bytes(), "the old worker is ready", seconds=90)
    for _ in range(2):
        at_work()
    rig.wait_for_all()
    new = rig.running.pop("parse")
    new.stop()
    rig.service.processes.remove(new)
    at_work()
    rig.wait_for_all()
    old_pids = frozenset(old.pids())
    rig.start_worker("parse", *PARSE_QUEUES)
    old.stop()
    rig.service.processes.remove(old)

    accepted = rig.service.rows("SELECT worker FROM jobs_pageattempt WHERE outcome='accepted'")
    by_old = sum(int(row[0].rpartition(":")[2]) in old_pids for row in accepted)
    dropped = old.log.read_bytes().count(b"Received unregistered task")
    violations = [f"the last release dropped {dropped} messages"] if dropped else []
    assert_nothing_was_lost(rig, "F46", jobs=3 * JOBS, violations=violations, accepted_by_the_last_release=by_old)
    assert by_old >= JOBS
