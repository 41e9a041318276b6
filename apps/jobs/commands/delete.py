"""The one way in which jobs, documents and all their bytes go, whoever asks: a person, a request, their time.

The rows go in one transaction, which notes the bytes; then the bytes go. What is killed in between, housekeeping
takes up from the notes. The ledger of calls names jobs by number and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.documents import services as documents
from apps.documents import storage
from apps.documents.errors import DocumentInUse
from apps.documents.models import Document, Removal
from apps.jobs.errors import IllegalMove
from apps.jobs.models import PageAnswer, ParseJob, RemovedJobs
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS

# So long may a worker that was cut off go on writing for a job that has ended.
WRITTEN_FOR = timedelta(hours=1)
ASKED_FOR, EXPIRED = "asked_for", "expired"


def delete_job(*, job: ParseJob) -> None:
    """Remove an ended job, and its document if that came with it and no other job needs it."""
    with transaction.atomic():
        if not _take_away(job.pk, Q(state__in=ENDED_JOBS), why=ASKED_FOR) and _is_open(job.pk):
            raise IllegalMove("The job is still running. Cancel it first, then delete it.")


def remove_expired(*, job_id: str) -> bool:
    """Remove a job whose time is over; False when it is open, is gone or was given more time."""
    with transaction.atomic():
        return _take_away(job_id, Q(state__in=ENDED_JOBS, expires_at__lte=Now()), why=EXPIRED)


def delete_document(*, document: Document) -> None:
    """Remove an uploaded file that no open job needs; its jobs keep their results and lose the way back to it."""
    with transaction.atomic():
        _locked(document.pk)
        if ParseJob.objects.filter(document=document, state__in=OPEN_JOBS).exists():
            raise DocumentInUse
        _remove_after_commit(_take_document_away(document))


def _is_open(job_id: str) -> bool:
    return ParseJob.objects.filter(pk=job_id, state__in=OPEN_JOBS).exists()


def _take_away(job_id: str, condition: Q, *, why: str) -> bool:
    """Take the rows of a job for which this holds; its row is locked, so nobody opens it again meanwhile.

    The document is locked first, as ``delete_document`` does: of two who take the last jobs of a document, the second
    sees that he is the last.
    """
    document_id = ParseJob.objects.filter(pk=job_id).values_list("document_id", flat=True).first()
    document = _locked(document_id) if document_id else None
    # Not a filter: the database would read all that is over to find the one.
    may_go = ExpressionWrapper(condition, output_field=BooleanField())
    found = ParseJob.objects.select_for_update().filter(pk=job_id).annotate(may_go=may_go)
    job = found.only("finished_at").first()
    if job is None or not job.may_go:
        return False
    ParseJob.objects.filter(pk=job.pk).delete()
    ended_lately = job.finished_at is None or job.finished_at > timezone.now() - WRITTEN_FOR
    removals = documents.record_removals(
        [storage.job_folder(job.pk)], written_for=WRITTEN_FOR if ended_lately else None
    )
    if document and not document.kept_as_file and not ParseJob.objects.filter(document=document).exists():
        removals += _take_document_away(document)
    _remove_after_commit(removals)
    _count(why)
    return True


def _locked(document_id: str) -> Document | None:
    return Document.objects.select_for_update().filter(pk=document_id).first()


def _take_document_away(document: Document) -> list[Removal]:
    """Take the document's row and the answers that are kept of its pages."""
    answers = PageAnswer.objects.filter(document=document).values_list("key", flat=True)
    keys = [storage.document_folder(document.pk), *(storage.page_answer(key) for key in answers)]
    document.delete()
    return documents.record_removals(keys)


def _remove_after_commit(removals: Sequence[Removal]) -> None:
    transaction.on_commit(partial(documents.remove, [removal.key for removal in removals]))


def _count(why: str) -> None:
    if not RemovedJobs.objects.filter(pk=why).update(jobs=F("jobs") + 1):
        RemovedJobs.objects.bulk_create([RemovedJobs(why=why)], ignore_conflicts=True)
        RemovedJobs.objects.filter(pk=why).update(jobs=F("jobs") + 1)
