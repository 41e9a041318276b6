"""Delete jobs and documents with all their files: on request, or because they expired. Nothing else deletes them.

One transaction deletes the rows and notes the files to remove. The files are removed after the commit. If the process
is killed in between, housekeeping removes them by the notes. The ledger of calls keeps its rows, with the jobs' ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.database_connections import retried_on_conflict
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.errors import DocumentInUse
from apps.documents.models import Document, Removal
from apps.jobs.errors import IllegalMove
from apps.jobs.models import PageAnswer, ParseJob, RemovedJobs
from apps.jobs.scheduling.claims import end_job
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS, JobState
from apps.providers.batches import polling as batches

# A worker may go on writing files of a job for at most this long after the job has ended, before it notices.
WRITTEN_FOR = timedelta(hours=1)
ASKED_FOR, EXPIRED = "asked_for", "expired"


@retried_on_conflict
def delete_job(*, job: ParseJob) -> None:
    """Delete an ended job, and its document if that was uploaded with it and no other job needs it.

    Raise IllegalMove if the job is open.
    """
    with transaction.atomic():
        if _delete_job_rows(job.pk, Q(state__in=ENDED_JOBS), why=ASKED_FOR):
            return
        if ParseJob.objects.filter(pk=job.pk, state__in=OPEN_JOBS).exists():
            raise IllegalMove("The job is still running. Cancel it first, then delete it.")


def remove_expired(*, job_id: str) -> bool:
    """Delete an expired job. Return False if it is open, was deleted already or does not expire any more."""
    with transaction.atomic():
        return _delete_job_rows(job_id, Q(state__in=ENDED_JOBS, expires_at__lte=Now()), why=EXPIRED)


@retried_on_conflict
def delete_document(*, document: Document) -> None:
    """Delete an uploaded document. Its ended jobs keep their results. Raise DocumentInUse if an open job needs it."""
    with transaction.atomic():
        _locked(document.pk)
        if ParseJob.objects.filter(document=document, state__in=OPEN_JOBS).exists():
            raise DocumentInUse
        _remove_files_after_commit(_delete_document_rows(document))


def delete_in_any_state(*, job_id: str) -> None:
    """Delete a job of a project that is being deleted; cancel it first if it is open."""
    with transaction.atomic():
        end_job(job_id, JobState.CANCELLED)
        _delete_job_rows(job_id, Q(state__in=ENDED_JOBS), why=ASKED_FOR)


def _delete_job_rows(job_id: str, condition: Q, *, why: str) -> bool:
    """Delete the rows of a job if the condition holds. The job's row is locked, so that no retry reopens it meanwhile.

    The document is locked first, as in ``delete_document``: when two processes delete the last two jobs of a document,
    the second one finds no other job and deletes the document.
    """
    document_id = ParseJob.objects.filter(pk=job_id).values_list("document_id", flat=True).first()
    document = _locked(document_id) if document_id else None
    # An annotation, because with a filter the database reads all expired jobs to find this one.
    may_go = ExpressionWrapper(condition, output_field=BooleanField())
    found = ParseJob.objects.select_for_update().filter(pk=job_id).annotate(may_go=may_go)
    job = found.only("finished_at").first()
    if job is None or not job.may_go:
        return False
    ParseJob.objects.filter(pk=job.pk).delete()
    transaction.on_commit(partial(batches.withdraw, [job.pk]))
    ended_recently = job.finished_at is None or job.finished_at > timezone.now() - WRITTEN_FOR
    removals = documents.record_removals(
        [storage.job_folder(job.pk)], written_for=WRITTEN_FOR if ended_recently else None
    )
    if document and not document.kept_as_file and not ParseJob.objects.filter(document=document).exists():
        removals += _delete_document_rows(document)
    _remove_files_after_commit(removals)
    if not RemovedJobs.objects.filter(pk=why).update(jobs=F("jobs") + 1):
        RemovedJobs.objects.bulk_create([RemovedJobs(why=why)], ignore_conflicts=True)
        RemovedJobs.objects.filter(pk=why).update(jobs=F("jobs") + 1)
    return True


def _locked(document_id: str) -> Document | None:
    return Document.objects.select_for_update().filter(pk=document_id).first()


def _delete_document_rows(document: Document) -> list[Removal]:
    """Delete the document's row and the cached answers for its pages. Return the notes of the files to remove."""
    answers = PageAnswer.objects.filter(document=document).values_list("key", flat=True)
    keys = [storage.document_folder(document.pk), *(storage.page_answer(key) for key in answers)]
    document.delete()
    return documents.record_removals(keys)


def _remove_files_after_commit(removals: Sequence[Removal]) -> None:
    transaction.on_commit(partial(documents.remove, [removal.key for removal in removals]))
