"""/api/v1/parsing: uploads and jobs of LlamaParse's first API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, Literal, cast
from urllib.parse import parse_qs

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, RootModel
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api import links
from apps.api.base import PublicView, caller_of, json_response, project_of
from apps.api.error_codes import llamaparse_code
from apps.api.request_errors import FileMissing, InvalidRequest, NotFound, UnsupportedMediaType
from apps.api.requests import idempotency, query_parameters
from apps.api.requests.bodies import content_type, read_raw
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES, READS
from apps.api.requests.uploads import Form, Upload, check_fields, read_form
from apps.api.schema import IDEMPOTENCY_KEY, JOB_PROBLEMS, JSON_PARTS, PROBLEMS, query
from apps.api.v1.base import FirstApiView
from apps.api.v1.form_fields import FIELDS
from apps.api.v1.job_metadata import job_metadata
from apps.api.v1.upload_request import TIER_OF_MODE, UploadRequest, translate
from apps.api.v2 import results as second_api
from apps.api.v2.files import store
from apps.api.v2.find_jobs import find_job
from apps.api.v2.parse import HEAD_BYTES, check_type, named_document
from apps.api.v2.representations import JobPageState, PresignedUrl, represent_page
from apps.core.pagination import NEWEST_FIRST
from apps.documents import s3_folders
from apps.documents.models import Document
from apps.jobs import queries
from apps.jobs.commands.submit import submit_job
from apps.jobs.models import ParseJob
from apps.jobs.states import JobState, PageState
from apps.pages.model.media_types import EXTENSIONS
from apps.pages.model.text import languages
from apps.pages.output.assembly import OUTPUTS
from apps.parsing.tiers import LATEST, TIERS

MAX_FIELDS = 200  # there are about 110
MAX_PAGES_OF_DETAILS = 1000
FirstStatus = Literal["PENDING", "SUCCESS", "ERROR", "CANCELLED"]
# The clients fail on PARTIAL_SUCCESS, so a job with failed pages is SUCCESS, and the pages say what failed.
STATUS: dict[str, FirstStatus] = {
    JobState.PENDING: "PENDING",
    JobState.RUNNING: "PENDING",
    JobState.SUCCEEDED: "SUCCESS",
    JobState.PARTIAL: "SUCCESS",
    JobState.FAILED: "ERROR",
    JobState.CANCELLED: "CANCELLED",
}
_TYPES: dict[str, dict[str, Any]] = {
    "switch": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "text": {"type": "string", "maxLength": 1000},
    "json": {"type": "string", "description": "JSON"},
}
_MARGIN = {"type": "number", "minimum": 0, "maximum": 1}
_BOUNDS: dict[str, dict[str, Any]] = {
    "tier": {"type": "string", "enum": list(TIERS)},
    "version": {"type": "string", "enum": [LATEST]},
    "parse_mode": {"type": "string", "enum": list(TIER_OF_MODE)},
    "replace_failed_page_mode": {"type": "string", "enum": ["raw_text", "blank_page", "error_message"]},
    "target_pages": {"type": "string", "pattern": "^([0-9]{1,8}(,[0-9]{1,8})*)?$"},
    "bounding_box": {"type": "string", "pattern": "^(0|1|0[.][0-9]{1,6})(,(0|1|0[.][0-9]{1,6})){3}$"},
    "max_pages": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
    "job_timeout_in_seconds": {"type": "number", "minimum": 1, "maximum": 7200},
    "job_timeout_extra_time_per_page_in_seconds": {"type": "number", "minimum": 0, "maximum": 300},
    "language": {"type": "string", "enum": sorted(languages.languages_by_spelling())},
    "input_s3_path": {"type": "string", "pattern": "^s3://[a-z0-9]{3,20}/[a-z0-9.-]{1,100}$"},
    "input_url": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 8192},
    "webhook_url": {"type": "string", "format": "uri", "minLength": 1, "maxLength": 1000},
    **dict.fromkeys(("page_error_tolerance", "bbox_top", "bbox_right", "bbox_bottom", "bbox_left"), _MARGIN),
    "auto_mode_configuration_json": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/AutoModeRule"},
        "maxItems": 100,
    },
    "webhook_configurations": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/WebhookConfiguration"},
        "maxItems": 50,
    },
}
_FIELDS = {name: _BOUNDS.get(name, _TYPES[known.kind]) for name, known in FIELDS.items()}
_FILE = {"type": "string", "format": "binary", "minLength": 1}
UPLOAD_FORMS = {
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": _FILE, **_FIELDS},
        "anyOf": [{"required": ["file"]}, {"required": ["input_url"]}, {"required": ["input_s3_path"]}],
    },
    "application/x-www-form-urlencoded": {
        "type": "object",
        # Programs made from the description do not write JSON into such a form.
        "properties": {name: schema for name, schema in _FIELDS.items() if name not in JSON_PARTS},
        "anyOf": [{"required": ["input_url"]}, {"required": ["input_s3_path"]}],
    },
}


class ParsingJob(BaseModel):
    """A job. ``warnings`` are an addition to LlamaParse's fields."""

    id: str
    status: FirstStatus
    error_code: str | None = None
    error_message: str | None = None
    warnings: list[dict[str, Any]] = []


class ParsingJobDetails(ParsingJob):
    file_name: str
    parameters: dict[str, Any]
    job_metadata: dict[str, Any]
    failed_pages: list[JobPageState]


class ParsingHistoryEntry(BaseModel):
    """A job in the history. ``day`` is the day on which it was accepted, ``time`` its duration in seconds."""

    user_id: str
    day: datetime
    job_id: str
    file_name: str
    original_file_name: str
    expired: bool
    pages: int | None
    images: int | None = None
    time: float | None


class ParsingHistory(RootModel[list[ParsingHistoryEntry]]):
    """The jobs of a project."""


class UploadView(FirstApiView):
    """``added_fields``: fields of the form that the address itself sets."""

    scopes = PARSES

    added_fields: dict[str, list[str]] = {}  # noqa: RUF012

    @extend_schema(
        operation_id="upload_parsing_file",
        tags=["parsing (v1)"],
        parameters=IDEMPOTENCY_KEY,
        request=UPLOAD_FORMS,
        responses={200: ParsingJob, **JOB_PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Upload a document and create a job for it. The fields of the form are the options."""
        caller = caller_of(request)
        with _form_of(request) as form:
            translated = translate(form.values | self.added_fields)
            options = translated.request
            accepted = translated.accept(caller.project, options)
            if form.upload is not None:
                check_type(form.upload.content.read(HEAD_BYTES))
                document = store(caller.project, form.upload)
            elif options.source_url:
                with translated.errors_by_field():
                    document = named_document(caller.project, options)
            elif translated.s3_path:
                document = _document_in_s3(caller.project, translated)
            else:
                raise FileMissing("The form has no document. Send it as the part file, or its address as input_url.")

        def create() -> HttpResponse:
            job = submit_job(project=caller.project, document=document, request=accepted, api_key=caller.api_key)
            return json_response(represent(job))

        return create_once(request, create)


class Screenshot(UploadView):
    added_fields = {"take_screenshot": ["true"], "tier": ["fast"]}  # noqa: RUF012

    @extend_schema(
        operation_id="screenshot_parsing_file",
        tags=["parsing (v1)"],
        parameters=IDEMPOTENCY_KEY,
        request=UPLOAD_FORMS,
        responses={200: ParsingJob, **JOB_PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Upload a document and create a job for images of its pages; its result has their text, too."""
        return super().post(request)


class JobById(FirstApiView):
    scopes = READS

    @extend_schema(operation_id="get_parsing_job", tags=["parsing (v1)"], responses={200: ParsingJob, **PROBLEMS})
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Return the status of a job, and its error if it failed."""
        return json_response(represent(find_job(project_of(request), job_id)))


class JobDetails(FirstApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_parsing_job_details", tags=["parsing (v1)"], responses={200: ParsingJobDetails, **PROBLEMS}
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Return a job with its options, its times and its failed pages, at most 1,000."""
        job = find_job(project_of(request), job_id)
        failed = queries.list_pages(job.pk).filter(state=PageState.FAILED).order_by("number")[:MAX_PAGES_OF_DETAILS]
        details = ParsingJobDetails(
            **represent(job).model_dump(),
            file_name=job.document_name,
            parameters=job.options,
            job_metadata={**second_api.job_metadata(job), **job_metadata(job)},
            failed_pages=[represent_page(page) for page in failed],
        )
        return json_response(details)


class JobParameters(FirstApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_parsing_job_parameters",
        tags=["parsing (v1)"],
        responses={200: dict[str, Any], **PROBLEMS},
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Return the options of a job, by their names in the second API. Secrets are never returned."""
        job = find_job(project_of(request), job_id)
        known = {"tier": job.tier, "version": job.version, "mode": job.mode}
        pages = {"target_pages": job.target_pages or None, "max_pages": job.max_pages}
        return json_response({**known, **pages, **job.options})


class JobFile(FirstApiView):
    scopes = READS

    @extend_schema(
        operation_id="read_parsing_job_file", tags=["parsing (v1)"], responses={200: PresignedUrl, **PROBLEMS}
    )
    def get(self, request: Request, job_id: str, name: str) -> HttpResponse:
        """Return a link to a file of the result, such as ``markdown.md``. It needs no key and expires."""
        job = find_job(project_of(request), job_id)
        size = queries.result_size(job, name) if name in OUTPUTS else None
        if size is None:
            raise NotFound(f"The job has no such file. Ask for one of: {', '.join(OUTPUTS)}.")
        path, expires_at = links.signed_result_link(job.pk, name, seconds=settings.SIGNED_URL_SECONDS)
        return json_response(PresignedUrl(url=links.origin(request) + path, expires_at=expires_at))


class SupportedExtensions(PublicView):
    @extend_schema(
        operation_id="list_supported_file_extensions", tags=["parsing (v1)"], responses={200: list[str], **PROBLEMS}
    )
    def get(self, request: Request) -> HttpResponse:
        """List the extensions of the file types that can be parsed."""
        return json_response(list(EXTENSIONS))


class History(FirstApiView):
    scopes = READS

    @extend_schema(
        operation_id="list_parsing_history",
        tags=["parsing (v1)"],
        parameters=query(page_size=int, page_token=str),
        responses={200: ParsingHistory, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's jobs, newest first. The header ``X-Next-Page-Token`` is that of the next page."""
        size = query_parameters.integer(
            request, "page_size", query_parameters.MAX_PAGE_SIZE, minimum=1, maximum=query_parameters.MAX_PAGE_SIZE
        )
        token = query_parameters.text(request, "page_token")
        rows = queries.list_jobs(project=project_of(request))
        page = query_parameters.paginate(rows, order=NEWEST_FIRST, size=size, token=token)
        entries = [
            ParsingHistoryEntry(
                user_id=str(job.project_id),
                day=job.created_at.replace(hour=0, minute=0, second=0, microsecond=0),
                job_id=job.pk,
                file_name=job.document_name,
                original_file_name=job.document_name,
                expired=job.document_id is None,
                pages=job.page_count,
                time=(job.finished_at - job.created_at).total_seconds() if job.finished_at else None,
            )
            for job in page.rows
        ]
        response = json_response(ParsingHistory(entries))
        if page.next_token:
            response["X-Next-Page-Token"] = page.next_token
        return response


def represent(job: ParseJob) -> ParsingJob:
    return ParsingJob(
        id=job.pk,
        status=STATUS[job.state],
        error_code=llamaparse_code(job.error_code) if job.error_code else None,
        error_message=job.error_detail or None,
        warnings=job.warnings,
    )


def _document_in_s3(project: Project, translated: UploadRequest) -> Document:
    """Fetch the document of a request and store it. Raise S3FolderNotAllowed, FetchFailed, FileTooLarge."""
    with tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as spool:
        content = cast(BinaryIO, spool)
        size = s3_folders.download(translated.s3_path, content, project=project, region=translated.s3_region)
        content.seek(0)
        check_type(content.read(HEAD_BYTES))
        name = translated.s3_path.rpartition("/")[2] or "document"
        return store(project, Upload(name, content, size))


@contextmanager
def _form_of(request: Request) -> Iterator[Form]:
    """Yield the form of an upload: with a file, or urlencoded, as clients send the address of a document."""
    if content_type(request) == "multipart/form-data":
        with read_form(request, max_fields=MAX_FIELDS) as form:
            yield form
        return
    if content_type(request) != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType(
            "The body must be a form. Send multipart/form-data with the document in the part file, or "
            "application/x-www-form-urlencoded with its address in input_url."
        )
    try:
        raw = read_raw(request)
        values = parse_qs(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidRequest("The form is malformed or has too many fields. Send it in UTF-8.") from error
    check_fields(values, max_fields=MAX_FIELDS)
    idempotency.begin(request, lambda: idempotency.fingerprint_of(raw))
    yield Form(values, None)
