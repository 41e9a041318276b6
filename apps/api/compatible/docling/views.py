"""The views of docling-serve's API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps import VERSION
from apps.api import delivery
from apps.api.base import PublicView, json_response, project_of
from apps.api.compatible.base import CompatibleView, submit, submit_and_wait
from apps.api.compatible.docling.representations import (
    ConvertResponse,
    TaskResult,
    TaskStatus,
    convert_response,
    task_result,
    task_status,
)
from apps.api.compatible.docling.requests import (
    MAX_BODY_BYTES,
    ConvertOptions,
    ConvertRequest,
    check_format,
    check_target,
    document_of,
    options_of_form,
    translate,
)
from apps.api.request_errors import FileMissing, InvalidOptions, NotFound, OptionProblem
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES, READS
from apps.api.requests.uploads import Upload, read_form
from apps.api.schema import IDEMPOTENCY_KEY, JSON, PROBLEMS
from apps.api.v2 import long_poll
from apps.api.v2.find_jobs import find_job
from apps.api.v2.parse import HEAD_BYTES
from apps.jobs.commands.submit import JobRequest

MAX_FIELDS = 200
_FIELDS = ConvertOptions.model_json_schema()["properties"]
FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "files": {"type": "string", "format": "binary", "description": "One document"},
            "target_type": {"type": "string", "default": "inbody"},
            **_FIELDS,
        },
        "required": ["files"],
    }
}
TAGS = ["docling-serve"]


class ConvertFile(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="docling_convert_file", tags=TAGS, request=FORM, responses={200: ConvertResponse, **PROBLEMS}
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Convert an uploaded document and return the result."""
        with _from_form(request) as (upload, accepted):
            return _converted(request, upload, accepted)


class ConvertFileAsync(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="docling_convert_file_async",
        tags=TAGS,
        parameters=IDEMPOTENCY_KEY,
        request=FORM,
        responses={200: TaskStatus, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a task for an uploaded document."""
        with _from_form(request) as (upload, accepted):
            return create_once(request, lambda: json_response(task_status(submit(request, upload, accepted))))


class ConvertSource(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="docling_convert_source",
        tags=TAGS,
        request={JSON: ConvertRequest},
        responses={200: ConvertResponse, **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Convert the document at a URL, or one in base64, and return the result."""
        with _from_json(request) as (upload, accepted):
            return _converted(request, upload, accepted)


class ConvertSourceAsync(CompatibleView):
    scopes = PARSES

    @extend_schema(
        operation_id="docling_convert_source_async",
        tags=TAGS,
        parameters=IDEMPOTENCY_KEY,
        request={JSON: ConvertRequest},
        responses={200: TaskStatus, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a task for the document at a URL, or for one in base64."""
        with _from_json(request) as (upload, accepted):
            return create_once(request, lambda: json_response(task_status(submit(request, upload, accepted))))


class PollStatus(CompatibleView):
    scopes = READS

    @extend_schema(
        operation_id="docling_poll_status",
        tags=TAGS,
        parameters=[OpenApiParameter("wait", OpenApiTypes.FLOAT, description="seconds to wait for the end, up to 60")],
        responses={200: TaskStatus, **PROBLEMS},
    )
    def get(self, request: Request, task_id: str) -> HttpResponse:
        """Return the status of a task. A partial result is a success here; the result says what failed."""
        job = find_job(project_of(request), task_id)
        sent = query_parameters.text(request, "wait") or "0"
        try:
            seconds = min(max(float(sent), 0.0), long_poll.MAX_WAIT_SECONDS)
        except ValueError as error:
            problem = OptionProblem("float_parsing", ("query", "wait"), "Send a number of seconds.", sent)
            raise InvalidOptions([problem]) from error
        return json_response(task_status(long_poll.wait_for_end(job, seconds=seconds)))


class DoclingResult(CompatibleView):
    scopes = READS

    @extend_schema(operation_id="docling_result", tags=TAGS, responses={200: TaskResult, **PROBLEMS})
    def get(self, request: Request, task_id: str) -> HttpResponseBase:
        """Return the result of a task, or why it failed. It can be fetched again and again."""
        job = find_job(project_of(request), task_id)
        if not job.has_ended:
            raise NotFound("The task has no result yet. Ask for its status: GET /v1/status/poll/{task_id}?wait=5.")
        return delivery.compressed(request, delivery.private(json_response(task_result(job))))


class DoclingHealth(PublicView):
    @extend_schema(operation_id="docling_health", tags=TAGS, responses={200: dict[str, str]})
    def get(self, request: Request) -> HttpResponse:
        """Return that the web process responds."""
        return json_response({"status": "ok"})


class Version(CompatibleView):
    scopes = READS

    @extend_schema(operation_id="docling_version", tags=TAGS, responses={200: dict[str, str], **PROBLEMS})
    def get(self, request: Request) -> HttpResponse:
        """Return the version of this service."""
        return json_response({"leafmill": VERSION})


@contextmanager
def _from_form(request: Request) -> Iterator[tuple[Upload, JobRequest]]:
    with read_form(request, max_fields=MAX_FIELDS) as form:
        options, target = options_of_form(form.values)
        check_target(target)
        if form.upload is None:
            raise FileMissing("The form has no document. Send it as the part files, with a file name.")
        yield form.upload, _accepted(request, options, form.upload)


@contextmanager
def _from_json(request: Request) -> Iterator[tuple[Upload, JobRequest]]:
    sent = validated(ConvertRequest, read_json(request, max_bytes=MAX_BODY_BYTES))
    check_target(sent.target.kind)
    with document_of(sent) as upload:
        yield upload, _accepted(request, sent.options, upload)


def _accepted(request: Request, options: ConvertOptions, upload: Upload) -> JobRequest:
    translated = translate(options)
    accepted = translated.accept(project_of(request), translated.request)
    check_format(options, upload.content.read(HEAD_BYTES))
    upload.content.seek(0)
    return accepted


def _converted(request: Request, upload: Upload, accepted: JobRequest) -> HttpResponseBase:
    job = submit_and_wait(request, upload, accepted)
    return delivery.compressed(request, delivery.private(json_response(convert_response(job))))
