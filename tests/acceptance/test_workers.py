"""Real workers register and report that they stop, on every set of backends, and survive a database outage."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.acceptance.backends import mostly_on_rabbitmq
from tests.acceptance.running_service import Backends, Process, RunningService, wait_for
from tests.acceptance.test_queue_status import NO_WORK, status


def row_of(service: RunningService, worker: Process) -> tuple[Any, ...] | None:
    """Return name, width, seen_at and stopped_at of this worker, or None before it has registered."""
    columns = "name, width, seen_at, stopped_at"
    rows = service.rows(f"SELECT {columns} FROM jobs_worker WHERE pid = {worker.popen.pid}")
    return rows[0] if rows else None


def has_stopped(service: RunningService, worker: Process) -> bool:
    row = row_of(service, worker)
    return row is not None and row[3] is not None


@mostly_on_rabbitmq
@pytest.mark.parametrize(
    "queues", [("parse_raw_file_job", "parse_raw_file_job_pages"), ("housekeeping",)], ids=["processes", "threads"]
)
def test_a_worker_registers_and_records_its_stop(service: RunningService, queues: tuple[str, ...]) -> None:
    worker = service.start_worker("named", *queues)
    wait_for(lambda: row_of(service, worker) is not None, "the worker has a row", seconds=30)
    row = row_of(service, worker)
    assert row is not None
    assert row[0].startswith("named")
    assert (row[1], row[3]) == (4 if queues == ("housekeeping",) else 2, None)

    worker.popen.send_signal(signal.SIGTERM)

    assert worker.popen.wait(30) == 0
    assert has_stopped(service, worker)


@mostly_on_rabbitmq
def test_housekeeping_records_an_ocr_worker(service: RunningService) -> None:
    service.start_worker("housekeeping", "housekeeping")
    worker = service.start("ocr", sys.executable, "-m", "ocr_worker", "ocr_cpu")
    wait_for(lambda: row_of(service, worker) is not None, "the worker has a row", seconds=60)

    worker.popen.send_signal(signal.SIGTERM)

    wait_for(lambda: has_stopped(service, worker), "the stop is recorded", seconds=30)


@mostly_on_rabbitmq
def test_a_worker_that_finishes_its_work_is_recorded_as_stopped(service: RunningService, long_pdf: Path) -> None:
    worker = service.start_worker()
    wait_for(lambda: row_of(service, worker) is not None, "the worker has a row", seconds=30)
    job_id = service.upload(long_pdf)
    wait_for(lambda: service.pages_in(job_id, "succeeded") > 0, "a page is done", seconds=60)

    worker.popen.send_signal(signal.SIGTERM)

    wait_for(lambda: has_stopped(service, worker), "the stop is recorded", seconds=30)
    worker.popen.wait(60)
    service.run_python(NO_WORK)


def test_the_queue_status_counts_consumers_on_every_broker(service: RunningService) -> None:
    service.run_python("from apps.jobs.models import Worker; Worker.objects.all().delete()")
    assert status(service)["queues"][0]["consumers"] == 0

    service.start_worker()

    wait_for(lambda: status(service)["queues"][0]["consumers"] == 1, "one consumer is reported", seconds=30)


def _nothing() -> None:
    """Do nothing: the test itself stops these backends."""


@pytest.fixture
def service_and_database(tmp_path: Path) -> Iterator[tuple[RunningService, services.Service]]:
    """A service with its own PostgreSQL, which the test may stop."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "data").mkdir()
    redis = services.start_redis(tmp_path / "redis")
    database = services.start_postgres(tmp_path)
    environment = {"CELERY_BROKER_URL": redis.url, "REDIS_URL": redis.url, "DATABASE_URL": database.url}
    backends = Backends("own", environment, flush=_nothing, stop_broker=_nothing, start_broker=_nothing)
    service = RunningService(backends, tmp_path / "data")
    service.prepare()
    yield service, database
    service.stop()
    database.close()
    redis.close()


@pytest.mark.long
def test_a_worker_survives_a_database_outage(service_and_database: tuple[RunningService, services.Service]) -> None:
    service, database = service_and_database
    worker = service.start_worker()
    wait_for(lambda: row_of(service, worker) is not None, "the worker has a row", seconds=30)
    before = row_of(service, worker)
    database.stop()
    time.sleep(16)  # a heartbeat is due during the outage
    database.start()

    wait_for(lambda: row_of(service, worker) != before, "the worker reports again", seconds=60, pause=0.5)
    assert worker.popen.poll() is None
