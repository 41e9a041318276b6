"""How long an ended job is kept: computed when it ends and when the days change, or set by a person."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Now

from apps.accounts.models import Project
from apps.jobs.models import ParseJob

MAX_JOBS_PER_UPDATE = 1000


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
    """Keep jobs until this moment, None for ever, regardless of their project's days. Return the ids that exist."""
    jobs = ParseJob.objects.filter(pk__in=job_ids)
    found = list(jobs.order_by("pk").values_list("pk", flat=True))
    ParseJob.objects.filter(pk__in=found).update(expires_at=until, expiry_ordered=True)
    return found


def update_expiry(*, until: float | None = None) -> bool:
    """Update the expiry of ended jobs whose project or service now keeps them for other days, in batches.

    Return False if ``until`` (of the monotonic clock) came first.
    """
    projects: dict[int, list[UUID]] = defaultdict(list)
    for project_id, own in Project.objects.values_list("pk", "retention_days"):
        projects[_days(own)].append(project_id)
    for days, project_ids in projects.items():
        for start in range(0, len(project_ids), MAX_JOBS_PER_UPDATE):
            for jobs in _jobs_kept_otherwise(project_ids[start : start + MAX_JOBS_PER_UPDATE], days):
                while _update_some(jobs, days):
                    if until is not None and time.monotonic() > until:
                        return False
    return True


def _jobs_kept_otherwise(project_ids: Collection[UUID], days: int) -> Iterator[QuerySet[ParseJob]]:
    """Yield the jobs in parts that the indexes ``job_reckoned`` and ``job_unreckoned`` find without a scan."""
    jobs = ParseJob.objects.filter(project_id__in=project_ids, finished_at__isnull=False, expiry_ordered=False)
    yield jobs.filter(retention_days__lt=days)
    yield jobs.filter(retention_days__gt=days)
    yield jobs.filter(retention_days__isnull=True)


def _update_some(jobs: QuerySet[ParseJob], days: int) -> int:
    job_ids = list(jobs.values_list("pk", flat=True)[:MAX_JOBS_PER_UPDATE])
    expires_at = F("finished_at") + timedelta(days=days) if days else None
    return jobs.filter(pk__in=job_ids).update(expires_at=expires_at, retention_days=days) if job_ids else 0
