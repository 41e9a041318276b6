"""Batches: jobs for many files with the same options, submitted and cancelled together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import ApiKey, Project
from apps.core.database_connections import durable_transaction
from apps.documents.models import Document
from apps.jobs.commands.submit import JobRequest, submit_job
from apps.jobs.errors import BatchNotFound, NotCancellable
from apps.jobs.models import JobBatch, JobBatchFile, ParseJob
from apps.jobs.scheduling.claims import end_job
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.jobs.states import OPEN_JOBS, JobState
from apps.pages.model.document_facts import ContainedFile

MAX_BATCH_FILES = 1000
MAX_PURGED_PER_CALL = 200
# A new batch has its jobs in the same transaction; the margin only keeps the search for empty ones simple.
MIN_AGE_TO_PURGE = timedelta(days=1)


class BatchFile(NamedTuple):
    """``source_id``: by which the batch lists the file. ``name``: its path in the file that contained it, or ""."""

    source_id: str
    document: Document
    name: str = ""


def create_batch(
    *,
    project: Project,
    files: Sequence[BatchFile],
    request: JobRequest,
    configuration_id: str,
    directory_id: str = "",
    source_file_id: str = "",
    skipped: Sequence[ContainedFile] = (),
    api_key: ApiKey | None = None,
) -> JobBatch:
    """Submit a job for each file, at most ``MAX_BATCH_FILES``. Either all jobs are accepted or none.

    ``source_file_id``: the file that contained them; ``skipped``: those inside it that have no job. Raises
    DocumentNotFound when a file was deleted meanwhile.
    """
    with durable_transaction():
        batch = JobBatch.objects.create(
            project=project,
            directory_id=directory_id,
            source_file_id=source_file_id,
            skipped=msgspec.to_builtins(list(skipped)),
            configuration_id=configuration_id,
            created_at=timezone.now(),
        )
        jobs = [submit_job(project=project, document=file.document, request=request, api_key=api_key) for file in files]
        JobBatchFile.objects.bulk_create(
            JobBatchFile(batch=batch, job=job, source_id=file.source_id, name=file.name)
            for file, job in zip(files, jobs, strict=True)
        )
    return batch


def find_batch(*, project: Project, batch_id: str) -> JobBatch:
    """Return the project's batch. Raise BatchNotFound, also for one of another project."""
    found = JobBatch.objects.filter(project=project, pk=batch_id[:40]).first()
    if found is None or found.pk != batch_id:
        raise BatchNotFound
    return found


def cancel_batch(*, batch: JobBatch) -> JobBatch:
    """Cancel the open jobs of a batch; those that have ended keep their results. Raise NotCancellable if none is open.

    Each job is cancelled in a transaction of its own, as ``cancel_job`` does.
    """
    jobs = ParseJob.objects.filter(pk__in=batch.files.values("job"), state__in=OPEN_JOBS)
    cancelled = 0
    for job_id in list(jobs.values_list("pk", flat=True)):
        with transaction.atomic():
            cancelled += end_job(job_id, JobState.CANCELLED)
    if not cancelled:
        raise NotCancellable("All jobs of the batch have already ended, so there is nothing to cancel.")
    batch.cancelled_at = timezone.now()
    batch.save(update_fields=["cancelled_at"])
    transaction.on_commit(lambda: dispatch_due(project_id=batch.project_id))
    return batch


def purge_empty() -> int:
    """Delete batches whose jobs were all removed, at most ``MAX_PURGED_PER_CALL``. Return the number of rows."""
    remaining = JobBatchFile.objects.filter(batch=OuterRef("pk"), job__isnull=False)
    empty = JobBatch.objects.filter(~Exists(remaining), created_at__lt=Now() - MIN_AGE_TO_PURGE)
    keys = list(empty.values_list("pk", flat=True)[:MAX_PURGED_PER_CALL])
    if keys:
        JobBatch.objects.filter(pk__in=keys).delete()
    return len(keys)
