"""Delete a project with everything that is its own: documents, jobs, results, cached answers, webhooks, keys.

The request is a mark on the project's row. From then on its keys are refused, and housekeeping deletes some rows at a
time (``delete_some``), each with its files as apps/jobs/commands/delete.py does. The project's row goes last, so a
process that is killed meanwhile leaves the mark, and the next round continues.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Manager, Sum
from django.db.models.functions import Now

from apps.accounts.models import ApiKey, IdempotencyKey, Project
from apps.documents.models import Directory, Document
from apps.jobs import workflow
from apps.jobs.commands import delete
from apps.jobs.models import JobBatch, ParseJob, SavedConfiguration
from apps.jobs.states import OPEN_JOBS
from apps.webhooks.models import JobWebhook, WebhookEndpoint

logger = logging.getLogger(__name__)

MAX_ROWS_PER_CALL = 100
MESSAGE_SECONDS = 60.0
_WITHOUT_FILES: tuple[Manager[Any], ...] = (
    JobWebhook.objects,
    WebhookEndpoint.objects,
    JobBatch.objects,
    SavedConfiguration.objects,
    Directory.objects,
    IdempotencyKey.objects,
)


@dataclass(frozen=True)
class ProjectContents:
    """How much of each kind a project has. ``document_bytes`` are those of the uploaded files."""

    jobs: int
    open_jobs: int
    pages: int
    documents: int
    document_bytes: int
    batches: int
    directories: int
    configurations: int
    webhooks: int
    api_keys: int

    def __str__(self) -> str:
        return (
            f"{self.jobs:,} job(s) of {self.pages:,} page(s), {self.open_jobs:,} of them open; "
            f"{self.documents:,} document(s) of {self.document_bytes:,} bytes; {self.batches:,} batch(es); "
            f"{self.directories:,} directories; {self.configurations:,} saved configuration(s); "
            f"{self.webhooks:,} saved webhook(s); {self.api_keys:,} API key(s)"
        )

    def counts(self) -> dict[str, int]:
        return asdict(self)


def contents_of(project: Project) -> ProjectContents:
    """Count what a deletion of the project would delete."""
    jobs, documents = ParseJob.objects.filter(project=project), Document.objects.filter(project=project)
    return ProjectContents(
        jobs=jobs.count(),
        open_jobs=jobs.filter(state__in=OPEN_JOBS).count(),
        pages=jobs.aggregate(total=Sum("page_count"))["total"] or 0,
        documents=documents.count(),
        document_bytes=documents.aggregate(total=Sum("size_bytes"))["total"] or 0,
        batches=JobBatch.objects.filter(project=project).count(),
        directories=Directory.objects.filter(project=project).count(),
        configurations=SavedConfiguration.objects.filter(project=project).count(),
        webhooks=WebhookEndpoint.objects.filter(project=project).count(),
        api_keys=ApiKey.objects.filter(project=project).count(),
    )


def request_deletion(*, project: Project, by: str) -> None:
    """Refuse the project's keys from now on, and let housekeeping delete everything. A second request changes nothing.

    ``by`` says in the log who asked for it.
    """
    if Project.objects.filter(pk=project.pk, deletion_requested_at=None).update(deletion_requested_at=Now()):
        logger.warning("Project %s is being deleted with all its data, requested by %s", project.pk, by)
    project.refresh_from_db()
    transaction.on_commit(lambda: workflow.publish_clean_up(expires_seconds=MESSAGE_SECONDS))


def delete_some() -> int:
    """Delete some rows of the project that has waited longest for its deletion. Return 0 if none waits."""
    waiting = Project.objects.filter(deletion_requested_at__isnull=False).order_by("deletion_requested_at")
    project = waiting.first()
    return delete_some_of(project) if project else 0


def delete_some_of(project: Project) -> int:
    """Delete at most ``MAX_ROWS_PER_CALL`` rows of the project, or its own row. Return the number; 0: it is gone."""
    jobs = ParseJob.objects.filter(project=project).values_list("pk", flat=True)
    if job_ids := list(jobs[:MAX_ROWS_PER_CALL]):
        for job_id in job_ids:
            delete.delete_in_any_state(job_id=job_id)
        return len(job_ids)
    if documents := list(Document.objects.filter(project=project)[:MAX_ROWS_PER_CALL]):
        for document in documents:
            delete.delete_document(document=document)
        return len(documents)
    for rows in _WITHOUT_FILES:
        if keys := list(rows.filter(project=project).values_list("pk", flat=True)[:MAX_ROWS_PER_CALL]):
            rows.filter(pk__in=keys).delete()
            return len(keys)
    return _delete_row(project)


def _delete_row(project: Project) -> int:
    """Delete the row of a project without jobs and documents. Return 0 if it is gone already.

    The row is locked first: a request that was accepted before its key was refused may still add a document.
    """
    with transaction.atomic():
        found = Project.objects.select_for_update().filter(pk=project.pk).first()
        if found is None:
            return 0
        owned = (ParseJob.objects.filter(project=found), Document.objects.filter(project=found))
        if not any(rows.exists() for rows in owned):
            _hide_names_in_admin_log(found)
            found.delete()
            logger.info("Project %s is deleted with all its data", project.pk)
    return 1


def _hide_names_in_admin_log(project: Project) -> None:
    """Keep who changed what and when in the admin's log, without the names of the project and its keys."""
    for model, name, keys in (
        (Project, "deleted project", [str(project.pk)]),
        (ApiKey, "deleted API key", [str(key) for key in project.api_keys.values_list("pk", flat=True)]),
    ):
        entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model), object_id__in=keys)
        entries.update(object_repr=name, change_message="")
