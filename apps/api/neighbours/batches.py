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
from apps.documents.models import Document
from apps.documents.queries import list_documents
from apps.jobs import option_schemas as schemas
from apps.jobs import queries
from apps.jobs.commands import batches
from apps.jobs.commands.batches import MAX_BATCH_FILES
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import InvalidOption
from apps.jobs.models import JobBatch
from apps.jobs.option_groups import Names, Options, ShortText, WebhookConfiguration
from apps.jobs.states import BatchStatus

Location = tuple[str | int, ...]
_CONFIGURATION: Location = ("body", "config", "job", "configuration_id")
_OF_JOBS = ("webhook_configurations", "webhook_configuration_ids")


class BatchJob(Options):
    type: Literal["parse_v2"]
    configuration_id: ShortText


class BatchConfig(Options):
    job: BatchJob


class NewBatch(Options):
    """The files are those of ``source_directory_id`` or, an extension, ``file_ids``.

    Webhooks get the events of each job.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "properties": {"source_directory_id": {"type": "string"}, "file_ids": schemas.NULL},
                    "required": ["source_directory_id"],
                },
                {
                    "properties": {"file_ids": {"type": "array"}, "source_directory_id": schemas.NULL},
                    "required": ["file_ids"],
                },
            ]
        }
    )

    config: BatchConfig
    source_directory_id: ShortText | None = None
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
    """A file of a batch and its job. ``source_directory_file_id`` is the file's id if the request named the files."""

    source_directory_file_id: str
    job_reference: JobReference | None = None
    error_message: str | None = None


class BatchFacts(BaseModel):
    """``status`` follows from the jobs; a batch is COMPLETED when all have ended, also if some failed.

    ``jobs``, an extension, counts the jobs by status. ``results`` needs ``expand=results``.
    """

    id: str
    project_id: str
    source_directory_id: str
    config: ConfigOfBatch
    status: BatchStatus
    created_at: datetime
    updated_at: datetime
    jobs: dict[str, int]
    results: list[BatchResult] | None = None


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
        """Create a job for each file of a directory, at most 1,000. All jobs are accepted or none."""
        project = project_of(request)
        sent = read_json(request)
        new = validated(NewBatch, sent)
        files = _files(project, new)
        job_request = _job_request(project, new, sent)

        def create() -> HttpResponse:
            batch = batches.create_batch(
                project=project,
                files=files,
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
                BatchResult(source_directory_file_id=source_id, job_reference=JobReference(id=job_id))
                if job_id
                else BatchResult(source_directory_file_id=source_id, error_message="The job was removed.")
                for source_id, job_id in batch.files.order_by("pk").values_list("source_id", "job_id")
            ]
        return json_response(represented)


class CancelBatch(ApiView):
    scopes = PARSES

    @extend_schema(operation_id="cancel_batch", tags=["batches"], request=None, responses={200: BatchFacts, **PROBLEMS})
    def post(self, request: Request, batch_id: str) -> HttpResponse:
        """Cancel the open jobs of a batch. Jobs that have ended keep their results."""
        batch = batches.find_batch(project=project_of(request), batch_id=batch_id)
        return json_response(_represented([batches.cancel_batch(batch=batch)])[0])


def _files(project: Project, new: NewBatch) -> list[tuple[str, Document]]:
    """Return the id and the document of each file. Raise InvalidOptions, DirectoryNotFound or DocumentNotFound."""
    if (new.source_directory_id is None) == (new.file_ids is None):
        message = "Send either source_directory_id or file_ids."
        raise InvalidOptions([OptionProblem("value_error", ("body",), message)])
    if new.file_ids is not None:
        wanted = dict.fromkeys(new.file_ids)
        found = list_documents(project=project, file_ids=wanted).in_bulk()
        return [(file_id, found.get(file_id) or find_file(project, file_id)) for file_id in wanted]
    directory = directories.find_directory(project=project, directory_id=new.source_directory_id or "")
    rows = directories.list_files(directory).order_by("created_at", "pk")
    files = [(row.pk, row.document) for row in rows[: MAX_BATCH_FILES + 1]]
    if not 0 < len(files) <= MAX_BATCH_FILES:
        message = f"A batch needs 1 to {MAX_BATCH_FILES:,} files. Add files to the directory, or split it."
        raise InvalidOption(message, location=("body", "source_directory_id"), value=new.source_directory_id)
    return files


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
        config=ConfigOfBatch(job=JobOfBatch(type="parse_v2", configuration_id=batch.configuration_id)),
        status=queries.batch_status(batch, counts),
        created_at=batch.created_at,
        updated_at=batch.cancelled_at or batch.created_at,
        jobs=jobs,
    )
