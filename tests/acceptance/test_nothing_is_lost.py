"""A 200-page job whose workers are killed or frozen and whose broker forgets everything: it ends as a calm one does.

Each test also asserts that it hit: that pages were open at the blow and that the blow left its mark.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import LEASE_SECONDS, Process, RunningService, wait_for
from tests.documents.long import long_document

pytestmark = pytest.mark.chaos

PAGES = 200


@pytest.fixture
def job(service: RunningService, worker: Process, long_pdf: Path) -> str:
    """A job that has some pages done and many to go."""
    job_id = service.upload(long_pdf)
    wait_for(lambda: service.pages_in(job_id, "succeeded") >= 8, "some pages are done", seconds=30, pause=0.002)
    return job_id


def open_pages(service: RunningService, job_id: str) -> int:
    return service.pages_in(job_id, "pending", "running")


def freeze_at_work(service: RunningService, worker: Process, job_id: str) -> None:
    """Stop every process of the worker at a moment when it holds a range of the job.

    Not in the middle of a write: on SQLite nobody else could write then, and on PostgreSQL nobody could touch those
    rows until the server ends the idle transaction (settings.py), which takes longer than this test waits.
    """
    while True:
        worker.signal_all(signal.SIGSTOP)
        assert open_pages(service, job_id) > 0, "the job was done before the blow"
        if service.attempts(job_id, "running") and not service.is_in_a_transaction():
            return
        worker.signal_all(signal.SIGCONT)
        time.sleep(0.01)


def assert_complete(service: RunningService, job_id: str, undisturbed_result: dict[str, object]) -> None:
    """Every page once, and every byte as in a calm run."""
    assert service.wait(job_id) == "COMPLETED"
    assert service.pages_in(job_id, "succeeded") == PAGES
    assert pages_accepted(service, job_id) == list(range(1, PAGES + 1))
    assert service.result(job_id) == undisturbed_result


def pages_accepted(service: RunningService, job_id: str) -> list[int]:
    """The pages of every accepted attempt, one entry for each time a page was accepted."""
    ranges = service.rows(
        "SELECT first_page, last_page FROM jobs_pageattempt"
        f" WHERE job_id='{job_id}' AND stage='extract' AND outcome='accepted'"
    )
    return sorted(page for first, last in ranges for page in range(first, last + 1))


def test_a_killed_pool_process(service: RunningService, job: str, undisturbed_result: dict[str, object]) -> None:
    holder = ""

    def somebody_works() -> bool:
        nonlocal holder
        rows = service.rows(
            f"SELECT worker FROM jobs_pageattempt WHERE job_id='{job}' AND stage='extract' AND outcome='running'"
        )
        holder = rows[0][0] if rows else ""
        return bool(holder)

    lost = 0
    while not lost:  # a process that finished between the look and the kill lost nothing: try again
        assert open_pages(service, job) > 0, "the job was done before a kill hit"
        wait_for(somebody_works, "a range is being read", seconds=10, pause=0.001)
        os.kill(int(holder.rpartition(":")[2]), signal.SIGKILL)
        killed_at = time.monotonic()
        while not lost and time.monotonic() < killed_at + 3:
            lost = service.attempts(job, "lease_lost")
            time.sleep(0.02)

    assert_complete(service, job, undisturbed_result)


def test_a_killed_worker(
    service: RunningService, worker: Process, job: str, undisturbed_result: dict[str, object]
) -> None:
    freeze_at_work(service, worker, job)
    worker.kill()

    service.start_worker("second")

    assert_complete(service, job, undisturbed_result)
    assert service.attempts(job, "lease_lost") > 0


def test_a_broker_that_forgets_everything(
    service: RunningService, job: str, undisturbed_result: dict[str, object]
) -> None:
    service.backends.flush()
    assert open_pages(service, job) > 0

    assert_complete(service, job, undisturbed_result)
    sent, closed = service.rows(f"SELECT windows_sent, windows_closed FROM jobs_parsejob WHERE id='{job}'")[0]
    assert closed < sent, "every chord's body ran: the flush hit nothing"


def test_doubled_messages(service: RunningService, job: str, undisturbed_result: dict[str, object]) -> None:
    assert open_pages(service, job) > 0
    published = int(service.run_python(DOUBLE_EVERYTHING.format(job=job)))
    assert published > 0

    assert_complete(service, job, undisturbed_result)


@mostly_on_rabbitmq
def test_a_frozen_worker(
    service: RunningService, worker: Process, job: str, undisturbed_result: dict[str, object]
) -> None:
    freeze_at_work(service, worker, job)
    service.start_worker("second")
    time.sleep(3 * LEASE_SECONDS)
    wait_for(lambda: open_pages(service, job) == 0, "the other worker has finished", seconds=60)
    result = service.wait(job), service.result(job)

    worker.signal_all(signal.SIGCONT)

    wait_for(lambda: service.attempts(job, "refused") > 0, "the late answer is refused", seconds=30)
    assert_complete(service, job, undisturbed_result)
    assert (service.wait(job), service.result(job)) == result


@mostly_on_rabbitmq
def test_many_short_jobs_and_a_killed_worker(service: RunningService, worker: Process, tmp_path: Path) -> None:
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


def test_an_upload_while_the_broker_is_down(
    service: RunningService, worker: Process, long_pdf: Path, undisturbed_result: object
) -> None:
    service.backends.stop_broker()
    try:
        job_id = service.upload(long_pdf)
        assert service.job(job_id)["job"]["status"] == "PENDING"
    finally:
        service.backends.start_broker()

    assert service.wait(job_id) == "COMPLETED"
    assert service.result(job_id) == undisturbed_result


DOUBLE_EVERYTHING = """
import random
from apps.jobs import workflow
from apps.jobs.models import Step
steps = Step.objects.filter(job_id={job!r}, stage="extract", state__in=["pending", "running"])
messages = [workflow.Message.of(step) for step in steps] * 10
random.shuffle(messages)
print(sum(workflow.send_step(message) for message in messages))
"""
