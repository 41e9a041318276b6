"""A message for a model contains several pages. They are claimed together, and each has a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db.models.functions import Now

from apps.jobs import tasks, workflow
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import claims
from apps.jobs.stages import model
from apps.jobs.stages.model_calls import page_threads
from apps.jobs.states import JobState, Stage, StepState
from apps.pages.per_process import PerProcess
from apps.providers.calls import gateway as calls_gateway
from apps.providers.calls.gateway import Gateway
from tests.fakes.deployments import deploy
from tests.fakes.fixtures import MakeGateway
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, open_steps, run, run_to

pytestmark = pytest.mark.usefixtures("gateway", "shared_connections")
BALANCED = {"mode": "balanced", "tier": "cost_effective", "uses_models": True}
Threads = page_threads.PageThreads


@pytest.fixture
def threads(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    """Parse pages in threads, as a worker does. Like a worker, import litellm before: that takes seconds."""
    gateway.warm_up()
    process_threads = PerProcess(Threads)
    monkeypatch.setattr(model, "page_threads", process_threads)
    process_threads().start(["llm"])
    yield process_threads()
    process_threads().finish()


@pytest.fixture
def job(submit: Submit, provider: FakeProvider) -> ParseJob:
    deploy(provider)
    job = run_to(submit(pages=6, **BALANCED), Stage.MODEL)
    Step.objects.filter(job=job, stage=Stage.MODEL).update(sent_at=Now())  # there is no broker
    return job


def fences(job: ParseJob) -> dict[int, int]:
    return {step.pk: step.fence for step in open_steps(job)}


def test_pages_of_a_message_are_parsed_at_the_same_time(
    job: ParseJob, provider: FakeProvider, threads: Threads
) -> None:
    with provider.held():
        model.parse_pages(queue="llm", fences=fences(job))
        provider.wait_for_requests(6)  # all before the first answer
    threads.finish()

    assert run(job).state == JobState.SUCCEEDED
    assert set(JobPage.objects.values_list("attempts", flat=True)) == {2}  # extracted, then parsed


def test_pages_that_ended_or_were_claimed_elsewhere_are_left_alone(job: ParseJob, threads: Threads) -> None:
    message = fences(job)
    cancelled, claimed, *_ = message
    Step.objects.filter(pk=cancelled).update(state=StepState.CANCELLED)
    claims.start_attempt(step_id=claimed, fence=message[claimed])

    model.parse_pages(queue="llm", fences=message)
    model.parse_pages(queue="llm", fences=message)  # the message arrives twice
    threads.finish()

    states = dict(Step.objects.filter(pk__in=message).values_list("pk", "state"))
    assert states.pop(cancelled) == StepState.CANCELLED
    assert states.pop(claimed) == StepState.RUNNING
    assert set(states.values()) == {StepState.SUCCEEDED}
    assert PageAttempt.objects.filter(stage=Stage.MODEL).count() == 5


def test_pages_without_a_free_thread_return_to_their_rows(
    job: ParseJob, threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "MAX_QUOTA_WAIT_SECONDS", 0.05)
    limit = threads.limit("llm")
    assert threads.acquire("llm", limit, seconds=0)

    model.parse_pages(queue="llm", fences=fences(job))
    rows = open_steps(job)
    threads.release("llm", limit)

    assert [(step.state, step.sent_at, step.fence) for step in rows] == [(StepState.PENDING, None, 0)] * 6
    assert all(step.not_before is not None for step in rows)
    Step.objects.update(not_before=Now())
    model.parse_pages(queue="llm", fences=fences(job))
    threads.finish()
    assert run(job).state == JobState.SUCCEEDED


def test_pages_wait_in_their_threads_while_others_call(
    job: ParseJob, provider: FakeProvider, threads: Threads, make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_gateway, "MAX_QUOTA_WAIT_SECONDS", 0.01)
    make_gateway(width=1)
    provider.set_latency(0.05)
    message = fences(job)

    model.parse_pages(queue="llm", fences=message)
    threads.finish()

    steps = Step.objects.filter(pk__in=message)
    assert [(step.state, step.fence) for step in steps] == [(StepState.SUCCEEDED, 1)] * 6  # none was snoozed


def test_one_message_has_several_pages(job: ParseJob, settings: Any) -> None:
    settings.QUEUES = settings.QUEUES | {"llm": replace(settings.QUEUES["llm"], width=64)}

    merged = workflow.merge_pages([workflow.Message.of(step) for step in open_steps(job)])

    assert [message.pages for message in merged] == ["1,2,3,4", "5,6"]
    first, *others = fences(job).items()
    assert workflow.signature_of(merged[0]).kwargs == {
        "step_id": first[0],
        "fence": first[1],
        "others": tuple(others[:3]),
        "job": job.pk,
        "pages": "1,2,3,4",
    }


def test_claim_of_many_pages_takes_few_statements(job: ParseJob, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(7):  # one by one they would be 36
        assert len(claims.start_attempts(fences(job))) == 6


def test_message_of_an_earlier_release_is_one_page(job: ParseJob) -> None:
    (step_id, fence), *_ = fences(job).items()

    tasks.parse_page_with_llm(step_id=step_id, fence=fence, job=job.pk, pages="1")

    assert Step.objects.filter(stage=Stage.MODEL, state=StepState.SUCCEEDED).count() == 1
