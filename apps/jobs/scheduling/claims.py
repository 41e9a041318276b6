"""Claim a step with a lease and a fence, and end the claim once: complete, fail, retry, snooze, reclaim or discard."""

from __future__ import annotations

import logging
import os
import random
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from apps.core import logs, tracing
from apps.core.database_connections import borrowed_connection, retried_on_conflict
from apps.jobs import webhook_events, workflow
from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import job_traces, retention
from apps.jobs.scheduling.advance import end_print
from apps.jobs.scheduling.leases import Lease, lease_renewer
from apps.jobs.scheduling.moves import move_jobs, move_pages, move_steps
from apps.jobs.states import JobState, PageState, Stage, StepMove, StepState
from apps.pages.model.errors import ConverterCrashed, PageCrashed, ParseError, UnplannedError
from apps.pages.model.ocr_reasons import NO_TEXT_LAYER

logger = logging.getLogger(__name__)

MAX_OUTAGE_BACKOFF_SECONDS = 10.0
DATABASE_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Claim:
    """A step that this process works on. Its result is accepted only with this ``fence``."""

    step: Step
    fence: int
    lease: Lease

    @property
    def job(self) -> ParseJob:
        return self.step.job

    @property
    def attempt(self) -> str:
        """The name of this attempt, unique, for the files that it writes."""
        return f"{self.step.pk}.{self.fence}"


@contextmanager
def claim_step(*, step_id: int, fence: int) -> Iterator[Claim | None]:
    """Claim a step and keep its lease while the block runs.

    Yield None if the step is done, cancelled, not due yet, or was claimed since ``fence``.
    """
    with borrowed_connection():
        step = start_attempt(step_id=step_id, fence=fence)
    if step is None:
        logger.info(
            "Step %s (fence %s) could not be claimed: done, cancelled or claimed by another worker", step_id, fence
        )
        yield None
        return
    with renewed_lease(step) as claim:
        yield claim


@contextmanager
def renewed_lease(step: Step) -> Iterator[Claim]:
    """Renew the lease of a step that this process has claimed while the block runs."""
    with (
        logs.about(**logs.job(step.job_id, step.pages)),
        tracing.within(step.job_id, job_traces.key_of(step)),
        lease_renewer().renewing(step.pk, step.fence) as lease,
    ):
        yield Claim(step, step.fence, lease)


def create_claimed_step(*, job: ParseJob, stage: Stage) -> Step:
    """Create a step of the whole job that this process works on at once, inside the caller's transaction.

    No message is sent. If the process dies, rescue finds the expired lease and sends the step like any other.
    """
    step = Step(job=job, project_id=job.project_id, stage=stage, queue=workflow.QUEUE_OF_STAGE[stage])
    step.state, step.fence, step.starts = StepState.RUNNING, 1, 1
    step.sent_at, step.begun_at, step.lease_expires_at = Now(), Now(), Now() + settings.LEASE
    step.save(force_insert=True)
    _record_attempts([step])
    return step


def start_attempt(*, step_id: int, fence: int) -> Step | None:
    """Claim a step, and record the attempt before the work begins. Return None if it cannot be claimed."""
    claimed = start_attempts({step_id: fence})
    return claimed[0] if claimed else None


@retried_on_conflict
@transaction.atomic
def start_attempts(fences: Mapping[int, int]) -> list[Step]:
    """Claim steps of one job by one guarded UPDATE, and record the attempts before the work begins.

    ``fences`` maps the ids of the steps to the fences in their messages. Return the steps that could be claimed.
    ``renewed_lease`` renews their leases.
    """
    due = Q(not_before=None) | Q(not_before__lte=Now())
    # A row that another process has locked is being claimed or cancelled there.
    rows = Step.objects.select_for_update(skip_locked=True, of=("self",)).select_related("job")
    waiting = rows.filter(due, pk__in=fences, state=StepState.PENDING).order_by("pk")
    steps = [step for step in waiting if step.fence == fences[step.pk]]
    if not steps:
        return []
    move_steps(Step.objects.filter(pk__in=[step.pk for step in steps]), StepMove.CLAIM)
    for step in steps:
        step.job = steps[0].job
        step.state, step.fence, step.starts = StepState.RUNNING, step.fence + 1, step.starts + 1
        step.begun_at = timezone.now()
    _record_attempts(steps)
    numbers = [number for step in steps if step.first_page for number in range(step.first_page, step.last_page + 1)]
    if numbers:
        pages = JobPage.objects.filter(job_id=steps[0].job_id, number__in=numbers)
        move_pages(pages, PageState.RUNNING, attempts=F("attempts") + 1)
    elif steps[0].stage == Stage.SPLIT:
        first_start = ParseJob.objects.filter(pk=steps[0].job_id, state=JobState.PENDING)
        if move_jobs(first_start, JobState.RUNNING, started_at=Now()):
            webhook_events.record(steps[0].job_id, JobState.RUNNING)
    return steps


def postpone(fences: Mapping[int, int], *, delay: timedelta) -> None:
    """Return steps that were sent, and not claimed yet, to their rows for after ``delay``."""
    for fence in set(fences.values()):
        steps = [step_id for step_id, each in fences.items() if each == fence]
        move_steps(Step.objects.filter(pk__in=steps, fence=fence), StepMove.POSTPONE, not_before=Now() + delay)


@transaction.atomic
def claim_for_ocr(*, step_id: int, fence: int, worker: str) -> bool:
    """Start the lease and count the attempt when an OCR worker begins with a rendered page.

    Return False if it had begun before.
    """
    rendered = Step.objects.filter(~Q(image=""), pk=step_id, fence=fence)
    if not move_steps(rendered, StepMove.CLAIM_FOR_OCR):
        return False
    step = Step.objects.get(pk=step_id)
    _record_attempts([step], worker=worker)
    move_pages(pages_of(step), PageState.RUNNING, attempts=F("attempts") + 1)
    return True


def _record_attempts(steps: Iterable[Step], *, worker: str = "") -> None:
    PageAttempt.objects.bulk_create(
        PageAttempt(
            job_id=step.job_id,
            stage=step.stage,
            step_id=step.pk,
            fence=step.fence,
            first_page=step.first_page,
            last_page=step.last_page,
            worker=worker or f"{socket.gethostname()}:{os.getpid()}",
            started_at=Now(),
        )
        for step in steps
    )


def complete(claim: Claim) -> bool:
    """Accept the claim's result, inside the caller's transaction. Return False if it was reclaimed or cancelled.

    In that case the caller must write nothing else: the results of a lost claim are discarded.
    """
    return _end(claim, StepMove.COMPLETE, AttemptOutcome.ACCEPTED)


def complete_together(claims: Iterable[Claim]) -> list[Claim]:
    """Accept the results of several claims, inside the caller's transaction. Return those that were accepted.

    A step that another transaction has locked is left out, so that two transactions never wait for each other. Call
    ``complete`` for it afterwards.
    """
    by_step = {claim.step.pk: claim for claim in claims}
    running = Step.objects.select_for_update(skip_locked=True).filter(pk__in=by_step, state=StepState.RUNNING)
    fences = dict(running.values_list("pk", "fence"))
    accepted = [claim for step_id, claim in by_step.items() if fences.get(step_id) == claim.fence]
    steps = [claim.step.pk for claim in accepted]
    move_steps(Step.objects.filter(pk__in=steps), StepMove.COMPLETE)
    # Of all attempts at a step only the one with the current fence is running.
    PageAttempt.objects.filter(step_id__in=steps, outcome=AttemptOutcome.RUNNING).update(
        outcome=AttemptOutcome.ACCEPTED, ended_at=Now()
    )
    for claim in accepted:
        job_traces.attempt_ended(claim.step, AttemptOutcome.ACCEPTED)
    return accepted


def fail(claim: Claim, *, error_code: str) -> bool:
    """End the step as failed, inside the caller's transaction. Return False as ``complete`` does."""
    return _end(claim, StepMove.FAIL, AttemptOutcome.FAILED, error_code)


def discard(claim: Claim, error: ParseError) -> None:
    """Fail the step, and with it its pages, or the job if it is a step of the whole job. It is not retried.

    A job goes on without its print.
    """
    with transaction.atomic():
        if fail(claim, error_code=error.code):
            _fail_work_of(claim.step, error)


def _end(claim: Claim, move: StepMove, outcome: AttemptOutcome, error_code: str = "") -> bool:
    accepted = move_steps(_claimed(claim.step), move)
    if not accepted:
        logger.warning(
            "The result of %s (fence %s) is refused: the step was reclaimed or cancelled", claim.step, claim.fence
        )
    _end_attempt(claim.step, outcome if accepted else AttemptOutcome.REFUSED, error_code)
    return bool(accepted)


def wait_for_ocr(claim: Claim, *, image: str) -> bool:
    """Let the rendered page wait for OCR with this claim's fence. Return False if the claim was lost.

    A waiting page has no lease, and rendering is not counted as an attempt: both start when an OCR worker starts.
    """
    with transaction.atomic():
        waits = move_steps(_claimed(claim.step), StepMove.WAIT_FOR_OCR, image=image)
        _uncount_attempt(claim, PageState.PENDING)
        if waits:
            job_traces.attempt_ended(claim.step, job_traces.RENDERED)
    return bool(waits)


def retry(claim: Claim, error: ParseError) -> None:
    """Retry the step with exponential backoff, or discard it after the last start."""
    if claim.step.starts >= settings.MAX_STARTS:
        discard(claim, error)
        return
    with transaction.atomic():
        backoff = timedelta(seconds=2**claim.step.starts)
        again = move_steps(_claimed(claim.step), StepMove.RETRY, not_before=Now() + backoff)
        _end_attempt(claim.step, AttemptOutcome.FAILED, error.code, again=bool(again))
        if again:
            move_pages(pages_of(claim.step).filter(state=PageState.RUNNING), PageState.PENDING)


def snooze(claim: Claim, *, delay: timedelta = timedelta(0), outage: bool = False) -> bool:
    """Return the step to the queue for after ``delay``, without counting an attempt.

    ``outage``: the providers are unavailable; the row keeps the time of the first such snooze. Return False if the
    claim was lost.
    """
    with transaction.atomic():
        snoozed = move_steps(
            _claimed(claim.step),
            StepMove.SNOOZE,
            not_before=Now() + delay if delay else None,
            outage_since=Coalesce("outage_since", Now()) if outage else F("outage_since"),
        )
        if snoozed:
            _uncount_attempt(claim, PageState.WAITING if delay else PageState.PENDING)
            job_traces.attempt_ended(claim.step, job_traces.SNOOZED, again=True)
    return bool(snoozed)


def snooze_in_outage(claim: Claim, reason: str) -> None:
    """Snooze the step with exponential backoff, because a part of the service is away. No attempt is counted.

    If that part is the database, wait until it is back. The job's deadline ends the snoozing.
    """
    snoozes = max(0, claim.fence - claim.step.starts) // 2  # a snooze and the claim after it raise the fence by two
    seconds = min(MAX_OUTAGE_BACKOFF_SECONDS, 2.0 ** min(snoozes, 8)) * random.uniform(0.75, 1.25)
    logger.warning("%s waits %.0f s and is tried again: %s", claim.step, seconds, reason)
    while not claim.lease.is_lost():
        try:
            with borrowed_connection():
                snooze(claim, delay=timedelta(seconds=seconds))
        except (OperationalError, InterfaceError):
            time.sleep(DATABASE_RETRY_SECONDS)
        else:
            return


def _uncount_attempt(claim: Claim, page_state: PageState) -> None:
    PageAttempt.objects.filter(step_id=claim.step.pk, fence=claim.fence).delete()
    running = pages_of(claim.step).filter(state=PageState.RUNNING)
    move_pages(running, page_state, attempts=F("attempts") - 1)


def reclaim_from_lost_worker(*, step_id: int, fence: int) -> Step | None:
    """Reclaim a step whose worker is known to be dead. Return it, or None if the worker had no claim on it any more.

    ``fence`` is the one in the message that the worker received.
    """
    step = Step.objects.select_related("job").filter(pk=step_id, fence=fence + 1, state=StepState.RUNNING).first()
    if step is None or not reclaim(step):
        return None
    return step


@transaction.atomic
def reclaim(step: Step) -> bool:
    """Return the step of a lost worker to the queue, a range in halves. Discard it after its last start.

    Return False if the step ended or was claimed again meanwhile.
    """
    last_start = step.starts >= settings.MAX_STARTS
    move = StepMove.DISCARD if last_start else StepMove.RECLAIM
    if step.page_total > 1:
        move = StepMove.RECLAIM_IN_HALVES
    if not move_steps(_claimed(step), move):
        return False
    logger.warning("The worker of %s was lost (start %s)", step, step.starts)
    _end_attempt(step, AttemptOutcome.LEASE_LOST, "worker_lost", again=move is not StepMove.DISCARD)
    if move is StepMove.DISCARD:
        crashed = ConverterCrashed() if step.stage == Stage.CONVERT else UnplannedError()
        _fail_work_of(step, PageCrashed() if step.first_page else crashed)
        return True
    if move is StepMove.RECLAIM_IN_HALVES:
        middle = (step.first_page + step.last_page) // 2
        halves = (step.first_page, middle), (middle + 1, step.last_page)
        Step.objects.bulk_create(step.part(first, last) for first, last in halves)
    move_pages(pages_of(step).filter(state=PageState.RUNNING), PageState.PENDING)
    return True


def _fail_work_of(step: Step, error: ParseError) -> None:
    """Fail the pages of the step, or the job if it is a step of the whole job. End a print: it never fails the job."""
    if step.first_page:
        fail_pages(pages_of(step), error)
    elif step.job.is_printing:
        end_print(step.job, reason=error.detail)
    else:
        end_job(step.job_id, JobState.FAILED, error=error)


def fail_pages(pages: QuerySet[JobPage], error: ParseError) -> None:
    """Fail open pages with the error's code.

    A page with accepted text keeps it and succeeds; it is marked ``fallback`` if a model was to parse it.
    """
    without_text = Q(content="") | Q(needs_ocr=NO_TEXT_LAYER)
    without_model = Q(mode="") | Q(mode="fast")
    why = {"error_code": error.code, "error_detail": error.detail}
    move_pages(pages.filter(without_text), PageState.FAILED, fallback="", **why)
    move_pages(pages.filter(~without_text, without_model), PageState.SUCCEEDED, fallback="", **why)
    move_pages(pages.filter(~without_text, ~without_model), PageState.SUCCEEDED, fallback=error.code, **why)


def end_job(job_id: str, state: JobState, *, error: ParseError | None = None, **facts: object) -> bool:
    """End the job and all its open work. Return False if it had ended before."""
    ended = move_jobs(
        ParseJob.objects.filter(pk=job_id),
        state,
        stage=Stage.DONE,
        finished_at=Now(),
        error_code=error.code if error else "",
        error_detail=error.detail if error else "",
        **retention.expiry_at_end(job_id),
        **facts,
    )
    if not ended:
        return False
    if state in (JobState.FAILED, JobState.CANCELLED):
        move_steps(Step.objects.filter(job_id=job_id), StepMove.CANCEL)
        pages = JobPage.objects.filter(job_id=job_id)
        if state == JobState.FAILED and error is not None:
            fail_pages(pages, error)
        else:
            move_pages(pages, PageState.CANCELLED)
    webhook_events.record(job_id, state)
    job_traces.job_ended(job_id)
    return True


def pages_of(step: Step) -> QuerySet[JobPage]:
    """Return the page rows of a step's range; none for a step of the whole job."""
    return JobPage.objects.filter(job_id=step.job_id, number__range=(step.first_page, step.last_page))


def _claimed(step: Step) -> QuerySet[Step]:
    return Step.objects.filter(pk=step.pk, fence=step.fence)


def _end_attempt(step: Step, outcome: AttemptOutcome, error_code: str, *, again: bool = False) -> None:
    job_traces.attempt_ended(step, outcome, error_code=error_code, again=again)
    PageAttempt.objects.filter(step_id=step.pk, fence=step.fence).update(
        outcome=outcome, ended_at=Now(), error_code=error_code
    )
