"""Which workers are there: those that said so lately and have not said that they go."""

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


def test_one_that_went_or_fell_silent_is_not_there() -> None:
    workers.record_worker_stopped(register_worker("llm"))
    stop_heartbeat(register_worker("llm"))
    register_worker("llm", width=5)

    assert queries.live_workers() == {"llm": WorkersOfQueue(1, 5)}


def test_one_that_ends_what_it_holds_does_not_come_back_by_a_late_word() -> None:
    worker = Worker.objects.get(pk=register_worker("llm"))
    workers.record_worker_stopped(worker.pk)
    facts = workers.WorkerFacts(worker.pk, worker.name, worker.host, worker.pid, worker.queues, 1, "1.0")
    workers.record_worker(facts)

    assert queries.live_workers() == {}
    assert Worker.objects.count() == 1


def test_one_that_was_not_heard_for_a_while_is_the_same_when_it_is_heard_again() -> None:
    worker = Worker.objects.get(pk=register_worker("llm"))
    stop_heartbeat(worker.pk)
    workers.record_worker(workers.WorkerFacts(worker.pk, worker.name, worker.host, worker.pid, {"llm": 2}, 2, "1.0"))

    assert queries.live_workers() == {"llm": WorkersOfQueue(1, 2)}
    assert Worker.objects.get().started_at == worker.started_at


def test_a_word_is_one_statement() -> None:
    worker = Worker.objects.get(pk=register_worker("llm"))
    facts = workers.WorkerFacts(worker.pk, worker.name, worker.host, worker.pid, worker.queues, 2, "1.0")
    with CaptureQueriesContext(connection) as asked:
        workers.record_worker(facts)

    assert [query["sql"].split()[0] for query in asked if "jobs_worker" in query["sql"]] == ["UPDATE"]


def test_a_newcomer_clears_away_who_has_been_gone_for_a_day() -> None:
    old, recent = register_worker("llm"), register_worker("llm")
    stop_heartbeat(old, ago=timedelta(hours=25))
    stop_heartbeat(recent, ago=timedelta(hours=23))
    new = register_worker("llm")

    assert set(Worker.objects.values_list("pk", flat=True)) == {recent, new}
