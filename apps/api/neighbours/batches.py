"""/api/v2/batches: jobs for many files with the options of a saved configuration."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import ApiView, caller_of, json_response, project_of
from apps.api.error_codes import llamaparse_code
from apps.api.request_errors import InvalidOptions, OptionProblem
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.idempotency import create_once, idempotent
from apps.api.requests.scopes import PARSES, READS
from apps.api.schema import IDEMPOTENCY_KEY, JOB_PROBLEMS, JSON, PROBLEMS, query
from apps.api.v2.configured import CONFIGURED, request_options
from apps.api.v2.files import find_file
from apps.api.v2.job_request import accept_request
from apps.api.v2.options import ParseOptions
from apps.api.v2.representations import STATUS
from apps.core.pagination import NEWEST_FIRST
from apps.documents import directories
from apps.documents.queries import list_documents
from apps.jobs import option_schemas as schemas
from apps.jobs import queries
from apps.jobs.commands import batches
from apps.jobs.commands.batches import MAX_BATCH_FILES, BatchFile
from apps.jobs.commands.submit import JobRequest
from apps.jobs.commands.unpack import Unpacked, unpack
from apps.jobs.errors import InvalidOption
from apps.jobs.models import JobBatch
from apps.jobs.option_groups import Names, Options, ShortText, WebhookConfiguration
from apps.jobs.states import BatchStatus

Location = tuple[str | int, ...]
_CONFIGURATION: Location = ("body", "config", "job", "configuration_id")
_SOURCES = ("source_directory_id", "source_file_id", "file_ids")
_OF_JOBS = ("webhook_configurations", "webhook_configuration_ids")


class BatchJob(Options):
    type: Literal["parse_v2"]
    configuration_id: ShortText


class BatchConfig(Options):
    job: BatchJob


class NewBatch(Options):
    """The files are those of ``source_directory_id`` or, extensions, ``file_ids`` or those inside ``source_file_id``.

    ``source_file_id``: an uploaded ZIP archive, or a message, PDF, office file or invoice that has files inside.

    Webhooks get the events of each job.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "properties": {
                        **dict.fromkeys(_SOURCES, schemas.NULL),
                        name: {"type": "array" if name == "file_ids" else "string"},
                    },
                    "required": [name],
                }
                for name in _SOURCES
            ]
        }
    )

    config: BatchConfig
    source_directory_id: ShortText | None = None
    source_file_id: ShortText | None = None
    file_ids: Annotated[list[ShortText], Field(min_length=1, max_length=MAX_BATCH_FILES)] | None = None
    webhook_configurations: Annotated[list[WebhookConfiguration] | None, Field(max_length=50)] = None
    webhook_configuration_ids: Names | None = None


class JobOfBatch(BaseModel):
    type: Literal["parse_v2"]
    configuration_id: str


class ConfigOfBatch(BaseModel):
    job: JobOfBatch


class JobReference(BaseModel):
    id: str
    type: Literal["parse_v2"] = "parse_v2"


class BatchResult(BaseModel):
    """A file of a batch and its job. ``source_directory_file_id`` is the file's id if it is in no directory.

    ``name``, an extension: the path of a file inside ``source_file_id``. ``error_message`` is that of a failed job.
    """

    source_directory_file_id: str
    name: str | None = None
    job_reference: JobReference | None = None
    error_message: str | None = None


class SkippedFile(BaseModel):
    """``code`` and ``message``: why the file is not parsed."""

    name: str
    code: str
    message: str


class BatchFacts(BaseModel):
    """``status`` follows from the jobs; a batch is COMPLETED when all have ended, also if some failed.

    ``jobs``, an extension, counts the jobs by status. ``results`` needs ``expand=results``; so does ``skipped``, an
    extension: the files inside ``source_file_id`` that have no job.
    """

    id: str
    project_id: str
    source_directory_id: str
    source_file_id: str | None = None
    config: ConfigOfBatch
    status: BatchStatus
    created_at: datetime
    updated_at: datetime
    jobs: dict[str, int]
    results: list[BatchResult] | None = None
    skipped: list[SkippedFile] | None = None


class BatchList(BaseModel):
    items: list[BatchFacts]
    next_page_token: str | None = None
    total_size: int


class Batches(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_batch",
        tags=["batches"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: NewBatch},
        responses={200: BatchFacts, **JOB_PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a job for each file of a directory or an archive, at most 1,000. All jobs are accepted or none."""
        project = project_of(request)
        sent = read_json(request)
        new = validated(NewBatch, sent)
        job_request = _job_request(project, new, sent)
        unpacked = _files(project, new)

        def create() -> HttpResponse:
            batch = batches.create_batch(
                project=project,
                files=unpacked.files,
                skipped=unpacked.skipped,
                source_file_id=new.source_file_id or "",
                request=job_request,
                configuration_id=new.config.job.configuration_id,
                directory_id=new.source_directory_id or "",
                api_key=caller_of(request).api_key,
            )
            return json_response(_represented([batch])[0])

        return create_once(request, create)

    @extend_schema(
        operation_id="list_batches",
        tags=["batches"],
        parameters=query(
            status={"type": "string", "enum": list(BatchStatus)},
            source_directory_id=str,
            created_at_on_or_after={"type": "string", "format": "date-time"},
            created_at_on_or_before={"type": "string", "format": "date-time"},
            page_size=int,
            page_token=str,
        ),
        responses={200: BatchList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's batches, newest first."""
        rows = queries.list_batches(
            project=project_of(request),
            status=_status(query_parameters.text(request, "status")),
            directory_id=query_parameters.text(request, "source_directory_id"),
            created_from=query_parameters.moment(request, "created_at_on_or_after"),
            created_until=query_parameters.moment(request, "created_at_on_or_before"),
        )
        page = query_parameters.paginate(
            rows,
            order=NEWEST_FIRST,
            size=query_parameters.page_size(request),
            token=query_parameters.text(request, "page_token"),
        )
        items = _represented(page.rows)
        return json_response(BatchList(items=items, next_page_token=page.next_token, total_size=page.total))


class BatchById(ApiView):
    scopes = READS

    @extend_schema(
        operation_id="get_batch",
        tags=["batches"],
        parameters=query(expand=list),
        responses={200: BatchFacts, **PROBLEMS},
    )
    def get(self, request: Request, batch_id: str) -> HttpResponse:
        """Return a batch; with ``expand=results`` also its files and their jobs."""
        batch = batches.find_batch(project=project_of(request), batch_id=batch_id)
        (represented,) = _represented([batch])
        if "results" in query_parameters.values(request, "expand"):
            represented.results = [
                BatchResult(
                    source_directory_file_id=source_id,
                    name=name or None,
                    job_reference=JobReference(id=job_id) if job_id else None,
                    error_message=_error_message(code, detail) if job_id else "The job was removed.",
                )
                for source_id, name, job_id, code, detail in batch.files.order_by("pk").values_list(
                    "source_id", "name", "job_id", "job__error_code", "job__error_detail"
                )
            ]
            if batch.source_file_id:
                represented.skipped = [
                    SkippedFile(name=file["name"], code=file["code"], message=file["detail"]) for file in batch.skipped
                ]
        return json_response(represented)


def _error_message(code: str, detail: str) -> str | None:
    return f"{llamaparse_code(code)}: {detail}" if code else None


class CancelBatch(ApiView):
    scopes = PARSES

    @extend_schema(operation_id="cancel_batch", tags=["batches"], request=None, responses={200: BatchFacts, **PROBLEMS})
    def post(self, request: Request, batch_id: str) -> HttpResponse:
        """Cancel the open jobs of a batch. Jobs that have ended keep their results."""
        batch = batches.find_batch(project=project_of(request), batch_id=batch_id)
        return json_response(_represented([batches.cancel_batch(batch=batch)])[0])


def _files(project: Project, new: NewBatch) -> Unpacked:
    """Return the files. Raise InvalidOptions, DirectoryNotFound, DocumentNotFound or what ``unpack`` raises."""
    if sum(getattr(new, name) is not None for name in _SOURCES) != 1:
        message = f"Send one of {', '.join(_SOURCES)}."
        raise InvalidOptions([OptionProblem("value_error", ("body",), message)])
    if new.file_ids is not None:
        wanted = dict.fromkeys(new.file_ids)
        found = list_documents(project=project, file_ids=wanted).in_bulk()
        return Unpacked([BatchFile(each, found.get(each) or find_file(project, each)) for each in wanted], [])
    if new.source_file_id is not None:
        return unpack(project=project, document=find_file(project, new.source_file_id))
    directory = directories.find_directory(project=project, directory_id=new.source_directory_id or "")
    rows = directories.list_files(directory).order_by("created_at", "pk")
    files = [BatchFile(row.pk, row.document) for row in rows[: MAX_BATCH_FILES + 1]]
    if not 0 < len(files) <= MAX_BATCH_FILES:
        message = f"A batch needs 1 to {MAX_BATCH_FILES:,} files. Add files to the directory, or split it."
        raise InvalidOption(message, location=("body", "source_directory_id"), value=new.source_directory_id)
    return Unpacked(files, [])


def _job_request(project: Project, new: NewBatch, sent: dict[str, Any]) -> JobRequest:
    """Return the request of each job. Errors of the saved configuration name ``configuration_id``."""
    configured = {"configuration_id": new.config.job.configuration_id, "tier": CONFIGURED, "version": CONFIGURED}
    webhooks = {name: sent[name] for name in _OF_JOBS if sent.get(name) is not None}
    try:
        return accept_request(project, request_options(ParseOptions, project, {**configured, **webhooks}))
    except InvalidOption as error:
        error.location = _location_of(error.location)
        raise
    except InvalidOptions as error:
        raise InvalidOptions([replace(each, location=_location_of(each.location)) for each in error.problems]) from None


def _location_of(location: Location) -> Location:
    """Return the place in the request of a fault of the options: that of a webhook, or of the configuration."""
    return location if len(location) > 1 and location[1] in _OF_JOBS else _CONFIGURATION


def _status(name: str | None) -> BatchStatus | None:
    if name is None or name.upper() in BatchStatus.__members__:
        return BatchStatus(name.upper()) if name else None
    detail = f"The status is unknown. Send one of: {', '.join(BatchStatus)}."
    raise InvalidOption(detail, location=("query", "status"), value=name)


def _represented(rows: list[JobBatch]) -> list[BatchFacts]:
    counts = queries.batch_counts([row.pk for row in rows])
    return [_represent(row, counts.get(row.pk, {})) for row in rows]


def _represent(batch: JobBatch, counts: dict[str, int]) -> BatchFacts:
    jobs: dict[str, int] = {}
    for state, count in counts.items():
        jobs[STATUS[state]] = jobs.get(STATUS[state], 0) + count
    return BatchFacts(
        id=batch.pk,
        project_id=str(batch.project_id),
        source_directory_id=batch.directory_id,
        source_file_id=batch.source_file_id or None,
        config=ConfigOfBatch(job=JobOfBatch(type="parse_v2", configuration_id=batch.configuration_id)),
        status=queries.batch_status(batch, counts),
        created_at=batch.created_at,
        updated_at=batch.cancelled_at or batch.created_at,
        jobs=jobs,
    )
