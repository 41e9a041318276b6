"""A step is claimed with a lease and a fence, and settled once."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Now

from apps.core import logs, tracing
from apps.core.database_connections import database_turn
from apps.jobs import workflow
from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import job_traces, retention
from apps.jobs.scheduling.leases import Lease, lease_keeper
from apps.jobs.states import JOB_SOURCES, OPEN_PAGES, OPEN_STEPS, PAGE_SOURCES, JobState, PageState, Stage, StepState
from apps.pages.layout.text_quality import NO_TEXT_LAYER
from apps.pages.model.errors import PageCrashed, ParseError, UnplannedError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A step that this process works on; ``fence`` is the one its result is accepted with."""

    step: Step
    fence: int
    lease: Lease

    @property
    def job(self) -> ParseJob:
        return self.step.job

    @property
    def attempt(self) -> str:
        """A name that no other attempt has, for what this one writes."""
        return f"{self.step.pk}.{self.fence}"


@contextmanager
def claim_step(*, step_id: int, fence: int) -> Iterator[Claim | None]:
    """Take a step and keep its lease while the block runs; None when it is held, settled, cancelled or overtaken."""
    with database_turn():
        step = _claim(step_id=step_id, fence=fence)
    if step is None:
        logger.info("Step %s with fence %s is not to be had: done, cancelled or taken over", step_id, fence)
        yield None
        return
    with keep_lease(step) as claim:
        yield claim


@contextmanager
def keep_lease(step: Step) -> Iterator[Claim]:
    """Keep the lease of a step that this process has claimed."""
    with (
        logs.about(**logs.job(step.job_id, step.pages)),
        tracing.within(step.job_id, job_traces.key_of(step)),
        lease_keeper().keep(step.pk, step.fence) as lease,
    ):
        yield Claim(step, step.fence, lease)


def create_claimed_step(*, job: ParseJob, stage: Stage) -> Step:
    """A step of the whole job that this process begins at once, without a message; inside the caller's transaction.

    When the process dies, rescue finds the lease and sends the step like any other.
    """
    step = Step(job=job, project_id=job.project_id, stage=stage, queue=workflow.QUEUE_OF_STAGE[stage])
    step.state, step.fence, step.starts = StepState.RUNNING, 1, 1
    step.sent_at, step.begun_at, step.lease_expires_at = Now(), Now(), Now() + settings.LEASE
    step.save(force_insert=True)
    _record_attempt(step)
    return step


@transaction.atomic
def _claim(*, step_id: int, fence: int) -> Step | None:
    """One guarded UPDATE decides; the attempt is on record before the work begins."""
    due = Q(not_before=None) | Q(not_before__lte=Now())
    won = Step.objects.filter(due, pk=step_id, fence=fence, state=StepState.PENDING).update(
        state=StepState.RUNNING,
        starts=F("starts") + 1,
        fence=F("fence") + 1,
        sent_at=Coalesce("sent_at", Now()),
        begun_at=Now(),
        lease_expires_at=Now() + settings.LEASE,
    )
    if not won:
        return None
    step = Step.objects.select_related("job").get(pk=step_id)
    _record_attempt(step)
    if step.first_page:
        pages_of(step).filter(state__in=PAGE_SOURCES[PageState.RUNNING]).update(
            state=PageState.RUNNING, attempts=F("attempts") + 1
        )
    elif step.stage == Stage.SPLIT:
        ParseJob.objects.filter(pk=step.job_id, state=JobState.PENDING).update(
            state=JobState.RUNNING, started_at=Now(), updated_at=Now()
        )
    return step


def _record_attempt(step: Step, *, worker: str = "") -> None:
    PageAttempt.objects.create(
        job_id=step.job_id,
        stage=step.stage,
        step_id=step.pk,
        fence=step.fence,
        first_page=step.first_page,
        last_page=step.last_page,
        worker=worker or f"{socket.gethostname()}:{os.getpid()}",
        started_at=Now(),
    )


def complete(claim: Claim) -> bool:
    """Accept the claim's result, inside the caller's transaction. Return False if it was reclaimed or cancelled.

    The caller must write nothing else then: results of a claim that was lost are discarded.
    """
    return _finish(claim, StepState.SUCCEEDED)


def fail(claim: Claim, *, error_code: str) -> bool:
    """End the step as failed, inside the caller's transaction. Return False as ``complete`` does."""
    return _finish(claim, StepState.FAILED, error_code)


def _finish(claim: Claim, state: StepState, error_code: str = "") -> bool:
    accepted = bool(
        Step.objects.filter(pk=claim.step.pk, fence=claim.fence, state=StepState.RUNNING).update(
            state=state, lease_expires_at=None
        )
    )
    outcome = AttemptOutcome.REFUSED
    if accepted:
        outcome = AttemptOutcome.ACCEPTED if state == StepState.SUCCEEDED else AttemptOutcome.FAILED
    else:
        logger.warning("The result of %s came too late and is refused (fence %s)", claim.step, claim.fence)
    _end_attempt(claim.step, outcome, error_code)
    return accepted


def wait_for_ocr(claim: Claim, *, image: str) -> bool:
    """The page is rendered and waits for OCR, with this claim's fence; False when the claim was overtaken.

    Waiting is neither an attempt nor a lease: both begin with the first word of an OCR worker.
    """
    with transaction.atomic():
        waits = Step.objects.filter(pk=claim.step.pk, fence=claim.fence, state=StepState.RUNNING).update(
            state=StepState.PENDING,
            starts=F("starts") - 1,
            sent_at=Now(),
            begun_at=None,
            lease_expires_at=None,
            image=image,
        )
        _uncount_attempt(claim, PageState.PENDING)
        if waits:
            job_traces.attempt_ended(claim.step, job_traces.RENDERED)
    return bool(waits)


@transaction.atomic
def claim_for_ocr(*, step_id: int, fence: int, worker: str) -> bool:
    """An OCR worker begins with a rendered page: the lease starts and the attempt counts. False when it had begun."""
    won = Step.objects.filter(~Q(image=""), pk=step_id, fence=fence, state=StepState.PENDING).update(
        state=StepState.RUNNING, starts=F("starts") + 1, begun_at=Now(), lease_expires_at=Now() + settings.LEASE
    )
    if won:
        step = Step.objects.get(pk=step_id)
        _record_attempt(step, worker=worker)
        pages_of(step).filter(state__in=PAGE_SOURCES[PageState.RUNNING]).update(
            state=PageState.RUNNING, attempts=F("attempts") + 1
        )
    return bool(won)


def retry(claim: Claim, error: ParseError) -> None:
    """Give up this attempt after an error of ours: the step is tried again a little later, or failed for good."""
    with transaction.atomic():
        if claim.step.starts >= settings.MAX_STARTS:
            if fail(claim, error_code=error.code):
                _discard(claim.step, error)
            return
        pause = timedelta(seconds=2**claim.step.starts)
        given_back = Step.objects.filter(pk=claim.step.pk, fence=claim.fence, state=StepState.RUNNING).update(
            state=StepState.PENDING,
            fence=F("fence") + 1,
            sent_at=None,
            lease_expires_at=None,
            not_before=Now() + pause,
            image="",
        )
        _end_attempt(claim.step, AttemptOutcome.FAILED, error.code, again=bool(given_back))
        if given_back:
            pages_of(claim.step).filter(state=PageState.RUNNING).update(state=PageState.PENDING)


def snooze(claim: Claim, *, pause: timedelta = timedelta(0), outage: bool = False) -> bool:
    """Give the step back untried, for the next ``send_due`` after the pause: waiting for a turn is not an attempt.

    ``outage``: it waits because its providers are out of order; the row remembers since when. False when the claim was
    overtaken or cancelled.
    """
    since = {"outage_since": Coalesce("outage_since", Now())} if outage else {}
    with transaction.atomic():
        given_back = Step.objects.filter(pk=claim.step.pk, fence=claim.fence, state=StepState.RUNNING).update(
            state=StepState.PENDING,
            fence=F("fence") + 1,
            starts=F("starts") - 1,
            sent_at=None,
            lease_expires_at=None,
            not_before=Now() + pause if pause else None,
            image="",
            **since,
        )
        if given_back:
            _uncount_attempt(claim, PageState.WAITING if pause else PageState.PENDING)
            job_traces.attempt_ended(claim.step, job_traces.SNOOZED, again=True)
    return bool(given_back)


def _uncount_attempt(claim: Claim, page_state: PageState) -> None:
    PageAttempt.objects.filter(step_id=claim.step.pk, fence=claim.fence).delete()
    pages_of(claim.step).filter(state=PageState.RUNNING).update(state=page_state, attempts=F("attempts") - 1)


def reclaim_from_lost_worker(*, step_id: int, fence: int) -> Step | None:
    """Give up a step whose worker is known to be dead; the step, None when it was not held like that.

    ``fence`` is the one in the message that the worker was working on.
    """
    step = Step.objects.select_related("job").filter(pk=step_id, fence=fence + 1, state=StepState.RUNNING).first()
    if step is None or not reclaim(step):
        return None
    return step


@transaction.atomic
def reclaim(step: Step) -> bool:
    """What a lost worker held is sent again: a range in halves, one page or a job's step as it is, up to the last
    start. False when the step was settled or renewed meanwhile."""
    held = Step.objects.filter(pk=step.pk, fence=step.fence, state=StepState.RUNNING)
    last_start = step.starts >= settings.MAX_STARTS
    if step.page_total > 1:
        gone = held.update(state=StepState.SPLIT, fence=F("fence") + 1, lease_expires_at=None)
    elif last_start:
        gone = held.update(state=StepState.FAILED, fence=F("fence") + 1, lease_expires_at=None)
    else:
        gone = held.update(state=StepState.PENDING, fence=F("fence") + 1, sent_at=None, lease_expires_at=None, image="")
    if not gone:
        return False
    logger.warning("The worker of %s was lost (start %s)", step, step.starts)
    _end_attempt(step, AttemptOutcome.LEASE_LOST, "worker_lost", again=step.page_total > 1 or not last_start)
    if step.page_total > 1:
        _halve(step)
    elif last_start:
        _discard(step, PageCrashed() if step.first_page else UnplannedError())
        return True
    pages_of(step).filter(state=PageState.RUNNING).update(state=PageState.PENDING)
    return True


def _halve(step: Step) -> None:
    middle = (step.first_page + step.last_page) // 2
    halves = (step.first_page, middle), (middle + 1, step.last_page)
    Step.objects.bulk_create(step.part(first, last) for first, last in halves)


def _discard(step: Step, error: ParseError) -> None:
    """A page that was started too often fails alone; a step of the whole job takes the job with it."""
    if step.first_page:
        fail_pages(pages_of(step), error)
    else:
        end_job(step.job_id, JobState.FAILED, error=error)


def fail_pages(pages, error: ParseError) -> None:  # type: ignore[no-untyped-def]
    """Open pages fail with the error's code; one that has an accepted result from before, with text, keeps it. Where
    a model was to parse it, that is its deterministic text."""
    without_text = Q(content="") | Q(needs_ocr=NO_TEXT_LAYER)
    without_model = Q(mode="") | Q(mode="fast")
    pages.filter(state__in=OPEN_PAGES).update(
        state=Case(When(without_text, then=Value(PageState.FAILED.value)), default=Value(PageState.SUCCEEDED.value)),
        fallback=Case(When(without_text | without_model, then=Value("")), default=Value(error.code)),
        error_code=error.code,
        error_detail=error.detail,
    )


def end_job(job_id: str, state: JobState, *, error: ParseError | None = None, **facts: object) -> bool:
    """Close the job once, with everything of it that is still open; False when it had ended before."""
    won = ParseJob.objects.filter(pk=job_id, state__in=JOB_SOURCES[state]).update(
        state=state,
        stage=Stage.DONE,
        finished_at=Now(),
        updated_at=Now(),
        error_code=error.code if error else "",
        error_detail=error.detail if error else "",
        **retention.expiry_at_end(job_id),
        **facts,
    )
    if won and state in (JobState.FAILED, JobState.CANCELLED):
        _close_open_work(job_id, state, error)
    if won:
        job_traces.job_ended(job_id)
    return bool(won)


def _close_open_work(job_id: str, state: JobState, error: ParseError | None) -> None:
    Step.objects.filter(job_id=job_id, state__in=OPEN_STEPS).update(
        state=StepState.CANCELLED, fence=F("fence") + 1, lease_expires_at=None
    )
    pages = JobPage.objects.filter(job_id=job_id)
    if state == JobState.FAILED and error is not None:
        fail_pages(pages, error)
    else:
        pages.filter(state__in=OPEN_PAGES).update(state=PageState.CANCELLED)


def pages_of(step: Step):  # type: ignore[no-untyped-def]
    """The page rows of a step's range; for a step of the whole job there are none."""
    return JobPage.objects.filter(job_id=step.job_id, number__range=(step.first_page, step.last_page))


def _end_attempt(step: Step, outcome: AttemptOutcome, error_code: str, *, again: bool = False) -> None:
    job_traces.attempt_ended(step, outcome, error_code=error_code, again=again)
    PageAttempt.objects.filter(step_id=step.pk, fence=step.fence).update(
        outcome=outcome, ended_at=Now(), error_code=error_code
    )
