"""The responses of docling-serve's API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, RootModel

from apps.api.compatible.docling.document import docling_document
from apps.api.compatible.result_texts import html_document, pages_of, whole_text
from apps.api.error_codes import error_kind
from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.jobs.states import JobState, PageState

MAX_LISTED_ERRORS = 1000
STATUS: dict[str, str] = {
    JobState.PENDING: "pending",
    JobState.RUNNING: "started",
    JobState.SUCCEEDED: "success",
    JobState.PARTIAL: "partial_success",
    JobState.FAILED: "failure",
    JobState.CANCELLED: "failure",
}
_CATEGORIES = {
    "page_timeout": "timeout",
    "ocr_timeout": "timeout",
    "provider_timeout": "timeout",
    "job_deadline_exceeded": "timeout",
}


class ErrorItem(BaseModel):
    component_type: str
    module_name: str
    error_message: str
    category: str
    page_no: int | None = None


class ExportedDocument(BaseModel):
    """``json_content`` is a DoclingDocument."""

    filename: str
    md_content: str | None = None
    json_content: dict[str, Any] | None = None
    html_content: str | None = None
    text_content: str | None = None
    doctags_content: str | None = None


class ConvertResponse(BaseModel):
    """``warnings`` are an addition to docling-serve's fields: the options that have no effect."""

    document: ExportedDocument
    status: str
    errors: list[ErrorItem] = []
    processing_time: float
    timings: dict[str, Any] = {}
    warnings: list[dict[str, Any]] = []


class ErrorOfDocument(BaseModel):
    category: str
    message: str
    retryable: bool
    phase: str = "execution"
    details: dict[str, str] = {}


class TaskFailure(BaseModel):
    kind: str = "TaskFailureResult"
    failure: ErrorOfDocument


class TaskResult(RootModel[ConvertResponse | TaskFailure]):
    """The result of a task, or why it failed."""


class TaskMeta(BaseModel):
    num_docs: int = 1
    num_processed: int = 0
    num_succeeded: int = 0
    num_partially_succeeded: int = 0
    num_failed: int = 0


class TaskStatus(BaseModel):
    task_id: str
    task_type: str = "convert"
    task_status: str
    task_position: int | None = None
    task_meta: TaskMeta
    error_message: str | None = None
    failure: ErrorOfDocument | None = None
    warnings: list[dict[str, Any]] = []


def task_status(job: ParseJob) -> TaskStatus:
    """Return the state of a job. docling's clients wait for success or failure, so a partial result is a success."""
    state = STATUS[job.state]
    meta = TaskMeta(
        num_processed=int(job.has_ended),
        num_succeeded=int(state == "success"),
        num_partially_succeeded=int(state == "partial_success"),
        num_failed=int(state == "failure"),
    )
    return TaskStatus(
        task_id=job.pk,
        task_status="success" if state == "partial_success" else state,
        task_meta=meta,
        error_message=failure.message if (failure := _failure(job)) else None,
        failure=failure,
        warnings=job.warnings,
    )


def task_result(job: ParseJob) -> ConvertResponse | TaskFailure:
    """Return the result of an ended job as ``/v1/result`` does."""
    failure = _failure(job)
    return TaskFailure(failure=failure) if failure else convert_response(job)


def convert_response(job: ParseJob) -> ConvertResponse:
    """Return the result of an ended job in the forms that the request wanted. Raise NotFound if there is none."""
    document = ExportedDocument(filename=job.document_name)
    status = STATUS[job.state]
    if status != "failure":
        formats, page_break = job.parsed_options.docling_formats, job.parsed_options.docling_page_break
        pages = pages_of(job) if page_break or formats & {"json", "html"} else []
        if "md" in formats and page_break:
            document.md_content = f"\n\n{page_break}\n\n".join(page.markdown.get("markdown", "") for page in pages)
        elif "md" in formats:
            document.md_content = whole_text(job, "markdown.md")
        if "text" in formats:
            document.text_content = whole_text(job, "text.txt")
        if "html" in formats:
            document.html_content = html_document(job.document_name, pages)
        if "json" in formats:
            sha256 = job.document.sha256 if job.document else ""
            document.json_content = docling_document(job.document_name, job.media_type, sha256, pages)
    begun, ended = job.started_at or job.created_at, job.finished_at or job.updated_at
    return ConvertResponse(
        document=document,
        status=status,
        errors=list(_errors(job)),
        processing_time=(ended - begun).total_seconds(),
        warnings=job.warnings,
    )


def _failure(job: ParseJob) -> ErrorOfDocument | None:
    if STATUS[job.state] != "failure":
        return None
    code = job.error_code or "cancelled"
    message = f"{code}: {job.error_detail or 'The job was cancelled.'}"
    category = _CATEGORIES.get(code, "backend_failure")
    return ErrorOfDocument(
        category=category, message=message, retryable=error_kind(code).retryable, details={"code": code}
    )


def _errors(job: ParseJob) -> Iterator[ErrorItem]:
    """Yield the error of the job, and those of its pages."""
    if failure := _failure(job):
        yield _error_item(failure.category, failure.message, None)
    failed = queries.list_pages(job.pk).filter(state=PageState.FAILED).order_by("number")[:MAX_LISTED_ERRORS]
    for page in failed:
        category = "inference_failure" if page.error_code.startswith("provider_") else "backend_failure"
        message = f"{page.error_code}: {page.error_detail}"
        yield _error_item(_CATEGORIES.get(page.error_code, category), message, page.number)


def _error_item(category: str, message: str, page: int | None) -> ErrorItem:
    return ErrorItem(
        component_type="pipeline", module_name="leafmill", error_message=message, category=category, page_no=page
    )
