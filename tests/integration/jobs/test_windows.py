"""Pages that go to a model wait in runs, a row each, and are sent page by page as windows open. The broker's end is
ours: it takes every window and remembers it."""

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
    """The messages for models, in the order in which they were sent."""
    deploy(provider)
    messages: Sent = []

    def take(window: Sequence[Message]) -> bool:
        messages.extend(message for message in window if message.stage is Stage.MODEL)
        return True

    monkeypatch.setattr("apps.jobs.workflow.send_window", take)
    settings.QUEUES = settings.QUEUES | {"llm": replace(settings.QUEUES["llm"], window_per_job=4, window_per_project=6)}
    return messages


def pages(messages: Sequence[Message], job: ParseJob | None = None) -> list[str]:
    return [message.pages for message in messages if job is None or message.job == job.pk]


def waiting(job: ParseJob) -> list[str]:
    return [step.pages for step in open_steps(job, Stage.MODEL) if step.sent_at is None]


def llm_now() -> tuple[int, int, int, int]:
    [status] = [queue for queue in queue_status.queue_status_of_rows() if queue.name == "llm"]
    return status.messages, status.unsent, status.in_flight, status.open_pages


def test_a_window_of_pages_is_sent_and_the_rest_waits_in_one_row(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)

    assert pages(sent) == ["1", "2", "3", "4"]
    assert waiting(job) == ["5-10"]
    assert llm_now() == (10, 6, 0, 10)


def test_every_page_is_sent_once_as_windows_open(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)

    for number in range(10):
        assert len(sent) > number, "the window closed, and no other was sent"
        deliver(Step.objects.get(pk=sent[number].step_id))
        in_broker = [step for step in open_steps(job, Stage.MODEL) if step.sent_at is not None]
        assert len(in_broker) <= 4

    assert pages(sent) == [str(number) for number in range(1, 11)]
    assert waiting(job) == []
    assert run_to(job, Stage.DONE).state == JobState.SUCCEEDED


def test_of_pages_that_end_together_the_last_one_moves_the_job_on(
    submit: Submit, sent: Sent, shared_connections: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debounce, "_debouncer", PerProcess(debounce.Debouncer))
    debounce.start()
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)
    for number in range(10):
        wait_for(partial(_is_sent, sent, number), "the next window is sent", seconds=5)
        deliver(Step.objects.get(pk=sent[number].step_id))

    wait_for(lambda: stage_of(job) != Stage.MODEL, "the job goes on", seconds=5)
    assert pages(sent) == [str(number) for number in range(1, 11)]
    assert run_to(job, Stage.DONE).state == JobState.SUCCEEDED


def test_pages_that_ended_when_the_worker_ends_are_looked_at(
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


def test_a_look_that_goes_wrong_is_told_and_the_next_one_finds_the_job(
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
        wait_for(lambda: f"Job {job.pk} could not be advanced" in caplog.text, "the look goes wrong", seconds=5)
    deliver(third)

    wait_for(lambda: stage_of(job) != Stage.MODEL, "the job goes on", seconds=5)


def _is_sent(sent: Sent, number: int) -> bool:
    return len(sent) > number


def stage_of(job: ParseJob) -> str:
    job.refresh_from_db()
    return job.stage


def test_pages_with_gaps_between_them_wait_in_several_rows(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, target_pages="1,2,5-8", **BALANCED), Stage.MODEL)

    assert pages(sent) == ["1", "2", "5", "6"]
    assert waiting(job) == ["7-8"]


def test_jobs_of_a_project_share_its_window(submit: Submit, sent: Sent) -> None:
    first, second = submit(pages=10, **BALANCED), submit(pages=10, **BALANCED)
    for job in (first, second):
        run_to(job, Stage.MODEL)

    assert (pages(sent, first), pages(sent, second)) == (["1", "2", "3", "4"], ["1", "2"])
    assert waiting(second) == ["3-10"]


def test_pages_of_a_cancelled_job_are_not_sent_any_more(submit: Submit, sent: Sent) -> None:
    job = run_to(submit(pages=10, **BALANCED), Stage.MODEL)
    cancel_job(job=job)
    before = list(sent)

    for message in before:
        deliver(Step.objects.get(pk=message.step_id))
    dispatch.send_due()

    assert sent == before
    assert llm_now() == (0, 0, 0, 0)
    assert set(Step.objects.filter(job=job, stage=Stage.MODEL).values_list("state", flat=True)) == {StepState.CANCELLED}


def test_pages_that_the_broker_did_not_take_are_sent_later(
    submit: Submit, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr("apps.jobs.workflow.send_window", lambda window: False)
        run_to(submit(pages=6, **BALANCED), Stage.MODEL)
    assert sent == []
    assert llm_now() == (6, 6, 0, 6)

    dispatch.send_due()

    assert len(pages(sent)) == len(set(pages(sent))) == 4
    assert llm_now() == (6, 2, 0, 6)
