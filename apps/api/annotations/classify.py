"""/api/v2/classify: of which type a document is, by criteria in words."""

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
from apps.api.v2.representations import STATUS, ApiStatus, CreditUsage, DeletedJob, ErrorSummary, represent_job
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_job
from apps.jobs.models import JobKind, ParseJob
from apps.jobs.option_groups import WHOLE, Names, Options, Prompt, ShortText, TransactionId, WebhookConfiguration
from apps.parsing.annotations.tasks import AnnotationTask, Label


class ClassifyRule(Options):
    """``type``: of a document that fits the ``description``."""

    type: Annotated[str, Field(min_length=1, max_length=200)]
    description: Prompt


class ClassifyParsing(Options):
    lang: ShortText | None = None
    max_pages: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    target_pages: Annotated[str, Field(max_length=4096)] | None = None


class ClassifyConfiguration(Options):
    rules: Annotated[list[ClassifyRule], Field(min_length=1, max_length=100)]
    mode: Literal["FAST"] | None = None
    parsing_configuration: ClassifyParsing | None = None


class ClassifyRequest(Options):
    """``file_input``: the id of a file, or of a finished parse job. ``file_id``, ``parse_job_id``: its older names."""

    file_input: ShortText | None = None
    file_id: ShortText | None = None
    parse_job_id: ShortText | None = None
    configuration: ClassifyConfiguration | None = None
    configuration_id: ShortText | None = None
    transaction_id: TransactionId | None = None
    webhook_configurations: Annotated[list[WebhookConfiguration] | None, Field(max_length=50)] = None
    webhook_configuration_ids: Names | None = None


class ClassifyResult(BaseModel):
    """``type``: null if no rule fits. ``confidence``: the model's own estimate, 0 to 1."""

    type: str | None
    confidence: float
    reasoning: str


class ClassifyUsage(CreditUsage):
    """``models``: the sums of the job's model calls, null before the result."""

    parse_credits: float | None = None
    models: dict[str, Any] | None = None


class ClassifyJob(BaseModel):
    id: str
    project_id: str
    user_id: Annotated[str, Field(description="the number of the API key")]
    status: ApiStatus
    file_input: str
    document_input_type: Literal["file_id", "parse_job_id"]
    configuration: dict[str, Any]
    configuration_id: str | None = None
    parse_job_id: str | None = None
    transaction_id: str | None = None
    created_at: datetime
    updated_at: datetime
    error_message: str | None = None
    result: ClassifyResult | None = None
    usage: ClassifyUsage = ClassifyUsage()
    # Fields that LlamaParse does not have
    error: ErrorSummary | None = None
    warnings: list[dict[str, Any]]


class ClassifyJobList(BaseModel):
    items: list[ClassifyJob]
    next_page_token: str | None = None
    total_size: int


class ClassifyJobs(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_classify",
        tags=["classify"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: ClassifyRequest},
        responses={200: ClassifyJob, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a job that finds the type of a document, by rules in words."""
        wanted = validated(ClassifyRequest, read_json(request))
        configuration = wanted.configuration
        if configuration is None or wanted.configuration_id:
            detail = "Saved classify configurations are not supported. Send the rules in configuration."
            raise sources.not_supported(("configuration_id" if wanted.configuration_id else "configuration",), detail)
        sources.check_names([rule.type for rule in configuration.rules], ("configuration", "rules"))
        parsing = configuration.parsing_configuration or ClassifyParsing()
        warnings = [*sources.unknown_options(wanted), *sources.unknown_options(configuration, "configuration.")]
        if parsing.lang:
            detail = "The language is detected."
            warnings.append(sources.without_effect("configuration.parsing_configuration.lang", detail))
        source = sources.AnnotationSource(
            file_input=sources.one_input(wanted.file_input, wanted.file_id, wanted.parse_job_id),
            target_pages=parsing.target_pages or "",
            pages_path=("configuration", "parsing_configuration", "target_pages"),
            max_pages=parsing.max_pages,
            webhook_configurations=wanted.webhook_configurations,
            webhook_configuration_ids=wanted.webhook_configuration_ids,
        )
        task = AnnotationTask(
            kind="classify",
            labels=[Label(name=rule.type, description=rule.description) for rule in configuration.rules],
            request={"configuration": configuration.stored(), "transaction_id": wanted.transaction_id},
        )
        accepted = sources.accept_annotation(project_of(request), source, task, warnings)
        return sources.submit_once(request, accepted, represent)

    @extend_schema(
        operation_id="list_classify",
        tags=["classify"],
        parameters=job_list_query(STATUS.values(), file_input=str, document_input_type=str),
        responses={200: ClassifyJobList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's classify jobs, newest first."""
        page = sources.listed_annotations(request, JobKind.CLASSIFY)
        items = [represent(job) for job in page.rows]
        return json_response(ClassifyJobList(items=items, next_page_token=page.next_token, total_size=page.total))


class ClassifyJobById(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_classify",
        tags=["classify"],
        parameters=query(wait=int),
        responses={200: ClassifyJob, **PROBLEMS},
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Return the job, with the type when it is done. ``wait``: seconds to wait for the end of an open job."""
        job = sources.find_job_of_kind(request, JobKind.CLASSIFY, job_id)
        seconds = query_parameters.integer(request, "wait", 0, minimum=0, maximum=long_poll.MAX_WAIT_SECONDS)
        return json_response(represent(long_poll.wait_for_end(job, seconds=seconds)))

    @extend_schema(operation_id="delete_classify", tags=["classify"], responses={200: DeletedJob, **PROBLEMS})
    def delete(self, request: Request, job_id: str) -> HttpResponse:
        """Delete a finished job."""
        job = sources.find_job_of_kind(request, JobKind.CLASSIFY, job_id)
        delete_job(job=job)
        return json_response(DeletedJob(id=job_id, project_id=str(job.project_id)))


class CancelClassify(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="cancel_classify", tags=["classify"], request=None, responses={200: ClassifyJob, **PROBLEMS}
    )
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Cancel an unfinished job."""
        return json_response(represent(cancel_job(job=sources.find_job_of_kind(request, JobKind.CLASSIFY, job_id))))


def represent(job: ParseJob) -> ClassifyJob:
    """Return the job, with its result."""
    task, facts = job.annotation_task, job.result_facts
    assert task is not None
    answers = sources.read_answers(job)
    parsed = facts.get("credits")
    return ClassifyJob(
        id=job.pk,
        project_id=str(job.project_id),
        user_id=str(job.api_key_id or ""),
        status=STATUS[job.state],
        file_input=sources.file_input_of(job),
        document_input_type="parse_job_id" if job.source_job else "file_id",
        configuration=task.request["configuration"],
        parse_job_id=job.source_job or job.pk,
        transaction_id=task.request.get("transaction_id"),
        created_at=job.created_at,
        updated_at=job.updated_at,
        error_message=f"{llamaparse_code(job.error_code)}: {job.error_detail}" if job.error_code else None,
        result=ClassifyResult(**answers[0].answer) if answers else None,
        usage=ClassifyUsage(
            credits=parsed, parse_credits=None if job.source_job else parsed, models=facts.get("usage")
        ),
        error=represent_job(job).error,
        warnings=job.warnings,
    )
