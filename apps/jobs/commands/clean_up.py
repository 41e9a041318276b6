"""Housekeeping: remove expired jobs (scheduling/retention.py), the oldest first, by ``delete.remove_expired``.

A round begins once a minute. It is idle for half of its time, so that open work can use database and storage.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Sum

from apps.accounts import audit, idempotency, logins
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.models import Document
from apps.jobs import queries, workflow
from apps.jobs.commands import batches, delete, delete_project
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.leader_lock import acquire_leader_lock
from apps.jobs.scheduling.retention import update_expiry
from apps.jobs.stages.model_calls import answer_cache
from apps.webhooks import services as webhooks

logger = logging.getLogger(__name__)

BETWEEN_ROUNDS = timedelta(minutes=1)
MAX_ROUND_SECONDS = 45.0  # shorter than the time between rounds
_PURGES = (
    documents.remove_due,
    delete_project.delete_some,
    answer_cache.purge_expired,
    webhooks.purge_log,
    idempotency.purge_keys,
    audit.purge,
    logins.purge_sessions,
    batches.purge_empty,
)


@dataclass
class Overdue:
    """The jobs and documents that a clean-up would remove. ``size_bytes``: their stored files."""

    jobs: int = 0
    pages: int = 0
    documents: int = 0
    size_bytes: int = 0


def request_clean_up() -> None:
    """Start a round of housekeeping in a worker, at most once a minute for all callers together."""
    if acquire_leader_lock("clean_up", duration=BETWEEN_ROUNDS):
        workflow.publish_clean_up(expires_seconds=BETWEEN_ROUNDS.total_seconds())


def clean_up() -> int:
    """Do one round of housekeeping, and return the number of jobs removed. The next round continues its work."""
    began = time.monotonic()
    until = began + MAX_ROUND_SECONDS
    for work in _PURGES:
        while work() and time.monotonic() < began + MAX_ROUND_SECONDS / 3:
            pass
    if not update_expiry(until=until):
        return 0
    removed = _remove_overdue_jobs(until=until)
    if removed:
        logger.info("Removed %s expired jobs", removed)
    return removed


def clean_up_all() -> int:
    """Remove everything that has expired, without pauses. Return the number of jobs removed."""
    for work in _PURGES:
        while work():
            pass
    update_expiry()
    return _remove_overdue_jobs()


def _remove_overdue_jobs(*, until: float | None = None) -> int:
    """Remove expired jobs in batches, and return their number.

    With ``until`` (of the monotonic clock) stop at that time, and pause after each job for as long as its removal took.
    """
    overdue_jobs = queries.overdue_jobs().order_by("expires_at").values_list("pk", flat=True)
    total, removed = 0, -1
    while removed:
        removed = 0
        for job_id in list(overdue_jobs[: settings.CLEANUP_PARSE_V2_BATCH_SIZE]):
            began = time.monotonic()
            if until is not None and began > until:
                return total + removed
            try:
                removed += delete.remove_expired(job_id=job_id)
            except DatabaseError as error:  # for example, a new job has just been submitted for its document
                logger.warning("Job %s could not be removed (%s); the next round will try again", job_id, error)
            if until is not None:
                time.sleep(time.monotonic() - began)
        total += removed
    return total


def overdue() -> Overdue:
    """Return what a clean-up would remove now. Call ``update_expiry`` first. Reads storage for the size of each job."""
    jobs = queries.overdue_jobs()
    found = Overdue(jobs=jobs.count(), pages=jobs.aggregate(pages=Sum("page_count"))["pages"] or 0)
    needed = ParseJob.objects.filter(document=OuterRef("pk")).exclude(pk__in=jobs.values("pk"))
    removable = Document.objects.filter(
        ~Exists(needed), Exists(jobs.filter(document=OuterRef("pk"))), kept_as_file=False
    )
    sizes = list(removable.values_list("size_bytes", flat=True))
    found.documents, found.size_bytes = len(sizes), sum(sizes)
    for job_id in jobs.values_list("pk", flat=True).iterator(chunk_size=1000):
        found.size_bytes += storage.size_below(storage.job_folder(job_id))
    return found
