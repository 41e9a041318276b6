"""``events``: the progress of a job as server-sent events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.api.progress import events
from apps.api.v2 import long_poll
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.scheduling import moves
from apps.jobs.states import JobState, PageState
from tests.integration.api.conftest import PARSE, Api, Finish


@dataclass
class Stream:
    """The events of a response: names, ids and data as they came, and the comments between them."""

    response: Any

    def __iter__(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for block in self.response:
            fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if line)
            if "event" in fields:
                yield fields["event"], fields["id"], json.loads(fields["data"])


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE_SECONDS", 0.05)


def stream(api: Api, job_id: str, *, last: str = "") -> Stream:
    response = api.get(f"{PARSE}/{job_id}/events", headers={"last-event-id": last} if last else {})
    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    return Stream(response)


def test_the_events_of_a_job_end_with_the_job(api: Api) -> None:
    api.parse()
    job_id = api.parse().json()["id"]

    def cancel() -> None:
        cancel_job(job=ParseJob.objects.get(pk=job_id))
        connection.close()

    soon = threading.Timer(0.3, cancel)
    soon.start()
    received = list(stream(api, job_id))
    soon.join()

    (name, _, first), *_, (last_name, last_id, last) = received
    assert (name, last_name) == ("progress", "end")
    assert first["status"] == "PENDING"
    assert first["queue_position"] == 2
    assert first["pages"] == {"total": None, "done": 0, "succeeded": 0, "failed": 0}
    assert last == api.job(job_id).json()["job"]
    assert last["status"] == "CANCELLED"
    assert api.get(f"{PARSE}/{job_id}/events", headers={"last-event-id": last_id}).status_code == 204


def test_a_client_that_connects_again_gets_only_what_has_changed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 0.0)
    job_id = api.parse().json()["id"]
    job = ParseJob.objects.get(pk=job_id)
    ((_, first_id, _),) = stream(api, job_id)
    assert list(stream(api, job_id, last=first_id)) == []

    a_minute_ago = timezone.now() - timedelta(minutes=1)
    moves.move_jobs(ParseJob.objects.filter(pk=job_id), JobState.RUNNING, page_count=4, started_at=a_minute_ago)
    JobPage.objects.bulk_create(
        JobPage(job=job, number=number, state=state)
        for number, state in enumerate((PageState.SUCCEEDED, PageState.FAILED, PageState.RUNNING, PageState.PENDING), 1)
    )
    ((_, second_id, second),) = stream(api, job_id, last=first_id)
    assert second_id != first_id
    assert second["status"] == "RUNNING"
    assert second["queue_position"] is None
    assert second["pages"] == {"total": 4, "done": 2, "succeeded": 1, "failed": 1}
    assert 60 <= second["estimated_seconds"] < 120  # two pages took a minute


def test_a_finished_job_has_one_event(api: Api, finish: Finish) -> None:
    job_id = api.parse().json()["id"]
    finish(job_id)

    ((name, _, job),) = stream(api, job_id)
    assert name == "end"
    assert (job["status"], job["pages"]["succeeded"]) == ("COMPLETED", 1)


def test_a_stream_without_a_place_is_short_and_asks_for_a_pause(api: Api) -> None:
    job_id = api.parse().json()["id"]
    with ExitStack() as places:
        for _ in range(long_poll.MAX_WAITING):
            assert places.enter_context(long_poll.waiting_slot())
        blocks = list(api.get(f"{PARSE}/{job_id}/events"))

    assert blocks[0] == b"retry: 3000\n\n"
    assert len(blocks) == 2


def test_a_stream_without_news_stays_open(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(events, "MAX_STREAM_SECONDS", 0.5)
    job_id = api.parse().json()["id"]

    blocks = list(api.get(f"{PARSE}/{job_id}/events"))
    assert blocks[0] == b"retry: 500\n\n"
    assert blocks[1].startswith(b"event: progress\n")
    assert b": the job goes on\n\n" in blocks[2:]
    with ExitStack() as places:  # the stream has given its place back
        assert all(places.enter_context(long_poll.waiting_slot()) for _ in range(long_poll.MAX_WAITING))


def test_a_job_that_is_deleted_ends_its_events(api: Api) -> None:
    job_id = api.parse().json()["id"]
    received = []
    for name, _, data in stream(api, job_id):
        received.append((name, data.get("code")))
        ParseJob.objects.filter(pk=job_id).delete()
    assert received == [("progress", None), ("deleted", "not_found")]
