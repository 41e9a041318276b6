"""Change the priority of open jobs."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from apps.jobs.models import ParseJob
from apps.jobs.states import OPEN_JOBS


def set_priority(*, job_ids: Collection[str], priority: int) -> list[str]:
    """Set the priority of jobs and return the ids of those that were still open.

    Above 0 a job is dispatched before the other jobs of its project, below 0 after them.
    """
    with transaction.atomic():
        still_open = ParseJob.objects.select_for_update().filter(pk__in=job_ids, state__in=OPEN_JOBS)
        found = list(still_open.order_by("pk").values_list("pk", flat=True))
        ParseJob.objects.filter(pk__in=found).update(priority=priority)
    return found
