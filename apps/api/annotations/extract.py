"""/api/v2/extract: values of a document by a JSON schema, each with the place where it is printed."""

from __future__ import annotations

from collections.abc import Collection
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
from apps.api.requests.scopes import PARSES, READS_BY_POST
from apps.api.schema import IDEMPOTENCY_KEY, JSON, PROBLEMS, job_list_query, query
from apps.api.v2 import long_poll
from apps.api.v2.representations import STATUS, ApiStatus, DeletedJob, ErrorSummary, PageTotals, represent_job
from apps.jobs.commands.cancel import cancel_job
from apps.jobs.commands.delete import delete_job
from apps.jobs.models import JobKind, ParseJob
from apps.jobs.option_groups import WHOLE, Names, Options, Prompt, ShortText, TransactionId, WebhookConfiguration
from apps.parsing.annotations import schemas
from apps.parsing.annotations.tasks import AnnotationTask

METADATA, CONFIGURATION = "extract_metadata", "configuration"
_WITHOUT_EFFECT = {
    "confidence_scores": "Models' estimates of their own confidence are not given; parsing_confidence is that of OCR.",
    "advanced_citations": "All citations have the boxes of their words.",
    "disable_cache": "Extracted values are never cached.",
    "tier": "All tiers are extracted by the models of balanced mode; the tier chooses how the document is parsed.",
    "version": "There is one version of extraction.",
}
_PARSE_TIERS = {"turbo": "fast"}


class ExtractConfiguration(Options):
    """What to extract. ``parse_tier``: how the document is parsed before; default: the tier, or fast without one."""

    data_schema: Annotated[dict[str, Any], Field(description="JSON Schema (2020-12) of type object, at most 64 KB")]
    tier: Literal["cost_effective", "agentic", "agentic_plus", "turbo"] | None = None
    version: ShortText | None = None
    extraction_target: Literal["per_doc", "per_page", "per_table_row"] | None = None
    parse_tier: Literal["fast", "cost_effective", "agentic", "agentic_plus"] | None = None
    parse_config_id: ShortText | None = None
    target_pages: Annotated[str, Field(max_length=4096)] | None = None
    max_pages: Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None = None
    system_prompt: Prompt | None = None
    cite_sources: Annotated[bool, Field(description="false: do not look for the places of values")] | None = None
    confidence_scores: bool | None = None
    advanced_citations: bool | None = None
    disable_cache: bool | None = None
    sheet_names: Names | None = None
    spreadsheet_mode: bool | None = None


class ExtractRequest(Options):
    """``file_input``: the id of a file, or of a finished parse job."""

    file_input: ShortText
    configuration: ExtractConfiguration | None = None
    configuration_id: ShortText | None = None
    webhook_configurations: Annotated[list[WebhookConfiguration] | None, Field(max_length=50)] = None
    webhook_configuration_ids: Names | None = None
    transaction_id: TransactionId | None = None


class SchemaToValidate(Options):
    data_schema: dict[str, Any]


class ValidatedSchema(BaseModel):
    data_schema: dict[str, Any]


class FieldMetadata(BaseModel):
    """For each value, in the shape of the result: ``citation`` (null: not found) and ``parsing_confidence`` of OCR."""

    document_metadata: dict[str, Any] | None = None
    page_metadata: list[dict[str, Any]] | None = None


class ExtractMetadata(BaseModel):
    field_metadata: FieldMetadata
    parse_job_id: str
    parse_tier: str


class ExtractedPages(BaseModel):
    num_pages_extracted: int | None = None
    num_pages_billed: int | None = None


class ExtractJobMetadata(BaseModel):
    usage: ExtractedPages = ExtractedPages()


class ExtractUsage(BaseModel):
    """Credits by LlamaParse's price list. ``models``: the sums of the job's model calls, null before the result."""

    credits: float | None = None
    extract_credits: float | None = None
    parse_credits: float | None = None
    models: dict[str, Any] | None = None


class ExtractJob(BaseModel):
    id: str
    project_id: str
    file_input: str
    status: ApiStatus
    created_at: datetime
    updated_at: datetime
    error_message: str | None = None
    configuration: dict[str, Any] | None = None
    configuration_id: str | None = None
    extract_result: dict[str, Any] | list[dict[str, Any]] | None = None
    extract_metadata: ExtractMetadata | None = None
    metadata: ExtractJobMetadata = ExtractJobMetadata()
    usage: ExtractUsage = ExtractUsage()
    # Fields that LlamaParse does not have
    name: str
    state: str
    error: ErrorSummary | None = None
    warnings: list[dict[str, Any]]
    pages: PageTotals
    page_numbers: Annotated[list[int] | None, Field(description="per_page: the page of each result")] = None


class ExtractJobList(BaseModel):
    items: list[ExtractJob]
    next_page_token: str | None = None
    total_size: int


class ExtractJobs(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="create_extract",
        tags=["extract"],
        parameters=IDEMPOTENCY_KEY,
        request={JSON: ExtractRequest},
        responses={200: ExtractJob, **PROBLEMS},
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        """Create a job that extracts values by a JSON schema from a file, or from a finished parse job."""
        project = project_of(request)
        wanted = validated(ExtractRequest, read_json(request))
        configuration = wanted.configuration
        if configuration is None or wanted.configuration_id:
            detail = "Saved extract configurations are not supported. Send the options in configuration."
            raise sources.not_supported(("configuration_id" if wanted.configuration_id else "configuration",), detail)
        schemas.check_schema(configuration.data_schema)
        source = sources.AnnotationSource(
            file_input=wanted.file_input,
            parse_tier=configuration.parse_tier or _PARSE_TIERS.get(configuration.tier or "", configuration.tier),
            parse_config_id=configuration.parse_config_id,
            target_pages=configuration.target_pages or "",
            max_pages=configuration.max_pages,
            webhook_configurations=wanted.webhook_configurations,
            webhook_configuration_ids=wanted.webhook_configuration_ids,
        )
        warnings = [*sources.unknown_options(wanted), *_warnings(configuration)]
        accepted = sources.accept_annotation(project, source, _task(configuration), warnings)
        return sources.submit_once(request, accepted, lambda job: represent(job, ()))

    @extend_schema(
        operation_id="list_extract",
        tags=["extract"],
        parameters=job_list_query(
            STATUS.values(), file_input=str, document_input_value=str, document_input_type=str, expand=list
        ),
        responses={200: ExtractJobList, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        """List the project's extract jobs, newest first, without their results. ``expand``: configuration."""
        page = sources.listed_annotations(request, JobKind.EXTRACT)
        expand = query_parameters.values(request, "expand")
        items = [represent(job, expand, with_result=METADATA in expand) for job in page.rows]
        return json_response(ExtractJobList(items=items, next_page_token=page.next_token, total_size=page.total))


class ValidateSchema(ApiView):
    scopes = READS_BY_POST

    @extend_schema(
        operation_id="validate_extract_schema",
        tags=["extract"],
        request={JSON: SchemaToValidate},
        responses={200: ValidatedSchema, **PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponse:
        """Check a JSON schema: 422 ``invalid_schema`` or ``schema_too_large`` says what is wrong with it."""
        schema = validated(SchemaToValidate, read_json(request)).data_schema
        schemas.check_schema(schema)
        return json_response(ValidatedSchema(data_schema=schema))


class ExtractJobById(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="get_extract",
        tags=["extract"],
        parameters=query(expand=list, wait=int),
        responses={200: ExtractJob, **PROBLEMS},
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """Return the job, with its values when it is done. ``expand``: configuration, extract_metadata.

        ``wait``: seconds to wait for the end of an open job before answering.
        """
        job = sources.find_job_of_kind(request, JobKind.EXTRACT, job_id)
        seconds = query_parameters.integer(request, "wait", 0, minimum=0, maximum=long_poll.MAX_WAIT_SECONDS)
        job = long_poll.wait_for_end(job, seconds=seconds)
        return json_response(represent(job, query_parameters.values(request, "expand"), with_result=True))

    @extend_schema(operation_id="delete_extract", tags=["extract"], responses={200: DeletedJob, **PROBLEMS})
    def delete(self, request: Request, job_id: str) -> HttpResponse:
        """Delete a finished job and its result. The job whose pages it read remains."""
        job = sources.find_job_of_kind(request, JobKind.EXTRACT, job_id)
        delete_job(job=job)
        return json_response(DeletedJob(id=job_id, project_id=str(job.project_id)))


class CancelExtract(ApiView):
    scopes = PARSES

    @extend_schema(
        operation_id="cancel_extract", tags=["extract"], request=None, responses={200: ExtractJob, **PROBLEMS}
    )
    def post(self, request: Request, job_id: str) -> HttpResponse:
        """Cancel an unfinished job."""
        job = cancel_job(job=sources.find_job_of_kind(request, JobKind.EXTRACT, job_id))
        return json_response(represent(job, ()))


def _task(configuration: ExtractConfiguration) -> AnnotationTask:
    return AnnotationTask(
        kind="extract",
        target="page" if configuration.extraction_target == "per_page" else "document",
        schema_=configuration.data_schema,
        instructions=configuration.system_prompt or "",
        cites=configuration.cite_sources is not False,
        request={name: value for name, value in configuration.stored().items() if name != "data_schema"},
    )


def _warnings(configuration: ExtractConfiguration) -> list[dict[str, str]]:
    """Return warnings about options without effect. Raise InvalidOptions for those that are not offered."""
    if configuration.extraction_target == "per_table_row":
        detail = "per_table_row is not supported. Put a list of objects into the schema, one object for each row."
        raise sources.not_supported(("configuration", "extraction_target"), detail)
    if configuration.spreadsheet_mode or configuration.sheet_names:
        detail = "All sheets of a workbook are read. Leave the option out, and name sheets in the prompt."
        name = "spreadsheet_mode" if configuration.spreadsheet_mode else "sheet_names"
        raise sources.not_supported(("configuration", name), detail)
    found = list(sources.unknown_options(configuration, "configuration."))
    for name, detail in _WITHOUT_EFFECT.items():
        if getattr(configuration, name) not in (None, False, "latest"):
            found.append(sources.without_effect(f"configuration.{name}", detail))
    return found


def represent(job: ParseJob, expand: Collection[str], *, with_result: bool = False) -> ExtractJob:
    """Return the job. ``with_result``: with its values, which are read from storage."""
    task, facts, common = job.annotation_task, job.result_facts, represent_job(job)
    assert task is not None
    answers = [each for each in sources.read_answers(job) if not each.error_code] if with_result else []
    wants_metadata = METADATA in expand or bool(task.request.get("cite_sources"))
    values = [each.answer for each in answers]
    parsed, extracted = facts.get("credits"), facts.get("extract_credits")
    return ExtractJob(
        id=job.pk,
        project_id=str(job.project_id),
        file_input=sources.file_input_of(job),
        status=STATUS[job.state],
        created_at=job.created_at,
        updated_at=job.updated_at,
        error_message=f"{llamaparse_code(job.error_code)}: {job.error_detail}" if job.error_code else None,
        configuration={"data_schema": task.schema_, **task.request} if CONFIGURATION in expand else None,
        extract_result=values if values and task.target == "page" else next(iter(values), None),
        extract_metadata=_metadata(job, task, answers) if answers and wants_metadata else None,
        metadata=ExtractJobMetadata(usage=ExtractedPages(num_pages_extracted=facts.get("good_pages"))),
        usage=ExtractUsage(
            credits=None if extracted is None else (parsed or 0) + extracted,
            extract_credits=extracted,
            parse_credits=parsed,
            models=facts.get("usage"),
        ),
        name=job.document_name,
        state=job.state,
        error=common.error,
        warnings=job.warnings,
        pages=common.pages,
        page_numbers=[each.page_number for each in answers] if answers and task.target == "page" else None,
    )


def _metadata(job: ParseJob, task: AnnotationTask, answers: list[Any]) -> ExtractMetadata:
    found = [each.metadata or {} for each in answers]
    field_metadata = (
        FieldMetadata(page_metadata=found) if task.target == "page" else FieldMetadata(document_metadata=found[0])
    )
    return ExtractMetadata(field_metadata=field_metadata, parse_job_id=job.source_job or job.pk, parse_tier=job.tier)
