"""The response bodies: jobs, files, pages and lists as LlamaParse's clients read them, with fields of our own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from apps.api.error_codes import llamaparse_code
from apps.api.error_responses import describe_error
from apps.documents.models import Document
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.stages import assemble
from apps.jobs.states import JobState
from apps.pages.model.ocr_reasons import WHOLE_PAGE_REASONS

ApiStatus = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
STATUS: dict[str, ApiStatus] = {
    JobState.PENDING: "PENDING",
    JobState.RUNNING: "RUNNING",
    JobState.SUCCEEDED: "COMPLETED",
    JobState.PARTIAL: "COMPLETED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "CANCELLED",
}


class ErrorSummary(BaseModel):
    """The error of a job or a page; ``code`` is one of those at /errors."""

    type: str
    title: str
    code: str
    detail: str
    retryable: bool


class CreditUsage(BaseModel):
    """``credits``: what the parsed pages would cost at LlamaParse's price list; null until there is a result."""

    credits: float | None = None


class ModelUsage(CreditUsage):
    """The sums of the job's model calls. ``cost_usd`` is null if a price is unknown.

    ``cached_input_tokens`` are a part of the input, ``reasoning_tokens`` (thinking) of the output.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None


class PageTotals(BaseModel):
    """The number of pages of the job, and of those that succeeded and failed; null until known."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    needing_ocr: int | None = None


class Job(BaseModel):
    id: str
    project_id: str
    status: ApiStatus
    created_at: datetime
    updated_at: datetime
    error_message: str | None = None
    name: str
    tier: str
    usage: ModelUsage | CreditUsage = CreditUsage()
    user_metadata: dict[str, str]
    # Fields that LlamaParse does not have
    version: str
    mode: str
    state: str
    error: ErrorSummary | None = None
    warnings: list[dict[str, Any]]
    pages: PageTotals
    file_id: str | None = None
    finished_at: datetime | None = None


class JobList(BaseModel):
    items: list[Job]
    next_page_token: str | None = None
    total_size: int


class DeletedJob(BaseModel):
    id: str
    project_id: str


class JobPageState(BaseModel):
    page_number: int
    state: str
    attempts: int
    needs_ocr: str | None = None
    parsing: dict[str, Any] | None = None
    error: ErrorSummary | None = None


class JobPageList(BaseModel):
    """``counts``: the number of pages of the whole job by state."""

    counts: dict[str, int]
    items: list[JobPageState]
    next_page_token: str | None = None


class PresignedUrl(BaseModel):
    url: str
    expires_at: datetime
    form_fields: dict[str, str] | None = None


class File(BaseModel):
    id: str
    name: str
    project_id: str
    external_file_id: str | None = None
    file_type: str | None = None
    last_modified_at: datetime
    expires_at: datetime | None = None
    purpose: str
    size_bytes: int
    download_url: PresignedUrl | None = None


class ResultContentMetadata(BaseModel):
    """A file of a result and a link to it, which needs no key and expires."""

    size_bytes: int
    exists: bool = True
    presigned_url: str | None = None


class FileList(BaseModel):
    items: list[File]
    next_page_token: str | None = None
    total_size: int


def represent_job(job: ParseJob) -> Job:
    facts = job.result_facts
    return Job(
        id=job.pk,
        project_id=str(job.project_id),
        status=STATUS[job.state],
        created_at=job.created_at,
        updated_at=job.updated_at,
        error_message=f"{llamaparse_code(job.error_code)}: {job.error_detail}" if job.error_code else None,
        name=job.document_name,
        tier=job.tier,
        usage=ModelUsage(**usage, credits=facts.get("credits"))
        if (usage := facts.get("usage"))
        else CreditUsage(credits=facts.get("credits")),
        user_metadata=job.user_metadata,
        version=job.version,
        mode=job.mode,
        state=job.state,
        error=_error_summary(job.error_code, job.error_detail),
        warnings=job.warnings,
        pages=PageTotals(
            total=job.page_count,
            succeeded=facts.get("good_pages"),
            failed=facts.get("failed_pages"),
            needing_ocr=facts.get("pages_needing_ocr"),
        ),
        file_id=job.document_id,
        finished_at=job.finished_at,
    )


def represent_page(page: JobPage) -> JobPageState:
    return JobPageState(
        page_number=page.number,
        state=page.state,
        attempts=page.attempts,
        needs_ocr=page.needs_ocr if page.needs_ocr in WHOLE_PAGE_REASONS else None,
        parsing=assemble.how_parsed(page) if page.mode else None,
        error=_error_summary(page.error_code, page.error_detail),
    )


def represent_file(
    document: Document, *, download_url: PresignedUrl | None = None, expires_at: datetime | None = None
) -> File:
    return File(
        id=document.pk,
        name=document.name,
        project_id=str(document.project_id),
        external_file_id=document.external_file_id or None,
        file_type=document.extension or None,
        last_modified_at=document.created_at,
        expires_at=expires_at,
        purpose=document.purpose,
        size_bytes=document.size_bytes,
        download_url=download_url,
    )


def _error_summary(code: str, detail: str) -> ErrorSummary | None:
    return ErrorSummary(**describe_error(code, detail)) if code else None
