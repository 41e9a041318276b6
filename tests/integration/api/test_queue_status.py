"""The queue status on a real database and a real Valkey: its figures, its token and its errors."""

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
from tests.fakes.workers import register_worker
from tests.integration.api.conftest import Api, code_of
from tests.services import flush_redis

ADDRESS = "/api/queue-statusz"
PARSE = "parse_raw_file_job"


@pytest.fixture
def broker(settings: Any, valkey_url: str) -> Iterator[str]:
    """Connect Celery's application of this process to a Valkey of its own."""
    before = settings.CELERY_BROKER_URL
    settings.CELERY_BROKER_URL = valkey_url
    use_broker(valkey_url)
    yield valkey_url
    use_broker(before)
    flush_redis(valkey_url)


def use_broker(url: str) -> None:
    """Let Celery's application of this process publish there and drop its other connections."""
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
    """Return a job that is already split, with an open step for each of its pages."""
    job = ParseJob.objects.get(pk=api.parse().json()["id"])
    Step.objects.filter(job=job).update(state=StepState.SUCCEEDED)
    Step.objects.bulk_create(
        Step(job=job, project_id=job.project_id, stage=stage, queue=queue, first_page=number, last_page=number, **facts)
        for number in range(1, pages + 1)
    )
    return job


def test_a_document_that_waits_to_be_split_is_one_message(api: Api, broker: str) -> None:
    assert status(PARSE)["total_messages"] == 0

    api.parse()
    api.parse()

    response = status(PARSE)
    assert response | {"queues": []} == {"status": "ok", "queue_prefix": PARSE, "total_messages": 2, "queues": []}
    assert [one["name"] for one in response["queues"]] == [PARSE, f"{PARSE}_pages"]
    assert queue(PARSE)["waiting"] == 2
    assert queue(PARSE)["broker_messages"] == 2


def test_each_range_is_one_message_and_its_pages_are_counted(api: Api, broker: str, settings: Any) -> None:
    settings.PAGES_PER_RANGE = 4
    job = job_with(api, stage=Stage.EXTRACT, queue=f"{PARSE}_pages", pages=0)
    make_ranges(job, range(1, 11))

    found = queue(f"{PARSE}_pages")

    assert (found["messages"], found["open_pages"]) == (3, 10)


def test_a_message_that_the_broker_lost_still_counts(api: Api, broker: str) -> None:
    api.parse()
    flush_redis(broker)

    assert status(PARSE)["total_messages"] == 1
    assert queue(PARSE)["broker_messages"] == 0


def test_a_page_for_ocr_counts_in_the_queue_where_it_waits(api: Api, broker: str) -> None:
    job = job_with(api, stage=Stage.RECOGNIZE, queue="ocr_cpu", pages=5)
    steps = Step.objects.filter(job=job, queue="ocr_cpu")

    assert (status("ocr")["total_messages"], status(PARSE)["total_messages"]) == (5, 0)
    steps.filter(first_page__lte=3).update(sent_at=Now())  # three pages wait for rendering
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

    found = queue("llm")

    assert (found["messages"], found["waiting"], found["in_flight"], found["open_pages"]) == (3, 2, 1, 3)


def test_a_paused_queue_is_marked_and_its_work_counts(api: Api, broker: str) -> None:
    job_with(api, stage=Stage.RECOGNIZE, queue="ocr_cpu", pages=5)
    pauses.pause(name=f"{PARSE}_pages", by="tester")

    paused = [one["name"] for one in status()["queues"] if one["paused"]]

    assert sorted(paused) == ["ocr_cpu", "ocr_gpu", f"{PARSE}_pages"]
    assert status("ocr")["total_messages"] == 5


def test_the_age_of_the_oldest_message_is_reported(api: Api, broker: str) -> None:
    job = job_with(api, stage=Stage.MODEL, queue="llm", pages=2)
    ParseJob.objects.filter(pk=job.pk).update(updated_at=Now() - timedelta(minutes=10))

    assert queue("llm")["oldest_age_seconds"] == pytest.approx(600, abs=30)
    assert queue("agent")["oldest_age_seconds"] is None


def test_the_work_is_estimated_from_the_latest_attempts(api: Api, broker: str, finish: Any) -> None:
    assert queue("llm")["work_seconds"] is None
    finish(api.parse().json()["id"])
    PageAttempt.objects.update(ended_at=F("started_at") + timedelta(seconds=6))
    api.parse()

    found = queue(PARSE)

    assert found["work_seconds"] > 0
    assert found["estimated_seconds"] is None, "there is no worker"
    assert (found["consumers"], found["healthy"]) == (0, False)


def test_the_work_is_divided_among_the_live_workers(api: Api, broker: str, finish: Any) -> None:
    finish(api.parse().json()["id"])
    PageAttempt.objects.update(ended_at=F("started_at") + timedelta(seconds=6))
    api.parse()

    register_worker(PARSE, width=4)
    gone = register_worker(PARSE, width=8)
    workers.record_worker_stopped(gone)
    found = queue(PARSE)

    assert (found["consumers"], found["healthy"]) == (1, True)
    assert found["estimated_seconds"] == pytest.approx(found["work_seconds"] / 4, abs=0.1)


def test_an_unknown_prefix_has_no_work(transactional_db: None, broker: str) -> None:
    assert status("nothing") == {"status": "ok", "queue_prefix": "nothing", "total_messages": 0, "queues": []}


def test_the_number_of_queries_does_not_depend_on_the_number_of_jobs(api: Api, broker: str) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            status()
        return len(queries)

    api.parse()
    one = count_queries()
    for _ in range(5):
        api.parse()

    assert count_queries() == one <= 6


def test_an_unavailable_broker_is_an_error_and_not_zero(api: Api) -> None:
    response = api.get(ADDRESS, {"queue_prefix": PARSE})

    assert code_of(response, 503) == "broker_unavailable"
    assert "total_messages" not in response.json()


def test_without_a_configured_token_no_token_is_needed(transactional_db: None, broker: str) -> None:
    assert status(authorization="Bearer whatever")["status"] == "ok"


def test_a_configured_token_is_required(transactional_db: None, broker: str, settings: Any) -> None:
    settings.QUEUE_STATUS_TOKEN = "for-the-autoscaler"

    assert status(authorization="Bearer for-the-autoscaler")["status"] == "ok"
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic for-the-autoscaler"}):
        client = Client(headers=wrong)
        response = client.get(ADDRESS)
        assert code_of(response, 401) == "unauthenticated"
        assert "QUEUE_STATUS_TOKEN" in response.json()["detail"]
