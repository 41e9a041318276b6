"""How far a job has come: its stage, its pages, its place in the queue and the time it still needs."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from apps.jobs import queries, workflow
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.queue_status import queue_status_of_rows
from apps.jobs.states import JobState, PageState

MAX_QUEUE_POSITION = 1000


@dataclass(frozen=True)
class JobProgress:
    """``queue_position``: 1 for the next job to begin, at most MAX_QUEUE_POSITION; None once it has begun.

    ``seconds_left`` of a running job is computed from its pages so far; of a job that waits, it is the time for all
    work that waits now. None: unknown.
    """

    pages_total: int | None
    pages_succeeded: int
    pages_failed: int
    queue_position: int | None
    seconds_left: float | None

    @property
    def pages_done(self) -> int:
        return self.pages_succeeded + self.pages_failed


def progress_of(job: ParseJob) -> JobProgress:
    counts = queries.page_counts(job.pk) if job.page_count else {}
    succeeded, failed = counts.get(PageState.SUCCEEDED, 0), counts.get(PageState.FAILED, 0)
    position = None
    if job.state == JobState.PENDING:
        # The place by arrival. Projects begin jobs by turns, so a job may begin earlier or later than that.
        before = ParseJob.objects.filter(state=JobState.PENDING, created_at__lt=job.created_at).order_by()
        position = before[: MAX_QUEUE_POSITION - 1].count() + 1
    return JobProgress(
        pages_total=job.page_count,
        pages_succeeded=succeeded,
        pages_failed=failed,
        queue_position=position,
        seconds_left=_seconds_left(job, succeeded + failed),
    )


def _seconds_left(job: ParseJob, done: int) -> float | None:
    if job.has_ended:
        return 0.0
    if job.state == JobState.PENDING:
        waits = [
            queue.estimated_seconds
            for queue in queue_status_of_rows()
            if queue.name in (workflow.PARSE_QUEUE, workflow.PAGES_QUEUE)
        ]
        known = [seconds for seconds in waits if seconds is not None]
        return sum(known) if len(known) == len(waits) else None
    if not done or job.started_at is None or job.page_count is None:
        return None
    pace = (timezone.now() - job.started_at).total_seconds() / done
    return max(0.0, pace * (job.page_count - done))
