"""A 200-page job gives the same result when workers are killed or frozen, or the broker is flushed.

Where a fault can come too late, the test also asserts that work was open when it happened or that rows show its effect.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import LEASE_SECONDS, Process, RunningService, wait_for
from tests.chaos.results import FaultResult, record
from tests.chaos.storm import Kill, recoveries
from tests.documents.long import long_document

pytestmark = pytest.mark.chaos

PAGES = 200


@pytest.fixture
def job(service: RunningService, worker: Process, long_pdf: Path) -> str:
    """A job with some pages done and many open."""
    job_id = service.upload(long_pdf)
    wait_for(lambda: service.pages_in(job_id, "succeeded") >= 8, "some pages are done", seconds=30, pause=0.002)
    return job_id


def open_pages(service: RunningService, job_id: str) -> int:
    return service.pages_in(job_id, "pending", "running")


def freeze_at_work(service: RunningService, worker: Process, job_id: str) -> None:
    """Freeze every process of the worker while it holds a range of the job and has no open write transaction.

    A frozen transaction would block all other writers on SQLite. On PostgreSQL it would lock its rows until the server
    ends the idle transaction (settings.py), which takes longer than this test waits.
    """
    while True:
        worker.signal_all(signal.SIGSTOP)
        assert open_pages(service, job_id) > 0, "the job was done before the freeze"
        if service.attempts(job_id, "running") and not service.is_in_a_transaction():
            return
        worker.signal_all(signal.SIGCONT)
        time.sleep(0.01)


def assert_complete(
    service: RunningService,
    job_id: str,
    undisturbed_result: dict[str, object],
    *faults: str,
    kills: Sequence[Kill] = (),
) -> None:
    """Assert that every page was accepted once and the result has the same bytes as an undisturbed job's.

    ``faults``: the rows of docs/reliability.md that get a result.
    """
    status, accepted = service.wait(job_id), pages_accepted(service, job_id)
    is_same = status == "COMPLETED" and service.result(job_id) == undisturbed_result
    doubled = len(accepted) - len(set(accepted))
    violations = [f"The job is {status}"] if status != "COMPLETED" else []
    violations += ["The result differs from that of a calm run"] if not is_same else []
    violations += [f"{doubled} pages were accepted twice"] if doubled else []
    for fault in faults:
        record(
            FaultResult(
                fault,
                "200 pages",
                service.backends.name,
                f'python -m pytest -m "chaos or long" tests/acceptance/test_recovery.py -k {service.backends.name}',
                jobs=1,
                lost=int(not is_same),
                doubled=doubled,
                recover=recoveries(service, kills),
                violations=violations,
            )
        )
    assert violations == []
    assert service.pages_in(job_id, "succeeded") == PAGES
    assert accepted == list(range(1, PAGES + 1))


def pages_accepted(service: RunningService, job_id: str) -> list[int]:
    """Return the pages of every accepted attempt; a page that was accepted twice is listed twice."""
    ranges = service.rows(
        "SELECT first_page, last_page FROM jobs_pageattempt"
        f" WHERE job_id='{job_id}' AND stage='extract' AND outcome='accepted'"
    )
    return sorted(page for first, last in ranges for page in range(first, last + 1))


def test_a_killed_pool_process_loses_no_page(
    service: RunningService, job: str, undisturbed_result: dict[str, object]
) -> None:
    holder = ""

    def a_range_is_running() -> bool:
        nonlocal holder
        rows = service.rows(
            f"SELECT worker FROM jobs_pageattempt WHERE job_id='{job}' AND stage='extract' AND outcome='running'"
        )
        holder = rows[0][0] if rows else ""
        return bool(holder)

    lost = 0
    while not lost:  # if the process finished just before the kill, nothing was lost: try again
        assert open_pages(service, job) > 0, "the job was done before a kill had an effect"
        wait_for(a_range_is_running, "a range is being read", seconds=10, pause=0.001)
        pid = int(holder.rpartition(":")[2])
        os.kill(pid, signal.SIGKILL)
        kill, killed_at = Kill("pool process", time.time(), frozenset({pid})), time.monotonic()
        while not lost and time.monotonic() < killed_at + 3:
            lost = service.attempts(job, "lease_lost")
            time.sleep(0.02)

    assert_complete(service, job, undisturbed_result, "F3", kills=[kill])


def test_a_killed_worker_loses_no_page(
    service: RunningService, worker: Process, job: str, undisturbed_result: dict[str, object]
) -> None:
    freeze_at_work(service, worker, job)
    worker.kill()

    service.start_worker("second")

    assert_complete(service, job, undisturbed_result)
    assert service.attempts(job, "lease_lost") > 0


def test_a_flushed_broker_loses_no_page(
    service: RunningService, job: str, undisturbed_result: dict[str, object]
) -> None:
    service.backends.flush()
    assert open_pages(service, job) > 0

    assert_complete(service, job, undisturbed_result, "F9", "F10")
    sent, closed = service.rows(f"SELECT windows_sent, windows_closed FROM jobs_parsejob WHERE id='{job}'")[0]
    assert closed < sent, "every chord's body ran, so the flush had no effect"


def test_duplicate_messages_change_nothing(
    service: RunningService, job: str, undisturbed_result: dict[str, object]
) -> None:
    assert open_pages(service, job) > 0
    published = int(service.run_python(SEND_DUPLICATES.format(job=job)))
    assert published > 0

    assert_complete(service, job, undisturbed_result, "F11")


@mostly_on_rabbitmq
def test_results_of_a_frozen_worker_are_refused(
    service: RunningService, worker: Process, job: str, undisturbed_result: dict[str, object]
) -> None:
    freeze_at_work(service, worker, job)
    service.start_worker("second")
    time.sleep(3 * LEASE_SECONDS)
    wait_for(lambda: open_pages(service, job) == 0, "the other worker has finished", seconds=60)
    result = service.wait(job), service.result(job)

    worker.signal_all(signal.SIGCONT)

    wait_for(lambda: service.attempts(job, "refused") > 0, "the late result is refused", seconds=30)
    assert_complete(service, job, undisturbed_result, "F13")
    assert (service.wait(job), service.result(job)) == result


@mostly_on_rabbitmq
def test_short_jobs_complete_after_their_worker_is_killed(
    service: RunningService, worker: Process, tmp_path: Path
) -> None:
    short = tmp_path / "short.pdf"
    short.write_bytes(long_document(3, columns=12))
    jobs = [service.upload(short) for _ in range(20)]
    running = "SELECT count(*) FROM jobs_pageattempt WHERE outcome='running'"
    wait_for(lambda: service.number(running) > 0, "a short document is being read", seconds=10, pause=0.001)

    worker.kill()
    assert any(service.job(job)["job"]["status"] in ("PENDING", "RUNNING") for job in jobs)
    service.start_worker("second")

    assert {service.wait(job) for job in jobs} == {"COMPLETED"}
    results = [service.result(job) for job in jobs]
    assert all(result == results[0] for result in results)


def test_an_upload_while_the_broker_is_down_is_parsed_later(
    service: RunningService, worker: Process, long_pdf: Path, undisturbed_result: dict[str, object]
) -> None:
    service.backends.stop_broker()
    try:
        job_id = service.upload(long_pdf)
        assert service.job(job_id)["job"]["status"] == "PENDING"
    finally:
        service.backends.start_broker()

    assert_complete(service, job_id, undisturbed_result, "F8")


SEND_DUPLICATES = """
import random
from apps.jobs import workflow
from apps.jobs.models import Step
steps = Step.objects.filter(job_id={job!r}, stage="extract", state__in=["pending", "running"])
messages = [workflow.Message.of(step) for step in steps] * 10
random.shuffle(messages)
print(sum(workflow.publish_step(message) for message in messages))
"""
