"""Pages that wait for money: how often they are claimed, and what wakes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from apps.accounts.models import Project, ProjectQuota
from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.scheduling.claims import Claim
from apps.jobs.stages.assemble import usage_of
from apps.jobs.stages.model_calls.budget_waits import MAX_WAITS, wait_for_money
from apps.jobs.states import OPEN_STEPS, JobState, PageState, Stage, StepState
from apps.providers.errors import BudgetReserved
from tests.documents.long import LINES_PER_PAGE
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, deliver, open_steps, run, run_to

pytestmark = pytest.mark.usefixtures("gateway", "shared_connections")
BALANCED = {"mode": "balanced", "tier": "cost_effective", "uses_models": True}
# A call for one of these pages reserves 6 cents, for the longest answer, and costs 0.75 where CHEAP, otherwise 2.7.
PRICES = ("2", "20")
CHEAP = {"input": 1768, "output": 200}
DUE = Q(not_before=None) | Q(not_before__lte=Now())
LONG = timedelta(seconds=60)


@contextmanager
def at_the_provider(step: Step, provider: FakeProvider) -> Iterator[threading.Thread]:
    """Let another worker do this step. Its call is in flight while the block runs, and has ended after it."""

    def work() -> None:
        deliver(step)
        connection.close()

    worker = threading.Thread(target=work)
    with provider.held():
        worker.start()
        provider.wait_for_requests(1)
        yield worker
    worker.join()


def waiting_pages(job: ParseJob) -> list[int]:
    """Return the pages that are not due for a long time."""
    steps = Step.objects.filter(job=job, state__in=OPEN_STEPS, not_before__gt=Now() + LONG)
    return list(steps.order_by("pk").values_list("first_page", flat=True))


def claims(job: ParseJob) -> dict[int, int]:
    """Return how often each page was claimed for a model. A claim raises the fence, and so does giving it back."""
    steps = Step.objects.filter(job=job, stage=Stage.MODEL, first_page__gt=0).exclude(state="split")
    return {step.first_page: (step.fence + 1) // 2 for step in steps}


def at_the_model(submit: Submit, *, pages: int, **options: Any) -> ParseJob:
    """Return a job whose pages wait for a model, each with a row of its own."""
    job = run_to(submit(pages=pages, lines=LINES_PER_PAGE, **BALANCED, options=options), Stage.MODEL)
    assert len(open_steps(job, Stage.MODEL)) == pages
    return job


def test_a_page_waits_until_a_call_gives_money_back(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, prices=PRICES)
    provider.count_tokens(**CHEAP)
    job = at_the_model(submit, pages=3, max_cost=0.1)
    first, second, third = open_steps(job, Stage.MODEL)

    with at_the_provider(first, provider):
        deliver(second)
        deliver(third)
        assert waiting_pages(job) == [2, 3]
    assert waiting_pages(job) == [3]  # the first page left enough for one

    run(job)
    assert (job.state, claims(job)) == (JobState.SUCCEEDED, {1: 1, 2: 2, 3: 2})
    assert JobPage.objects.filter(job=job, fallback="").count() == 3


def test_pages_for_which_nothing_is_left_fail_at_once_when_the_last_call_has_ended(
    submit: Submit, provider: FakeProvider
) -> None:
    deploy(provider, prices=PRICES)
    job = at_the_model(submit, pages=3, max_cost=0.08, on_budget="stop")
    first, *others = open_steps(job, Stage.MODEL)

    with at_the_provider(first, provider):
        for step in others:
            deliver(step)
        assert waiting_pages(job) == [2, 3]
    assert waiting_pages(job) == []

    run(job)
    failed = JobPage.objects.filter(job=job, state=PageState.FAILED, error_code="budget_exceeded")
    assert (failed.count(), claims(job)) == (2, {1: 1, 2: 2, 3: 2})
    assert usage_of(job)["requests"] == 1


def test_a_call_of_another_job_gives_the_projects_money_back(
    submit: Submit, project: Project, provider: FakeProvider
) -> None:
    deploy(provider, prices=PRICES)
    provider.count_tokens(**CHEAP)
    ProjectQuota.objects.create(project=project, dollars_per_day="0.10")
    one, other = at_the_model(submit, pages=1), at_the_model(submit, pages=1)

    with at_the_provider(open_steps(one, Stage.MODEL)[0], provider):
        deliver(open_steps(other, Stage.MODEL)[0])
        assert waiting_pages(other) == [1]

    assert waiting_pages(other) == []
    run(other)
    assert JobPage.objects.get(job=other).fallback == ""


def test_money_given_back_before_the_page_began_to_wait_is_not_missed(
    submit: Submit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(provider, prices=PRICES)
    provider.count_tokens(**CHEAP)
    job = at_the_model(submit, pages=2, max_cost=0.1)
    first, second = open_steps(job, Stage.MODEL)
    with at_the_provider(first, provider) as worker:

        def wait_late(claim: Claim, reserved: BudgetReserved) -> bool:
            provider.release()
            worker.join()  # before a connection is borrowed: on SQLite there is one
            return wait_for_money(claim, reserved)

        monkeypatch.setattr("apps.jobs.stages.model_calls.budget_waits.wait_for_money", wait_late)
        deliver(second)

    assert waiting_pages(job) == []


def test_a_page_that_always_loses_to_others_ends_over_the_budget(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, prices=PRICES)
    job = at_the_model(submit, pages=2, max_cost=0.1)
    first, second = open_steps(job, Stage.MODEL)
    Step.objects.filter(pk=second.pk).update(budget_waits=MAX_WAITS)

    with at_the_provider(first, provider):
        deliver(second)

    assert JobPage.objects.get(job=job, number=2).fallback == "budget_exceeded"


def test_24_pages_on_a_small_budget_are_claimed_at_most_ten_times_each(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider, prices=PRICES)
    provider.count_tokens(**CHEAP)
    provider.set_latency(0.5)
    job = at_the_model(submit, pages=24, max_cost=0.25)
    lock, taken = threading.Lock(), set[tuple[object, ...]]()

    def work() -> None:
        while Step.objects.filter(job=job, stage=Stage.MODEL, state__in=OPEN_STEPS).exists():
            with lock:
                due = Step.objects.filter(DUE, job=job, stage=Stage.MODEL, state=StepState.PENDING).order_by("pk")
                step = next((step for step in due if (step.pk, step.fence) not in taken), None)
                if step is not None:
                    taken.add((step.pk, step.fence))
            if step is not None:
                deliver(step)
                taken.discard((step.pk, step.fence))  # not claimed if another thread had the row locked: deliver again
            else:
                time.sleep(0.02)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(24)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run(job)

    assert JobPage.objects.filter(job=job, fallback="").count() == 24
    assert usage_of(job)["cost_usd"] == pytest.approx(24 * 0.007536)
    assert max(claims(job).values()) <= 10
    assert sum(claims(job).values()) <= 24 * 4


def test_a_draft_that_was_paid_for_is_the_answer_if_there_is_no_money_for_its_review(
    submit: Submit, provider: FakeProvider
) -> None:
    deploy(provider, "local", prices=PRICES)
    asked = {"mode": "agentic", "tier": "agentic", "uses_models": True}
    rich = run(submit(pages=1, lines=LINES_PER_PAGE, **asked, options={"disable_cache": True}))
    assert usage_of(rich)["requests"] == 2

    poor = run(submit(pages=1, lines=LINES_PER_PAGE, **asked, options={"disable_cache": True, "max_cost": 0.08}))

    assert usage_of(poor)["requests"] == 1
    assert JobPage.objects.get(job=poor).fallback == ""
    assert JobPage.objects.get(job=poor).facts["requests"] == 1
