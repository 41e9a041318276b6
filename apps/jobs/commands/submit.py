"""What people ask for: submit, cancel, retry, parse in another mode, prefer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import ApiKey, Project
from apps.core import sealed_secrets, tracing
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document
from apps.jobs.errors import IllegalMove, NotCancellable
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.scheduling.admission import admit
from apps.jobs.scheduling.claims import end_job
from apps.jobs.scheduling.dispatch import send_due, send_pages_of, start_job_step
from apps.jobs.stages.extract import make_ranges
from apps.jobs.states import OPEN_JOBS, RETRYABLE_JOBS, JobState, PageState, Stage
from apps.pages.model.errors import PageOutOfRange
from apps.parsing.tiers import TIERS


@dataclass(frozen=True)
class JobRequest:
    """How a document is to be parsed. ``options`` is the accepted request without the password."""

    mode: str
    tier: str
    version: str
    target_pages: str = ""
    max_pages: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    user_metadata: dict[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    uses_models: bool = False
    warnings: tuple[dict[str, str], ...] = ()


def submit_job(*, project: Project, document: Document, request: JobRequest, api_key: ApiKey | None = None) -> ParseJob:
    """Accept a job: once this returns it is never lost. Its first message is published after the commit.

    DocumentNotFound when the document went a moment ago.
    """
    now = timezone.now()
    job = ParseJob(
        project=project,
        api_key=api_key,
        document=document,
        document_name=document.name,
        mode=request.mode,
        tier=request.tier,
        version=request.version,
        target_pages=request.target_pages,
        max_pages=request.max_pages,
        options=request.options,
        uses_models=request.uses_models,
        user_metadata=request.user_metadata,
        password_sealed=sealed_secrets.seal(request.password) if request.password is not None else "",
        warnings=list(request.warnings),
        created_at=now,
        updated_at=now,
        deadline_at=Now() + timedelta(seconds=settings.MAX_JOB_SECONDS),
    )
    _commit_durably()
    try:
        with transaction.atomic():
            job.save(force_insert=True)
            start_job_step(job=job, stage=Stage.SPLIT)
    except IntegrityError as error:
        if Document.objects.filter(pk=document.pk).exists():
            raise
        raise DocumentNotFound from error
    tracing.caused(job.pk)
    return job


def _commit_durably() -> None:
    """On SQLite the commit that accepts a job waits for the disk; the others may lose a power cut's last moments."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=FULL")


def cancel_job(*, job: ParseJob) -> ParseJob:
    """Cancel an open job: every open step's fence is raised, so nothing that still runs for it is believed."""
    with transaction.atomic():
        if not end_job(job.pk, JobState.CANCELLED):
            raise NotCancellable
    transaction.on_commit(lambda: send_due(project_id=job.project_id))
    job.refresh_from_db()
    return job


def retry_pages(*, job: ParseJob, page_numbers: Sequence[int] | None = None) -> ParseJob:
    """Parse pages of an ended job again, the failed ones when none are named.

    The old result is served until the new one is accepted. A job that failed before it had pages starts over.
    """
    with transaction.atomic():
        numbers = _pages_to_retry(job, page_numbers)
        stage = Stage.EXTRACT if numbers else Stage.SPLIT
        reopened = ParseJob.objects.filter(pk=job.pk, state__in=RETRYABLE_JOBS).update(
            state=JobState.RUNNING,
            stage=stage,
            finished_at=None,
            updated_at=Now(),
            error_code="",
            error_detail="",
            deadline_at=Now() + timedelta(seconds=settings.MAX_JOB_SECONDS),
        )
        if not reopened:
            raise IllegalMove("Only a job that has ended, and was not cancelled, can be retried.")
        JobPage.objects.filter(job=job, number__in=numbers).update(
            state=PageState.PENDING, error_code="", error_detail="", mode="", mode_reason="", fallback="", facts={}
        )
        if numbers:
            make_ranges(job, numbers)
            transaction.on_commit(lambda: send_pages_of(job, Stage.EXTRACT))
        else:
            start_job_step(job=job, stage=Stage.SPLIT)
    tracing.caused(job.pk)
    job.refresh_from_db()
    return job


def _pages_to_retry(job: ParseJob, page_numbers: Sequence[int] | None) -> list[int]:
    pages = JobPage.objects.filter(job=job)
    if page_numbers is not None:
        wanted = set(page_numbers)
        numbers = list(pages.filter(number__in=wanted).values_list("number", flat=True))
        if unknown := wanted - set(numbers):
            raise PageOutOfRange(f"The job has no page {min(unknown)}. Name pages that it has parsed.")
        return numbers
    numbers = list(pages.filter(state=PageState.FAILED).values_list("number", flat=True))
    if not numbers and pages.exists():
        raise IllegalMove("No page of this job failed. Name the pages that are to be parsed again.")
    return numbers


def parse_in_mode(*, job: ParseJob, mode: str) -> ParseJob:
    """A new job for this one's document, with its options, in another mode; the old one stays as it is.

    Raises what ``admit`` raises, DocumentNotFound, and IllegalMove where the password cannot be read any more.
    """
    if job.document is None:
        raise DocumentNotFound
    admission = admit(project=job.project, mode=mode, options=job.options, asked=mode)
    request = JobRequest(
        mode=admission.mode,
        tier=mode,
        version=TIERS[mode].versions[-1],
        target_pages=job.target_pages,
        max_pages=job.max_pages,
        options=job.options,
        user_metadata=job.user_metadata,
        password=_password_of(job),
        uses_models=admission.uses_models,
        warnings=admission.warnings,
    )
    return submit_job(project=job.project, document=job.document, request=request, api_key=job.api_key)


def _password_of(job: ParseJob) -> str | None:
    try:
        return sealed_secrets.unseal(job.password_sealed) if job.password_sealed else None
    except sealed_secrets.BrokenSeal:
        raise IllegalMove("The document's password cannot be read any more. Send the document again.") from None


def set_priority(*, job_ids: Collection[str], priority: int) -> list[str]:
    """Let open jobs go before (above 0) or after (below 0) their project's others; those that were still open."""
    with transaction.atomic():
        still_open = ParseJob.objects.select_for_update().filter(pk__in=job_ids, state__in=OPEN_JOBS)
        found = list(still_open.order_by("pk").values_list("pk", flat=True))
        ParseJob.objects.filter(pk__in=found).update(priority=priority)
    return found
