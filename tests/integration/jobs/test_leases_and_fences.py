"""A dead, late or duplicate worker only makes a job slower."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from apps.documents import storage
from apps.jobs import queries, workflow
from apps.jobs.commands.retry import retry_pages
from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import advance, claims, dispatch
from apps.jobs.scheduling.claims import reclaim_from_lost_worker
from apps.jobs.scheduling.rescue import rescue_jobs
from apps.jobs.stages import extract, recognize
from apps.jobs.states import JobState, PageState, Stage, StepState
from tests.integration.jobs.conftest import Submit, deliver, open_steps, rescue, run, run_to


def claim_and_die(step: Step) -> None:
    """Claim a step as a worker does, with a lease that has already expired."""
    claims.start_attempt(step_id=step.pk, fence=step.fence)
    Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())


def test_a_duplicate_message_starts_one_attempt(submit: Submit) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    (step,) = open_steps(job)

    deliver(step)
    deliver(step)

    assert PageAttempt.objects.filter(job=job, stage=Stage.EXTRACT).count() == 1
    assert run(job).state == JobState.SUCCEEDED


def test_a_range_whose_worker_died_is_reclaimed_in_halves(submit: Submit) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    (step,) = open_steps(job)

    claim_and_die(step)
    assert rescue().leases == 1

    assert [half.pages for half in open_steps(job)] == ["1-2", "3-4"]
    assert PageAttempt.objects.get(step_id=step.pk).outcome == AttemptOutcome.LEASE_LOST
    assert run(job).state == JobState.SUCCEEDED


def test_a_page_that_kills_every_worker_is_discarded_after_three_starts_alone(submit: Submit) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)

    while steps := [step for step in open_steps(job, Stage.EXTRACT) if step.first_page <= 3 <= step.last_page]:
        claim_and_die(steps[0])
        rescue()
    job = run(job)

    assert job.state == JobState.PARTIAL
    assert queries.page_counts(job.pk) == {PageState.SUCCEEDED: 3, PageState.FAILED: 1}
    failed = JobPage.objects.get(job=job, state=PageState.FAILED)
    assert (failed.number, failed.error_code) == (3, "page_crashed")
    alone = PageAttempt.objects.filter(job=job, first_page=3, last_page=3, outcome=AttemptOutcome.LEASE_LOST)
    assert alone.count() == 3


def test_the_result_of_a_reclaimed_step_is_discarded(submit: Submit) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)

    with claims.claim_step(step_id=step.pk, fence=step.fence) as frozen:
        assert frozen is not None
        Step.objects.filter(pk=step.pk).update(lease_expires_at=Now())
        rescue()
        (again,) = open_steps(job, Stage.EXTRACT)
        deliver(again)
        assert claims.complete(frozen) is False

    assert PageAttempt.objects.get(step_id=step.pk, fence=frozen.fence).outcome == AttemptOutcome.REFUSED
    assert JobPage.objects.get(job=job).state == PageState.SUCCEEDED


def test_rescue_advances_a_job_whose_worker_died_before_it_could(submit: Submit) -> None:
    job = run_to(submit(pages=4), Stage.EXTRACT)
    (step,) = open_steps(job)
    with claims.claim_step(
        step_id=step.pk, fence=step.fence
    ) as claim:  # dies after the commit, before it can advance the job
        assert claim is not None
        extract.extract_range(claim)

    assert rescue().advanced == 1
    assert run(job).state == JobState.SUCCEEDED


def test_a_job_is_advanced_once_by_several_calls(submit: Submit) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    deliver(open_steps(job)[0])

    for _ in range(3):
        advance.advance_if_done(job_id=job.pk, stage=Stage.EXTRACT)

    assert Step.objects.filter(job=job, stage=Stage.PLAN).count() == 1


def test_a_job_step_that_is_lost_three_times_fails_the_job(submit: Submit) -> None:
    job = submit(pages=1)

    for _ in range(3):
        claim_and_die(open_steps(job)[0])
        rescue()

    job.refresh_from_db()
    assert (job.state, job.error_code) == (JobState.FAILED, "internal_error")


def test_a_job_past_its_deadline_ends_with_the_pages_it_has(submit: Submit) -> None:
    job = run_to(submit(pages=8), Stage.EXTRACT)
    deliver(open_steps(job)[0])
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=Now())

    rescue()
    job = run(job)

    assert job.state == JobState.PARTIAL
    assert set(JobPage.objects.filter(job=job, number__gt=4).values_list("error_code", flat=True)) == {
        "job_deadline_exceeded"
    }


def test_a_page_that_is_parsed_again_until_the_deadline_keeps_its_text_with_a_warning(submit: Submit) -> None:
    job = run(submit(pages=2))
    text = storage.read(f"{job.result_folder}/text.txt")
    retry_pages(job=job, page_numbers=[2])
    ParseJob.objects.filter(pk=job.pk).update(deadline_at=Now())

    rescue()
    job = run(job)

    assert storage.read(f"{job.result_folder}/text.txt") == text
    assert [(warning["code"], warning["pages"]) for warning in job.warnings] == [("earlier_text_kept", 1)]


def test_one_process_at_a_time_rescues_jobs(submit: Submit) -> None:
    assert rescue_jobs(accept_written_answer=recognize.accept_written_answer) is not None
    assert rescue_jobs(accept_written_answer=recognize.accept_written_answer) is None


def test_an_attempt_is_counted_before_its_work(submit: Submit) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)

    claim_and_die(step)

    assert Step.objects.get(pk=step.pk).starts == 1
    assert JobPage.objects.get(job=job).attempts == 1


def test_a_step_of_a_killed_pool_process_is_reclaimed_before_its_lease_expires(submit: Submit) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)
    claims.start_attempt(step_id=step.pk, fence=step.fence)

    assert reclaim_from_lost_worker(step_id=step.pk, fence=step.fence) == step

    step.refresh_from_db()
    assert (step.state, step.sent_at) == (StepState.PENDING, None)
    assert reclaim_from_lost_worker(step_id=step.pk, fence=step.fence) is None


def test_a_lost_message_is_sent_again_once(submit: Submit) -> None:
    job = run_to(submit(pages=1), Stage.EXTRACT)
    (step,) = open_steps(job)
    Step.objects.filter(pk=step.pk).update(window="lost", sent_at=datetime(2026, 1, 1, 12, 0, 0, 0, tzinfo=UTC))
    step.refresh_from_db()

    dispatch.dispatch_again(step)
    dispatch.dispatch_again(step)  # another process that found the same lost message is too late

    step.refresh_from_db()
    assert step.window != "lost"
    assert step.sent_at is not None
    assert step.sent_at != datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_lost_message_is_found_beside_a_snoozed_row(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL, rows that were never sent sort before all others."""
    monkeypatch.setattr(workflow, "queue_length", lambda queue: 1)
    monkeypatch.setattr(workflow, "publish_step", lambda message: True)
    job = run_to(submit(pages=12), Stage.EXTRACT)
    lost, begun_later, snoozed = open_steps(job)
    in_an_hour = Now() + timedelta(hours=1)
    Step.objects.filter(pk=lost.pk).update(sent_at=Now() - timedelta(hours=1))
    Step.objects.filter(pk=begun_later.pk).update(
        state=StepState.RUNNING,
        sent_at=Now() - timedelta(minutes=5),
        begun_at=Now(),
        lease_expires_at=in_an_hour,
    )
    Step.objects.filter(pk=snoozed.pk).update(sent_at=None, begun_at=Now(), not_before=in_an_hour)

    assert rescue().sent_again == 1
