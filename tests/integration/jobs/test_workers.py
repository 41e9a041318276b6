"""Live workers: those that reported recently and have not reported that they stop."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.jobs import queries
from apps.jobs.models import Worker
from apps.jobs.queries import WorkersOfQueue
from apps.jobs.scheduling import workers
from tests.fakes.workers import register_worker, stop_heartbeat

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = ("parse_raw_file_job", "parse_raw_file_job_pages")


def test_a_worker_counts_for_each_of_its_queues_with_its_width() -> None:
    register_worker(*BOTH, width=4)
    register_worker(*BOTH, width=4)
    register_worker(BOTH[1], width=3)

    assert queries.live_workers() == {BOTH[0]: WorkersOfQueue(2, 8), BOTH[1]: WorkersOfQueue(3, 11)}


def test_a_stopped_or_silent_worker_is_not_live() -> None:
    workers.record_worker_stopped(register_worker("llm"))
    stop_heartbeat(register_worker("llm"))
    register_worker("llm", width=5)

    assert queries.live_workers() == {"llm": WorkersOfQueue(1, 5)}


def test_a_late_heartbeat_does_not_revive_a_stopped_worker() -> None:
    worker = Worker.objects.get(pk=register_worker("llm"))
    workers.record_worker_stopped(worker.pk)
    facts = workers.WorkerFacts(worker.pk, worker.name, worker.host, worker.pid, worker.queues, 1, "1.0")
    workers.record_worker(facts)

    assert queries.live_workers() == {}
    assert Worker.objects.count() == 1


def test_a_worker_that_was_silent_keeps_its_row() -> None:
    worker = Worker.objects.get(pk=register_worker("llm"))
    stop_heartbeat(worker.pk)
    workers.record_worker(workers.WorkerFacts(worker.pk, worker.name, worker.host, worker.pid, {"llm": 2}, 2, "1.0"))

    assert queries.live_workers() == {"llm": WorkersOfQueue(1, 2)}
    assert Worker.objects.get().started_at == worker.started_at


def test_a_heartbeat_is_one_statement() -> None:
    worker = Worker.objects.get(pk=register_worker("llm"))
    facts = workers.WorkerFacts(worker.pk, worker.name, worker.host, worker.pid, worker.queues, 2, "1.0")
    with CaptureQueriesContext(connection) as statements:
        workers.record_worker(facts)

    assert [query["sql"].split()[0] for query in statements if "jobs_worker" in query["sql"]] == ["UPDATE"]


def test_a_new_worker_deletes_rows_of_workers_gone_for_a_day() -> None:
    old, recent = register_worker("llm"), register_worker("llm")
    stop_heartbeat(old, ago=timedelta(hours=25))
    stop_heartbeat(recent, ago=timedelta(hours=23))
    new = register_worker("llm")

    assert set(Worker.objects.values_list("pk", flat=True)) == {recent, new}


def test_workers_whose_readers_a_document_could_leave_are_counted() -> None:
    for name, escapes in (("a", None), ("b", []), ("c", ["files", "signals"])):
        facts = workers.WorkerFacts(name, name, "host", 1, {"parse_raw_file_job_pages": 2}, 2, "1.0")
        workers.record_worker(facts)
        workers.record_worker(facts, escapes)
    workers.record_worker_stopped(register_worker("llm"))

    assert queries.workers_not_confined() == 1
