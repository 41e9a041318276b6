"""rescue_jobs: recover work that a broker or a worker lost. Every worker runs it on a timer, one at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from apps.jobs import workflow
from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.scheduling import workers
from apps.jobs.scheduling.advance import advance_job, end_print
from apps.jobs.scheduling.claims import end_job, fail_pages, reclaim
from apps.jobs.scheduling.dispatch import dispatch_again, dispatch_due, is_paused
from apps.jobs.scheduling.leader_lock import acquire_leader_lock
from apps.jobs.scheduling.moves import move_steps
from apps.jobs.scheduling.pauses import paused_names
from apps.jobs.states import NEXT_STAGE, OPEN_JOBS, OPEN_STEPS, JobState, Stage, StepMove, StepState
from apps.pages.model.errors import PageError

logger = logging.getLogger(__name__)

BATCH = 500
GRACE = timedelta(minutes=5)


class DeadlineExceeded(PageError):
    """The job took longer than it may. Parse fewer pages at once, or send longer processing_control.timeouts."""

    code = "job_deadline_exceeded"


@dataclass
class Rescued:
    """Counts of what one run recovered."""

    leases: int = 0
    sent: int = 0
    sent_again: int = 0
    advanced: int = 0
    overdue: int = 0

    def __bool__(self) -> bool:
        return any([self.leases, self.sent, self.sent_again, self.advanced, self.overdue])


def rescue_jobs(*, accept_written_answer: Callable[[Step], bool], reclaims: bool = True) -> Rescued | None:
    """Send lost work again or end it, once. Return None when another process is doing so.

    ``accept_written_answer`` belongs to the OCR stage: it accepts an answer in storage whose message was lost.
    ``reclaims`` False leaves expired leases alone: after an outage of the database live workers renew theirs first.
    """
    if not acquire_leader_lock("rescue_jobs", duration=timedelta(seconds=settings.RESCUE_SECONDS * 0.8)):
        return None
    found = Rescued()
    if reclaims:
        expired = Step.objects.filter(state=StepState.RUNNING, lease_expires_at__lt=Now()).select_related("job")
        found.leases = sum(reclaim(step) for step in expired[:BATCH])

    # Fail the pages that are open at the deadline, so that the others are assembled. A job that is not assembled within
    # GRACE fails as a whole. Jobs that wait for a paused queue are left alone: ``resume`` extends their deadlines.
    paused = Step.objects.filter(job_id=OuterRef("pk"), queue__in=paused_names(), state=StepState.PENDING, sent_at=None)
    overdue = ParseJob.objects.filter(~Exists(paused), state__in=OPEN_JOBS, deadline_at__lt=Now())
    printing = Q(stage=Stage.CONVERT, document_pages__isnull=False)  # a print never fails a job: its pages can be read
    late = Q(deadline_at__lt=Now() - GRACE) | ~Q(stage__in=[*NEXT_STAGE, Stage.ASSEMBLE])
    for job in overdue.filter(printing)[:BATCH]:
        with transaction.atomic():
            if move_steps(Step.objects.filter(job=job, stage=job.stage), StepMove.EXPIRE):
                end_print(job, reason="No worker of the queue convert printed it in time.")
                found.overdue += 1
    for job in overdue.exclude(printing).filter(late)[:BATCH]:
        with transaction.atomic():
            found.overdue += end_job(job.pk, JobState.FAILED, error=DeadlineExceeded())
    for job in overdue.filter(stage__in=NEXT_STAGE)[:BATCH]:
        with transaction.atomic():
            move_steps(Step.objects.filter(job=job, stage=job.stage), StepMove.EXPIRE)
            fail_pages(JobPage.objects.filter(job=job), DeadlineExceeded())
        found.overdue += 1

    # The worker that ended the last step of a stage may have died before it could advance the job.
    open_step = Step.objects.filter(job_id=OuterRef("pk"), state__in=OPEN_STEPS)
    stuck = ParseJob.objects.filter(~Exists(open_step), state=JobState.RUNNING, stage__in=NEXT_STAGE)
    found.advanced = sum(advance_job(job_id=job_id) for job_id in stuck.values_list("pk", flat=True)[:BATCH])
    workers.move_pages_from_lost_gpu()
    found.sent = dispatch_due()
    found.sent_again = _resend_lost_messages(accept_written_answer)
    if found:
        logger.warning("rescue_jobs: %s", found)
    return found


def _resend_lost_messages(accept_written_answer: Callable[[Step], bool]) -> int:
    """Send rows again that have not begun although their queue is empty, or has begun rows that were sent later."""
    again = 0
    for queue in settings.QUEUES:
        waiting = Step.objects.filter(
            _message_in(queue), state=StepState.PENDING, sent_at__lt=Now() - settings.RESEND_AFTER
        ).order_by("sent_at")
        oldest = waiting.first()
        if oldest is None or is_paused(queue):
            continue
        if workflow.queue_length(queue) != 0:
            begun = Step.objects.filter(_message_in(queue), begun_at__isnull=False, sent_at__isnull=False)
            last = begun.order_by("-sent_at").values_list("sent_at", flat=True).first()
            waiting = waiting.filter(sent_at__lt=last) if last else waiting.none()
        for step in waiting.select_related("job")[:BATCH]:
            again += accept_written_answer(step) or dispatch_again(step)
    return again


def _message_in(queue: str) -> Q:
    """Select the steps whose message is in this queue: a page for OCR waits in the pages queue until rendered."""
    rendered = ~Q(image="")
    if queue in workflow.OCR_QUEUES:
        return rendered & Q(queue=queue)
    if queue == workflow.PAGES_QUEUE:
        return Q(queue=queue) | (Q(queue__in=workflow.OCR_QUEUES) & ~rendered)
    return Q(queue=queue)
