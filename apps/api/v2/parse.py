"""/api/v2/parse: jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from pydantic import Field
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api import delivery
from apps.api.base import ApiView, caller_of, json_response, project_of
from apps.api.delivery import entity_tag
from apps.api.request_errors import FileMissing, InvalidOptions, OptionProblem
from apps.api.requests import query_parameters
from apps.api.requests.bodies import parse_json, read_json, validated
from apps.api.requests.fetched import fetched
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES, READS
from apps.api.requests.uploads import Upload, read_upload
from apps.api.schema import IDEMPOTENCY_KEY, JOB_PROBLEMS, JSON, PARSE_FORM, PROBLEMS, Versions, job_list_query, query
from apps.api.v2 import long_poll
from apps.api.v2.configured import request_options
from apps.api.v2.files import find_file, store
from apps.api.v2.find_jobs import find_job, listed_jobs, page_of_jobs
from apps.api.v2.job_request import accept_request, with_unknown_fields
from apps.api.v2.options import ParseOptions, ParseRequest
from apps.api.v2.representations import (
    STATUS,
    DeletedJob,
    Job,
    JobList,
    JobPageList,
    represent_job,
    represent_page,
)
from apps.api.v2.result_files import EXPANDS, links_of_result
from apps.api.v2.result_types import JobResult
from apps.api.v2.results import job_with_sections
from apps.api.v2.tiers import known_versions
from apps.core.pagination import SortOrder
from apps.documents import storage
from apps.documents.models import Document
from apps.jobs import queries as job_queries
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_job
from apps.jobs.commands.retry import retry_pages
from apps.jobs.commands.submit import JobRequest, submit_job
from apps.jobs.option_groups import WHOLE, Options
from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES
from apps.pages.model.errors import EmptyFile, UnsupportedDocument
from apps.pages.reading.inspection import may_be_read

CONFIGURATION = "configuration"
"""The form field with the options of a job."""
# The signature of a PDF has 5 bytes and starts within the limit.
HEAD_BYTES = MAX_HEADER_OFFSET_BYTES + 4


class ParseJobs(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_parse",
        tags=["parse"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: ParseRequest},
        responses={200: Job, **JOB_PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a job for a file that is already uploaded, or for the document at a URL."""
        project = project_of(request)
        options = request_options(ParseRequest, project, read_json(request))
        accepted = accept_request(project, options)
        document = named_document(project, options)
        return _submit_once(request, document, accepted)

    @extend_schema(
        operation_id="list_parse",
        tags=["parse"],
        parameters=job_list_query(STATUS.values()),
        responses={200: JobList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's jobs, newest first."""
        page = page_of_jobs(request, listed_jobs(request))
        items = [represent_job(job) for job in page.rows]
        return json_response(JobList(items=items, next_page_token=page.next_token, total_size=page.total))


class ParseUpload(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="upload_parse",
        tags=["parse"],
        parameters=IDEMPOTENCY_KEY,
        request=PARSE_FORM,
        responses={200: Job, **JOB_PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Upload a document and create a job for it. The options are JSON text in the field ``configuration``."""
        project = project_of(request)
        with read_upload(request) as upload:
            accepted = accept_request(project, options_of(project, upload))
            accepted = with_unknown_fields(accepted, upload.fields, known={CONFIGURATION})
            check_type(upload.content.read(HEAD_BYTES))
            document = store(project, upload)
        return _submit_once(request, document, accepted)


class ParseVersions(ApiView):
    scopes = READS

    @extend_schema(operation_id="list_versions", tags=["parse"], responses={200: Versions, **PROBLEMS})
    def get(self, request: Request) -> HttpResponse:
        """List the versions that a request may use, by tier."""
        return json_response(known_versions())


class ParseJobById(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_parse",
        tags=["parse"],
        parameters=query(expand=EXPANDS, image_filenames=list, wait=int),
        responses={200: JobResult, **PROBLEMS},
    )
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Return a job and, when it has a result, the sections listed in ``expand``.

        ``expand``: text, text_full, markdown, markdown_full, items, metadata, job_metadata, usage, and a section with
        ``_content_metadata`` for a link to its file; others are ignored. ``image_filenames`` limits
        ``images_content_metadata``. ``wait``: seconds to wait for the end of an open job before answering.
        """
        job = find_job(project_of(request), job_id)
        seconds = query_parameters.integer(request, "wait", 0, minimum=0, maximum=long_poll.MAX_WAIT_SECONDS)
        job = long_poll.wait_for_end(job, seconds=seconds)
        expand = query_parameters.values(request, "expand")
        links = links_of_result(request, job, expand)
        # Links expire, and an open job changes without a new row.
        tag = "" if links or not job.has_ended else entity_tag(job.pk, job.updated_at, job.result_folder, expand)
        if tag and delivery.is_current(request, tag):
            return delivery.not_modified(tag)
        response = job_with_sections(job, represent_job(job), expand, links)
        return delivery.compressed(request, delivery.private(response, tag))

    @extend_schema(operation_id="delete_parse", tags=["parse"], responses={200: DeletedJob, **PROBLEMS})
    def delete(self, request: Request, job_id: str) -> HttpResponse:
        """Delete a finished job and its result. A document uploaded for jobs is deleted with the last of them."""
        job = find_job(project_of(request), job_id)
        delete_job(job=job)
        return json_response(DeletedJob(id=job_id, project_id=str(job.project_id)))


class CancelParse(ApiView):
    scopes = PARSES

    @extend_schema(operation_id="cancel_parse", tags=["parse"], request=None, responses={200: Job, **PROBLEMS})
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Cancel an unfinished job."""
        return json_response(represent_job(cancel_job(job=find_job(project_of(request), job_id))))


PageNumber = Annotated[int, Field(ge=1, le=1_000_000), WHOLE]


class RetryRequest(Options):
    """``pages``: the numbers of the pages to parse again. Default: the failed pages."""

    pages: Annotated[list[PageNumber], Field(min_length=1, max_length=100_000)] | None = None


class RetryParse(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="retry_parse", tags=["parse"], request={JSON: RetryRequest}, responses={200: Job, **PROBLEMS}
    )
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Parse pages of a finished job again. The old result remains available until the new one is ready.

        A job whose result is missing from storage (``result_missing``) is assembled again.
        """
        retry = validated(RetryRequest, read_json(request, optional=True))
        job = find_job(project_of(request), job_id)
        return json_response(represent_job(retry_pages(job=job, page_numbers=retry.pages)))


class ParsePages(ApiView):
    refuses_unknown_parameters = True
    scopes = READS

    @extend_schema(
        operation_id="list_parse_pages",
        tags=["parse"],
        parameters=query(page_size=int, page_token=str),
        responses={200: JobPageList, **PROBLEMS},
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """List the pages of the job with their states."""
        job = find_job(project_of(request), job_id)
        size = query_parameters.page_size(request, query_parameters.MAX_PAGE_SIZE)
        rows = job_queries.list_pages(job.pk)
        token = query_parameters.text(request, "page_token")
        listed = query_parameters.paginate(rows, order=SortOrder("number", descending=False), size=size, token=token)
        items = [represent_page(page) for page in listed.rows]
        counts = job_queries.page_counts(job.pk)
        return json_response(JobPageList(counts=counts, items=items, next_page_token=listed.next_token))


def _submit_once(request: Request, document: Document, accepted: JobRequest) -> HttpResponse:
    def create() -> HttpResponse:
        caller = caller_of(request)
        job = submit_job(project=caller.project, document=document, request=accepted, api_key=caller.api_key)
        return json_response(represent_job(job))

    return create_once(request, create)


def options_of(project: Project, upload: Upload) -> ParseOptions:
    """Return the options in the form field ``configuration``. Raise InvalidJson or InvalidOptions."""
    configuration = upload.fields.get(CONFIGURATION) or "{}"
    values = parse_json(configuration.encode("utf-8", "surrogatepass"), source=f"The form field {CONFIGURATION}")
    return request_options(ParseOptions, project, values)


def named_document(project: Project, options: ParseRequest) -> Document:
    """Return the document that ``file_id`` names, or the one at ``source_url``, which is fetched now.

    Raise FileMissing, InvalidOptions, DocumentNotFound, EmptyFile, UnsupportedDocument, or what ``fetched`` raises.
    """
    if options.source_url:
        with document_at_url(options) as upload:
            return store(project, upload)
    if not options.file_id:
        raise FileMissing
    document = find_file(project, options.file_id)
    with storage.open_original(document.pk) as content:
        check_type(content.read(HEAD_BYTES))
    return document


@contextmanager
def document_at_url(options: ParseRequest) -> Iterator[Upload]:
    """Yield the document at ``source_url``. Raise InvalidOptions if the request names a file, too."""
    if options.file_id:
        message = "The request has both file_id and source_url. Send one of them."
        raise InvalidOptions([OptionProblem("value_error", ("body",), message)])
    with fetched(options.source_url or "", proxy=options.http_proxy or "") as upload:
        check_type(upload.content.read(HEAD_BYTES))
        upload.content.seek(0)
        yield upload


def check_type(head: bytes) -> None:
    """Raise EmptyFile or UnsupportedDocument by the first bytes. The name is ignored: PDFs come with any name."""
    if not head:
        raise EmptyFile
    if not may_be_read(head):
        raise UnsupportedDocument
