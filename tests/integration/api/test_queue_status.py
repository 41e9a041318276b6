"""The queue status on a real database and a real Valkey: what it counts, whom it answers, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from kombu import pools

from apps.jobs import workflow
from apps.jobs.models import PageAttempt, ParseJob, Step
from apps.jobs.scheduling import pauses, workers
from apps.jobs.stages.extract import make_ranges
from apps.jobs.states import Stage, StepState
from tests.fakes.workers import a_worker
from tests.integration.api.conftest import Api, code_of
from tests.services import flush_redis

ADDRESS = "/api/queue-statusz"
PARSE = "parse_raw_file_job"


@pytest.fixture
def broker(settings: Any, valkey_url: str) -> Iterator[str]:
    """Celery's application of this process on a Valkey of its own."""
    before = settings.CELERY_BROKER_URL
    settings.CELERY_BROKER_URL = valkey_url
    use_broker(valkey_url)
    yield valkey_url
    use_broker(before)
    flush_redis(valkey_url)


def use_broker(url: str) -> None:
    """From here on Celery's application of this process publishes there; its connections to another are forgotten."""
    app: Any = workflow._app()
    app.conf.update(broker_url=url)
    app._after_fork()
    pools.reset()


def status(prefix: str | None = None, **headers: str) -> dict[str, Any]:
    response = Client(headers=headers).get(ADDRESS, {} if prefix is None else {"queue_prefix": prefix})
    assert response.status_code == 200, response.content
    return dict(response.json())


def queue(name: str) -> dict[str, Any]:
    found = [one for one in status(name)["queues"] if one["name"] == name]
    return dict(found[0])


def job_with(api: Api, *, stage: Stage, queue: str, pages: int, **facts: Any) -> ParseJob:
    """A job that has been opened, and the step of each of its pages."""
    job = ParseJob.objects.get(pk=api.parse().json()["id"])
    Step.objects.filter(job=job).update(state=StepState.SUCCEEDED)
    Step.objects.bulk_create(
        Step(job=job, project_id=job.project_id, stage=stage, queue=queue, first_page=number, last_page=number, **facts)
        for number in range(1, pages + 1)
    )
    return job


def test_a_document_that_waits_to_be_opened_is_one_message(api: Api, broker: str) -> None:
    assert status(PARSE)["total_messages"] == 0

    api.parse()
    api.parse()

    answer = status(PARSE)
    assert answer | {"queues": []} == {"status": "ok", "queue_prefix": PARSE, "total_messages": 2, "queues": []}
    assert [one["name"] for one in answer["queues"]] == [PARSE, f"{PARSE}_pages"]
    assert queue(PARSE)["waiting"] == 2
    assert queue(PARSE)["broker_messages"] == 2


def test_each_range_is_a_message_and_its_pages_are_told(api: Api, broker: str, settings: Any) -> None:
    settings.PAGES_PER_RANGE = 4
    job = job_with(api, stage=Stage.EXTRACT, queue=f"{PARSE}_pages", pages=0)
    make_ranges(job, range(1, 11))

    told = queue(f"{PARSE}_pages")

    assert (told["messages"], told["open_pages"]) == (3, 10)


def test_what_the_broker_forgot_still_counts(api: Api, broker: str) -> None:
    api.parse()
    flush_redis(broker)

    assert status(PARSE)["total_messages"] == 1
    assert queue(PARSE)["broker_messages"] == 0


def test_a_page_for_ocr_counts_where_it_waits(api: Api, broker: str) -> None:
    job = job_with(api, stage=Stage.RECOGNIZE, queue="ocr_cpu", pages=5)
    steps = Step.objects.filter(job=job, queue="ocr_cpu")

    assert (status("ocr")["total_messages"], status(PARSE)["total_messages"]) == (5, 0)
    steps.filter(first_page__lte=3).update(sent_at=Now())  # a worker is asked to render these three
    assert (status("ocr")["total_messages"], status(PARSE)["total_messages"]) == (2, 3)
    steps.filter(first_page=1).update(image="jobs/rendered")
    assert (status("ocr")["total_messages"], status(PARSE)["total_messages"]) == (3, 2)
    assert status()["total_messages"] == 5


def test_a_page_that_waits_for_quota_is_a_message_and_one_being_parsed_is_in_flight(api: Api, broker: str) -> None:
    job = job_with(api, stage=Stage.MODEL, queue="llm", pages=4)
    steps = Step.objects.filter(job=job, queue="llm")
    steps.filter(first_page=1).update(not_before=Now() + timedelta(hours=1))
    steps.filter(first_page=2).update(state=StepState.RUNNING, sent_at=Now())
    steps.filter(first_page=3).update(state=StepState.FAILED)

    told = queue("llm")

    assert (told["messages"], told["waiting"], told["in_flight"], told["open_pages"]) == (3, 2, 1, 3)


def test_a_paused_queue_says_so_and_its_work_counts(api: Api, broker: str) -> None:
    job_with(api, stage=Stage.RECOGNIZE, queue="ocr_cpu", pages=5)
    pauses.pause(name=f"{PARSE}_pages", by="tester")

    paused = [one["name"] for one in status()["queues"] if one["paused"]]

    assert sorted(paused) == ["ocr_cpu", "ocr_gpu", f"{PARSE}_pages"]
    assert status("ocr")["total_messages"] == 5


def test_how_long_the_oldest_message_has_been_there(api: Api, broker: str) -> None:
    job = job_with(api, stage=Stage.MODEL, queue="llm", pages=2)
    ParseJob.objects.filter(pk=job.pk).update(updated_at=Now() - timedelta(minutes=10))

    assert queue("llm")["oldest_age_seconds"] == pytest.approx(600, abs=30)
    assert queue("agent")["oldest_age_seconds"] is None


def test_the_work_is_estimated_from_the_newest_attempts(api: Api, broker: str, finish: Any) -> None:
    assert queue("llm")["work_seconds"] is None
    finish(api.parse().json()["id"])
    PageAttempt.objects.update(ended_at=F("started_at") + timedelta(seconds=6))
    api.parse()

    told = queue(PARSE)

    assert told["work_seconds"] > 0
    assert told["estimated_seconds"] is None, "there is no worker"
    assert (told["consumers"], told["healthy"]) == (0, False)


def test_the_work_is_shared_by_the_workers_that_are_there(api: Api, broker: str, finish: Any) -> None:
    finish(api.parse().json()["id"])
    PageAttempt.objects.update(ended_at=F("started_at") + timedelta(seconds=6))
    api.parse()

    a_worker(PARSE, width=4)
    gone = a_worker(PARSE, width=8)
    workers.record_worker_stopped(gone)
    told = queue(PARSE)

    assert (told["consumers"], told["healthy"]) == (1, True)
    assert told["estimated_seconds"] == pytest.approx(told["work_seconds"] / 4, abs=0.1)


def test_an_unknown_prefix_has_no_work(transactional_db: None, broker: str) -> None:
    assert status("nothing") == {"status": "ok", "queue_prefix": "nothing", "total_messages": 0, "queues": []}


def test_it_asks_few_questions_however_many_jobs_there_are(api: Api, broker: str) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            status()
        return len(asked)

    api.parse()
    one = questions()
    for _ in range(5):
        api.parse()

    assert questions() == one <= 6


def test_a_broker_that_does_not_answer_is_an_error_and_not_zero(api: Api) -> None:
    response = api.get(ADDRESS, {"queue_prefix": PARSE})

    assert code_of(response, 503) == "broker_unavailable"
    assert "total_messages" not in response.json()


def test_without_a_token_set_everybody_is_answered(transactional_db: None, broker: str) -> None:
    assert status(authorization="Bearer whatever")["status"] == "ok"


def test_with_a_token_set_it_is_asked_for(transactional_db: None, broker: str, settings: Any) -> None:
    settings.QUEUE_STATUS_TOKEN = "for-the-autoscaler"

    assert status(authorization="Bearer for-the-autoscaler")["status"] == "ok"
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic for-the-autoscaler"}):
        client = Client(headers=wrong)
        response = client.get(ADDRESS)
        assert code_of(response, 401) == "unauthenticated"
        assert "QUEUE_STATUS_TOKEN" in response.json()["detail"]
