"""Cancel an open job."""

from __future__ import annotations

from django.db import transaction

from apps.core.database_connections import retried_on_conflict
from apps.jobs.errors import NotCancellable
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.claims import end_job
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.jobs.states import JobState


@retried_on_conflict
def cancel_job(*, job: ParseJob) -> ParseJob:
    """Cancel an open job. Every open step's fence is raised, so results of work still running are discarded.

    Raises NotCancellable when the job has ended.
    """
    with transaction.atomic():
        if not end_job(job.pk, JobState.CANCELLED):
            raise NotCancellable
    transaction.on_commit(lambda: dispatch_due(project_id=job.project_id))
    job.refresh_from_db()
    return job
