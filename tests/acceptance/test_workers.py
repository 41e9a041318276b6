"""Real workers are known by their own word, on every set of parts, and outlive a database that is away."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.acceptance.parts import mostly_on_rabbitmq
from tests.acceptance.stack import Parts, Process, Stack, wait_for
from tests.acceptance.test_queue_status import NO_WORK, status


def row_of(stack: Stack, worker: Process) -> tuple[Any, ...] | None:
    """Name, width, seen_at and stopped_at of this very worker."""
    columns = "name, width, seen_at, stopped_at"
    rows = stack.rows(f"SELECT {columns} FROM jobs_worker WHERE pid = {worker.popen.pid}")
    return rows[0] if rows else None


def has_stopped(stack: Stack, worker: Process) -> bool:
    row = row_of(stack, worker)
    return row is not None and row[3] is not None


@mostly_on_rabbitmq
@pytest.mark.parametrize(
    "queues", [("parse_raw_file_job", "parse_raw_file_job_pages"), ("housekeeping",)], ids=["processes", "threads"]
)
def test_a_worker_says_that_it_is_there_and_that_it_goes(stack: Stack, queues: tuple[str, ...]) -> None:
    worker = stack.start_worker("told", *queues)
    wait_for(lambda: row_of(stack, worker) is not None, "the worker has a row", seconds=30)
    row = row_of(stack, worker)
    assert row is not None
    assert row[0].startswith("told")
    assert (row[1], row[3]) == (4 if queues == ("housekeeping",) else 2, None)

    worker.popen.send_signal(signal.SIGTERM)

    assert worker.popen.wait(30) == 0
    assert has_stopped(stack, worker)


@mostly_on_rabbitmq
def test_an_ocr_worker_is_written_down_by_housekeeping(stack: Stack) -> None:
    stack.start_worker("housekeeping", "housekeeping")
    worker = stack.start("ocr", sys.executable, "-m", "ocr_worker", "ocr_cpu")
    wait_for(lambda: row_of(stack, worker) is not None, "the worker has a row", seconds=60)

    worker.popen.send_signal(signal.SIGTERM)

    wait_for(lambda: has_stopped(stack, worker), "the worker says that it goes", seconds=30)


@mostly_on_rabbitmq
def test_a_worker_that_ends_what_it_holds_takes_nothing_more(stack: Stack, long_pdf: Path) -> None:
    worker = stack.start_worker()
    wait_for(lambda: row_of(stack, worker) is not None, "the worker has a row", seconds=30)
    job_id = stack.upload(long_pdf)
    wait_for(lambda: stack.pages_in(job_id, "succeeded") > 0, "a page is read", seconds=60)

    worker.popen.send_signal(signal.SIGTERM)

    wait_for(lambda: has_stopped(stack, worker), "the worker says that it goes", seconds=30)
    worker.popen.wait(60)
    stack.run_python(NO_WORK)


def test_consumers_are_known_on_every_broker(stack: Stack) -> None:
    stack.run_python("from apps.jobs.models import Worker; Worker.objects.all().delete()")
    assert status(stack)["queues"][0]["consumers"] == 0

    stack.start_worker()

    wait_for(lambda: status(stack)["queues"][0]["consumers"] == 1, "one worker is told", seconds=30)


def _nothing() -> None:
    """These parts are stopped by their own test."""


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[Stack, services.Service]]:
    """A service whose PostgreSQL may be stopped."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "data").mkdir()
    redis = services.start_redis(tmp_path / "redis")
    database = services.start_postgres(tmp_path)
    environment = {"CELERY_BROKER_URL": redis.url, "REDIS_URL": redis.url, "DATABASE_URL": database.url}
    parts = Parts("own", environment, flush=_nothing, stop_broker=_nothing, start_broker=_nothing)
    stack = Stack(parts, tmp_path / "data")
    stack.prepare()
    yield stack, database
    stack.stop()
    database.close()
    redis.close()


@pytest.mark.long
def test_a_database_that_is_away_ends_no_worker(lonely: tuple[Stack, services.Service]) -> None:
    stack, database = lonely
    worker = stack.start_worker()
    wait_for(lambda: row_of(stack, worker) is not None, "the worker has a row", seconds=30)
    before = row_of(stack, worker)
    database.stop()
    time.sleep(16)  # a word falls into it
    database.start()

    wait_for(lambda: row_of(stack, worker) != before, "the worker is heard again", seconds=60, pause=0.5)
    assert worker.popen.poll() is None
