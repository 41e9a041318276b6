"""Pages for a model wait in rows of many pages, and are sent page by page as their windows allow.

The broker is replaced by a function that accepts every window and records it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import ParseJob, Step
from apps.jobs.scheduling import debounce, dispatch, queue_status
from apps.jobs.states import JobState, Stage, StepState
from apps.jobs.workflow import Message
from apps.pages.per_process import PerProcess
from tests.acceptance.running_service import wait_for
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run_to

pytestmark = pytest.mark.usefixtures("gateway")
BALANCED = {"mode": "balanced", "tier": "cost_effective", "uses_models": True}
Sent = list[Message]


@pytest.fixture
def sent(settings: Any, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider) -> Sent:
    """Return the messages for models, in the order in which they are sent."""
    deploy(provider)
    messages: Sent = []

    def record(window: Sequence[Message]) -> bool:
        messages.extend(message for message in window if message.stage is Stage.MODEL)
        return True

    monkeypatch.setattr("apps.jobs.workflow.publish_window", record)
    settings.QUEUES = settings.QUEUES | {"llm": replace(settings.QUEUES["llm"], window_per_job=4, window_per_project=6)}
    return messages


def pages(messages: Sequence[Message], job: ParseJob | None = None) -> list[str]:
    return [message.pages for message in messages if job is None or message.job == job.pk]


def unsent_pages(job: ParseJob) -> list[str]:
    return [step.pages for step in open_steps(job, Stage.MODEL) if step.sent_at is None]


def llm_status() -> tuple[int, int, int, int]:
    """Return messages, unsent ones, those in flight, and open pages of the queue ``llm``."""
    [status] = [queue for queue in queue_status.queue_status_of_rows() if queue.name == "llm"]
    return status.messages, status.unsent, status.in_flight, status.open_pages


def test_one_window_of_pages_is_sent_and_the_rest_waits_in_one_row(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)

    assert pages(sent) == ["1", "2", "3", "4"]
    assert unsent_pages(job) == ["5-10"]
    assert llm_status() == (10, 6, 0, 10)


def test_every_page_is_sent_once(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)

    for number in range(10):
        assert len(sent) > number, "no message was sent after the last page ended"
        deliver(Step.objects.get(pk=sent[number].step_id))
        in_broker = [step for step in open_steps(job, Stage.MODEL) if step.sent_at is not None]
        assert len(in_broker) <= 4

    assert pages(sent) == [str(number) for number in range(1, 11)]
    assert unsent_pages(job) == []
    assert run_to(job, Stage.DONE).state == JobState.SUCCEEDED


def test_the_job_advances_after_pages_that_end_together(
    submit: Submit, sent: Sent, shared_connections: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debounce, "_debouncer", PerProcess(debounce.Debouncer))
    debounce.start()
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)
    for number in range(10):
        wait_for(partial(has_sent, sent, number), "the next window is sent", seconds=5)
        deliver(Step.objects.get(pk=sent[number].step_id))

    wait_for(lambda: stage_of(job) != Stage.MODEL, "the job advances", seconds=5)
    assert pages(sent) == [str(number) for number in range(1, 11)]
    assert run_to(job, Stage.DONE).state == JobState.SUCCEEDED


def test_debounced_checks_run_when_the_worker_ends(
    submit: Submit, sent: Sent, shared_connections: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debounce, "_debouncer", PerProcess(debounce.Debouncer))
    monkeypatch.setattr(debounce, "INTERVAL_SECONDS", 3600.0)
    debounce.start()
    job = run_to(submit(pages=3, **BALANCED), Stage.MODEL)
    for message in sent:
        deliver(Step.objects.get(pk=message.step_id))
    assert stage_of(job) == Stage.MODEL

    debounce.end()

    assert stage_of(job) != Stage.MODEL


def test_a_failed_check_is_logged_and_the_next_one_advances_the_job(
    submit: Submit,
    sent: Sent,
    shared_connections: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(debounce, "_debouncer", PerProcess(debounce.Debouncer))
    debounce.start()
    job = run_to(submit(pages=3, **BALANCED), Stage.MODEL)
    first, second, third = [Step.objects.get(pk=message.step_id) for message in sent]
    deliver(first)
    with monkeypatch.context() as broken:
        broken.setattr("apps.jobs.queries.open_steps", None)
        deliver(second)
        wait_for(lambda: f"Job {job.pk} could not be advanced" in caplog.text, "the check fails", seconds=5)
    deliver(third)

    wait_for(lambda: stage_of(job) != Stage.MODEL, "the job advances", seconds=5)


def has_sent(sent: Sent, number: int) -> bool:
    """Return True if more messages than ``number`` were sent."""
    return len(sent) > number


def stage_of(job: ParseJob) -> str:
    job.refresh_from_db()
    return job.stage


def test_pages_with_gaps_wait_in_several_rows(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, target_pages="1,2,5-8", **BALANCED), Stage.MODEL)

    assert pages(sent) == ["1", "2", "5", "6"]
    assert unsent_pages(job) == ["7-8"]


def test_jobs_of_a_project_share_its_window(submit: Submit, sent: Sent) -> None:
    first, second = submit(pages=10, **BALANCED), submit(pages=10, **BALANCED)
    for job in (first, second):
        run_to(job, Stage.MODEL)

    assert (pages(sent, first), pages(sent, second)) == (["1", "2", "3", "4"], ["1", "2"])
    assert unsent_pages(second) == ["3-10"]


def test_pages_of_a_cancelled_job_are_not_sent(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)
    cancel_job(job=job)
    before = list(sent)

    for message in before:
        deliver(Step.objects.get(pk=message.step_id))
    dispatch.dispatch_due()

    assert sent == before
    assert llm_status() == (0, 0, 0, 0)
    assert set(Step.objects.filter(job=job, stage=Stage.MODEL).values_list("state", flat=True)) == {StepState.CANCELLED}


def test_pages_that_the_broker_did_not_accept_are_sent_later(
    submit: Submit, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broker:
        broker.setattr("apps.jobs.workflow.publish_window", lambda window: False)
        run_to(submit(pages=6, **BALANCED), Stage.MODEL)
    assert sent == []
    assert llm_status() == (6, 6, 0, 6)

    dispatch.dispatch_due()

    assert len(pages(sent)) == len(set(pages(sent))) == 4
    assert llm_status() == (6, 2, 0, 6)
