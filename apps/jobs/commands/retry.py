"""Parse pages of an ended job again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.core import tracing
from apps.core.database_connections import retried_on_conflict
from apps.jobs import queries, webhook_events
from apps.jobs.errors import IllegalMove
from apps.jobs.models import Annotation, JobPage, ParseJob
from apps.jobs.scheduling.advance import annotate_or_assemble
from apps.jobs.scheduling.dispatch import dispatch_pages_of, start_job_step
from apps.jobs.scheduling.moves import move_jobs, move_pages
from apps.jobs.stages.extract import make_ranges
from apps.jobs.states import RETRYABLE_JOBS, JobState, PageState, Stage
from apps.pages.model.errors import PageOutOfRange


@retried_on_conflict
def retry_pages(*, job: ParseJob, page_numbers: Sequence[int] | None = None) -> ParseJob:
    """Parse pages of an ended job again; by default the failed ones.

    The old result is served until the new one is accepted. A job that failed before its pages were counted starts
    over, one whose annotation failed is annotated again, one whose result is missing from storage is assembled again.
    Raises IllegalMove and PageOutOfRange.
    """
    with transaction.atomic():
        all_pages = JobPage.objects.filter(job=job)
        if page_numbers is None:
            numbers = list(all_pages.filter(state=PageState.FAILED).values_list("number", flat=True))
            if not numbers and all_pages.exists() and not job.annotation and not queries.has_lost_result(job):
                raise IllegalMove("No page of this job failed. Send the numbers of the pages to parse again.")
        else:
            numbers = list(all_pages.filter(number__in=page_numbers).values_list("number", flat=True))
            if unknown := set(page_numbers) - set(numbers):
                raise PageOutOfRange(f"The job has no page {min(unknown)}. Send page numbers of this job.")
        is_parsed = not numbers and all_pages.exists()
        stage = Stage.EXTRACT if numbers else Stage.ANNOTATE if is_parsed else Stage.SPLIT
        reopened = move_jobs(
            ParseJob.objects.filter(pk=job.pk, state__in=RETRYABLE_JOBS),
            JobState.RUNNING,
            stage=stage,
            finished_at=None,
            error_code="",
            error_detail="",
            deadline_at=Now() + timedelta(seconds=settings.MAX_JOB_SECONDS),
        )
        if not reopened:
            raise IllegalMove("A running or cancelled job cannot be retried. Wait until it ends, or create a new job.")
        webhook_events.record(job.pk, JobState.RUNNING)
        empty = {"error_code": "", "error_detail": "", "mode": "", "mode_reason": "", "fallback": "", "facts": {}}
        move_pages(all_pages.filter(number__in=numbers), PageState.PENDING, **empty)
        if is_parsed:
            annotate_or_assemble(job)
        elif numbers:
            Annotation.objects.filter(job=job, page_number__in=[0, *numbers]).delete()
            make_ranges(job, numbers)
            transaction.on_commit(lambda: dispatch_pages_of(job, Stage.EXTRACT))
        else:
            start_job_step(job=job, stage=Stage.SPLIT)
    tracing.mark_affected(job.pk)
    job.refresh_from_db()
    return job
