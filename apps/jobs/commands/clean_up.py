"""Housekeeping removes jobs whose time is over (retention.py), oldest first, in the one way there is (removing.py).

A round begins once a minute. It spends at most half of its time at it, so that open work finds database and storage
free.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Sum

from apps.documents import services as documents
from apps.documents import storage
from apps.documents.models import Document
from apps.jobs import queries, workflow
from apps.jobs.commands import delete
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.leader_lock import acquire_leader_lock
from apps.jobs.scheduling.retention import update_expiry
from apps.jobs.stages import answer_cache

logger = logging.getLogger(__name__)

BETWEEN_ROUNDS = timedelta(minutes=1)
ROUND_SECONDS = 45.0  # shorter than from one round to the next


@dataclass
class Overdue:
    """What would go now. ``size_bytes``: of jobs what lies in storage, of documents what was uploaded."""

    jobs: int = 0
    pages: int = 0
    documents: int = 0
    size_bytes: int = 0


def ask_for_clean_up() -> None:
    """Have a housekeeping worker remove what is over, once a minute however many ask."""
    if acquire_leader_lock("clean_up", duration=BETWEEN_ROUNDS):
        workflow.send_clean_up(expires_seconds=BETWEEN_ROUNDS.total_seconds())


def clean_up() -> int:
    """One round of housekeeping; how many jobs went. What it does not come to, the next round does."""
    began = time.monotonic()
    until = began + ROUND_SECONDS
    for work in (documents.remove_due, answer_cache.purge_expired):
        while work() and time.monotonic() < began + ROUND_SECONDS / 3:
            pass
    if not update_expiry(until=until):
        return 0
    removed = 0
    while some := sum(_remove_at_leisure(job_id, until) for job_id in _batch()):
        removed += some
    if removed:
        logger.info("Removed %s jobs whose time was over", removed)
    return removed


def clean_up_all() -> int:
    """Remove everything that is over, without pauses; how many jobs went."""
    while documents.remove_due():
        pass
    while answer_cache.purge_expired():
        pass
    update_expiry()
    removed = 0
    while some := sum(_remove(job_id) for job_id in _batch()):
        removed += some
    return removed


def overdue() -> Overdue:
    """What would go now; reads storage for the size of each job. ``reckon`` first, or it is of the days before."""
    jobs = queries.overdue_jobs()
    found = Overdue(jobs=jobs.count(), pages=jobs.aggregate(pages=Sum("page_count"))["pages"] or 0)
    still_needs = ParseJob.objects.filter(document=OuterRef("pk")).exclude(pk__in=jobs.values("pk"))
    goes = Document.objects.filter(
        ~Exists(still_needs), Exists(jobs.filter(document=OuterRef("pk"))), kept_as_file=False
    )
    sizes = list(goes.values_list("size_bytes", flat=True))
    found.documents, found.size_bytes = len(sizes), sum(sizes)
    for job_id in jobs.values_list("pk", flat=True).iterator(chunk_size=1000):
        found.size_bytes += storage.size_below(storage.job_folder(job_id))
    return found


def _batch() -> list[str]:
    jobs = queries.overdue_jobs().order_by("expires_at").values_list("pk", flat=True)
    return list(jobs[: settings.CLEANUP_PARSE_V2_BATCH_SIZE])


def _remove_at_leisure(job_id: str, until: float) -> bool:
    began = time.monotonic()
    if began > until:
        return False
    removed = _remove(job_id)
    time.sleep(time.monotonic() - began)
    return removed


def _remove(job_id: str) -> bool:
    try:
        return delete.remove_expired(job_id=job_id)
    except DatabaseError as error:  # its document has just been given to a new job, say
        logger.warning("The job %s is not removed now (%s); the next round does it", job_id, error)
        return False
