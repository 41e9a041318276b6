"""The time at which an ended job expires: computed when it ends and when the days change, or set by a person."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from apps.accounts.models import Project
from apps.jobs.models import ParseJob

MAX_ROWS_PER_UPDATE = 1000


def expiry_at_end(job_id: str) -> dict[str, Any]:
    """Return the expiry columns for a job that ends now. An expiry set by a person stays."""
    own = Project.objects.filter(jobs__pk=job_id).values_list("retention_days", flat=True).first()
    days = _days(own)
    expires_at: Any = Now() + timedelta(days=days) if days else Value(None)
    ordered = When(expiry_ordered=True, then=F("expires_at"))
    return {"expires_at": Case(ordered, default=expires_at), "retention_days": days}


def _days(own: int | None) -> int:
    """Return the days for a project with this ``retention_days``; 0 is for ever."""
    return max(0, settings.CLEANUP_PARSE_V2_RETENTION_DAYS if own is None else own)


def keep_jobs(*, job_ids: Collection[str], until: datetime | None) -> list[str]:
    """Keep jobs until this time (None: for ever) instead of their project's days. Return the ids that exist."""
    jobs = ParseJob.objects.filter(pk__in=job_ids)
    found = list(jobs.order_by("pk").values_list("pk", flat=True))
    ParseJob.objects.filter(pk__in=found).update(expires_at=until, expiry_ordered=True)
    return found


def update_expiry(*, until: float | None = None) -> bool:
    """Update the expiry of ended jobs, in batches, whose project or service now keeps them for a different time.

    Return False if ``until`` (of the monotonic clock) came first.
    """
    projects: dict[int, list[UUID]] = defaultdict(list)
    for project_id, own in Project.objects.values_list("pk", "retention_days"):
        projects[_days(own)].append(project_id)
    for days, project_ids in projects.items():
        expires_at = F("finished_at") + timedelta(days=days) if days else None
        for start in range(0, len(project_ids), MAX_ROWS_PER_UPDATE):
            batch = project_ids[start : start + MAX_ROWS_PER_UPDATE]
            ended = ParseJob.objects.filter(project_id__in=batch, finished_at__isnull=False, expiry_ordered=False)
            # The indexes job_reckoned and job_unreckoned find each of these three without a scan; not all at once.
            for other_days in (Q(retention_days__lt=days), Q(retention_days__gt=days), Q(retention_days__isnull=True)):
                jobs = ended.filter(other_days)
                while job_ids := list(jobs.values_list("pk", flat=True)[:MAX_ROWS_PER_UPDATE]):
                    jobs.filter(pk__in=job_ids).update(expires_at=expires_at, retention_days=days)
                    if until is not None and time.monotonic() > until:
                        return False
    return True
