"""/api/v1/split/jobs: which pages of a file are which document. /api/v1/beta/split/jobs is its older form."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel, Field
from rest_framework.request import Request

from apps.api.annotations import sources
from apps.api.base import ApiView, json_response, project_of
from apps.api.error_codes import llamaparse_code
from apps.api.requests import query_parameters
from apps.api.requests.bodies import read_json, validated
from apps.api.requests.idempotency import idempotent
from apps.api.requests.scopes import PARSES
from apps.api.schema import IDEMPOTENCY_KEY, JSON, PROBLEMS, job_list_query, query
from apps.api.v2 import long_poll
from apps.api.v2.representations import ErrorSummary, represent_job
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_job
from apps.jobs.models import JobKind, ParseJob
from apps.jobs.option_groups import WHOLE, Names, Options, Prompt, ShortText, TransactionId, WebhookConfiguration
from apps.jobs.states import JobState
from apps.parsing.annotations.tasks import UNCATEGORIZED, AnnotationTask, Label

SplitStatus = Literal["pending", "processing", "completed", "failed", "cancelled"]
SPLIT_STATUS: dict[str, SplitStatus] = {
    JobState.PENDING: "pending",
    JobState.RUNNING: "processing",
    JobState.SUCCEEDED: "completed",
    JobState.PARTIAL: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


class Category(Options):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Prompt | None = None


class SplittingStrategy(Options):
    """``allow_uncategorized``: what happens to pages of no category; default: they are segments of their own."""

    allow_uncategorized: Literal["forbid", "include", "omit"] | None = None
    custom_instructions: Prompt | None = None
    min_pages_per_split: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None


class SplitConfiguration(Options):
    categories: Annotated[list[Category], Field(min_length=1, max_length=100)]
    splitting_strategy: SplittingStrategy | None = None
    parse_tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] | None = None
    parse_config_id: ShortText | None = None
    target_pages: Annotated[str, Field(max_length=4096, description="pages of a finished parse job")] | None = None
    version: ShortText | None = None


class DocumentInput(Options):
    type: Literal["file_id", "parse_job_id"]
    value: ShortText


class SplitRequest(Options):
    """``file_input``: the id of a file, or of a finished parse job. ``document_input``: its older form."""

    file_input: ShortText | None = None
    document_input: DocumentInput | None = None
    configuration: SplitConfiguration | None = None
    configuration_id: ShortText | None = None
    transaction_id: TransactionId | None = None
    webhook_configurations: Annotated[list[WebhookConfiguration] | None, Field(max_length=50)] = None
    webhook_configuration_ids: Names | None = None


class FoundSegment(BaseModel):
    category: str
    confidence_category: Literal["high", "medium", "low"]
    pages: list[int]


class SplitResult(BaseModel):
    segments: list[FoundSegment]


class SplitJob(BaseModel):
    id: str
    project_id: str
    user_id: Annotated[str, Field(description="the number of the API key")]
    status: SplitStatus
    categories: list[dict[str, Any]]
    splitting_strategy: dict[str, Any] | None = None
    file_input: str
    document_input_type: Literal["file_id", "parse_job_id"]
    document_input: dict[str, str]
    configuration_id: str | None = None
    parse_config_id: str | None = None
    parse_tier: str | None = None
    target_pages: str | None = None
    transaction_id: str | None = None
    created_at: datetime
    updated_at: datetime
    error_message: str | None = None
    result: SplitResult | None = None
    # Fields that LlamaParse does not have
    error: ErrorSummary | None = None
    warnings: list[dict[str, Any]]


class SplitJobList(BaseModel):
    items: list[SplitJob]
    next_page_token: str | None = None
    total_size: int


class SplitJobs(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_split",
        tags=["split"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: SplitRequest},
        responses={200: SplitJob, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a job that finds which pages of a file belong to which category of documents."""
        wanted = validated(SplitRequest, read_json(request))
        configuration = wanted.configuration
        if configuration is None or wanted.configuration_id:
            detail = "Saved split configurations are not supported. Send the categories in configuration."
            raise sources.not_supported(("configuration_id" if wanted.configuration_id else "configuration",), detail)
        names = [category.name for category in configuration.categories]
        sources.check_names([*names, UNCATEGORIZED], ("configuration", "categories"))
        older = wanted.document_input.value if wanted.document_input else None
        strategy = configuration.splitting_strategy or SplittingStrategy()
        warnings = [*sources.unknown_options(wanted), *sources.unknown_options(configuration, "configuration.")]
        if configuration.version not in (None, "latest"):
            warnings.append(sources.without_effect("configuration.version", "There is one version of split."))
        source = sources.AnnotationSource(
            file_input=sources.one_input(wanted.file_input, older),
            parse_tier=configuration.parse_tier,
            parse_config_id=configuration.parse_config_id,
            target_pages=configuration.target_pages or "",
            webhook_configurations=wanted.webhook_configurations,
            webhook_configuration_ids=wanted.webhook_configuration_ids,
        )
        task = AnnotationTask(
            kind="split",
            labels=[Label(name=each.name, description=each.description or "") for each in configuration.categories],
            instructions=strategy.custom_instructions or "",
            unlabelled=strategy.allow_uncategorized or "include",
            min_pages=strategy.min_pages_per_split or 1,
            request={"configuration": configuration.stored(), "transaction_id": wanted.transaction_id},
        )
        accepted = sources.accept_annotation(project_of(request), source, task, warnings)
        return sources.submit_once(request, accepted, represent)

    @extend_schema(
        operation_id="list_split",
        tags=["split"],
        parameters=job_list_query(SPLIT_STATUS.values(), file_input=str, document_input_type=str),
        responses={200: SplitJobList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's split jobs, newest first."""
        page = sources.listed_annotations(request, JobKind.SPLIT, SPLIT_STATUS)
        items = [represent(job) for job in page.rows]
        return json_response(SplitJobList(items=items, next_page_token=page.next_token, total_size=page.total))


class SplitJobById(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_split", tags=["split"], parameters=query(wait=int), responses={200: SplitJob, **PROBLEMS}
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Return the job, with the segments when it is done. ``wait``: seconds to wait for the end of an open job."""
        job = sources.find_job_of_kind(request, JobKind.SPLIT, job_id)
        seconds = query_parameters.integer(request, "wait", 0, minimum=0, maximum=long_poll.MAX_WAIT_SECONDS)
        return json_response(represent(long_poll.wait_for_end(job, seconds=seconds)))

    @extend_schema(operation_id="delete_split", tags=["split"], responses={204: None, **PROBLEMS})
    def delete(self, request: Request, job_id: str) -> HttpResponse:
        """Delete a finished job."""
        delete_job(job=sources.find_job_of_kind(request, JobKind.SPLIT, job_id))
        return HttpResponse(status=204)


class CancelSplit(ApiView):
    scopes = PARSES

    @extend_schema(operation_id="cancel_split", tags=["split"], request=None, responses={200: SplitJob, **PROBLEMS})
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Cancel an unfinished job."""
        return json_response(represent(cancel_job(job=sources.find_job_of_kind(request, JobKind.SPLIT, job_id))))


def represent(job: ParseJob) -> SplitJob:
    """Return the job, with its result."""
    task = job.annotation_task
    assert task is not None
    answers = sources.read_answers(job)
    sent = task.request["configuration"]
    kind: Literal["file_id", "parse_job_id"] = "parse_job_id" if job.source_job else "file_id"
    return SplitJob(
        id=job.pk,
        project_id=str(job.project_id),
        user_id=str(job.api_key_id or ""),
        status=SPLIT_STATUS[job.state],
        categories=sent["categories"],
        splitting_strategy=sent.get("splitting_strategy"),
        file_input=sources.file_input_of(job),
        document_input_type=kind,
        document_input={"type": kind, "value": sources.file_input_of(job)},
        parse_config_id=sent.get("parse_config_id"),
        parse_tier=sent.get("parse_tier"),
        target_pages=sent.get("target_pages"),
        transaction_id=task.request.get("transaction_id"),
        created_at=job.created_at,
        updated_at=job.updated_at,
        error_message=f"{llamaparse_code(job.error_code)}: {job.error_detail}" if job.error_code else None,
        result=SplitResult(segments=answers[0].answer) if answers else None,
        error=represent_job(job).error,
        warnings=job.warnings,
    )
