"""What an annotation reads: a file, which is parsed first, or the pages of a job that has parsed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from pydantic import BaseModel
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import caller_of, json_response, project_of
from apps.api.request_errors import InvalidOptions, OptionProblem, printable
from apps.api.requests import query_parameters
from apps.api.requests.idempotency import create_once
from apps.api.v2.configured import request_options
from apps.api.v2.files import find_file
from apps.api.v2.find_jobs import find_job, listed_jobs, page_of_jobs
from apps.api.v2.job_request import MAX_WARNINGS, accept_request
from apps.api.v2.options import ParseOptions
from apps.api.v2.parse import HEAD_BYTES, check_type
from apps.api.v2.representations import STATUS
from apps.api.webhooks.targets import requested_targets
from apps.core.pagination import PageOfRows
from apps.documents import storage
from apps.documents.models import Document
from apps.jobs import queries as job_queries
from apps.jobs.commands.submit import JobRequest, submit_job, unsealed_password
from apps.jobs.errors import InvalidOption, JobNotFinished, JobNotFound
from apps.jobs.models import JobKind, ParseJob
from apps.jobs.option_groups import Options, WebhookConfiguration
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.admission import admit, admit_annotation
from apps.jobs.stages.annotations.result import ANNOTATIONS_FILE, AnnotatedPage, read_annotations
from apps.pages.model.errors import PageOutOfRange
from apps.pages.model.page_numbers.ranges import check_page_ranges
from apps.parsing.annotations.tasks import AnnotationTask
from apps.parsing.modes import BALANCED
from apps.parsing.tiers import LATEST

DEFAULT_PARSE_TIER = "fast"
Warnings = Sequence[dict[str, str]]


class AnnotationSource(BaseModel):
    """How the document is parsed before the model reads it. ``pages_path``: where the request has ``target_pages``."""

    pages_path: tuple[str, ...] = ("configuration", "target_pages")
    file_input: str
    parse_tier: str | None = None
    parse_config_id: str | None = None
    target_pages: str = ""
    max_pages: int | None = None
    webhook_configurations: list[WebhookConfiguration] | None = None
    webhook_configuration_ids: list[str] | None = None


@dataclass(frozen=True)
class AcceptedJob:
    """A checked request: the job to submit, and its document; None if the pages of another job are read."""

    document: Document | None
    request: JobRequest
    name: str


def accept_annotation(
    project: Project, source: AnnotationSource, task: AnnotationTask, warnings: Warnings = ()
) -> AcceptedJob:
    """Check a request for a job.

    Raise DocumentNotFound, JobNotFound, JobNotFinished, what ``accept_request`` raises, and the errors of
    ``admit_annotation``.
    """
    if source.target_pages:
        try:
            check_page_ranges(source.target_pages)
        except PageOutOfRange as error:
            problem = OptionProblem("invalid_range", ("body", *source.pages_path), error.detail, source.target_pages)
            raise InvalidOptions([problem]) from None
    document: Document | None
    if source.file_input.startswith("dfl-"):
        document, accepted = _of_file(project, source)
        name = document.name
    else:
        of_job = _parsed_job(project, source.file_input)
        document, accepted = _of_job(project, of_job, source)
        name = of_job.document_name
    about_models = admit_annotation(project=project, options=accepted.options, kind=task.kind)
    accepted = replace(
        accepted,
        kind=JobKind(task.kind),
        annotation=task,
        uses_models=True,
        warnings=(*accepted.warnings, *about_models, *warnings)[:MAX_WARNINGS],
    )
    return AcceptedJob(document, accepted, name)


def submit_once(request: Request, accepted: AcceptedJob, represent: Callable[[ParseJob], BaseModel]) -> HttpResponse:
    """Submit the job, once for each idempotency key, and answer with it."""

    def create() -> HttpResponse:
        caller = caller_of(request)
        job = submit_job(
            project=caller.project,
            document=accepted.document,
            request=accepted.request,
            api_key=caller.api_key,
            name=accepted.name,
        )
        return json_response(represent(job))

    return create_once(request, create)


def find_job_of_kind(request: Request, kind: JobKind, job_id: str) -> ParseJob:
    """Return the job of this kind. Raise JobNotFound for any other."""
    job = find_job(project_of(request), job_id)
    if job.kind != kind:
        raise JobNotFound
    return job


def listed_annotations(request: Request, kind: JobKind, statuses: Mapping[str, str] = STATUS) -> PageOfRows[ParseJob]:
    """Return the page of the project's jobs of this kind that the request asks for, newest first.

    ``statuses``: how the API names each state.
    """
    rows = listed_jobs(request, kind, statuses, unused_statuses=("THROTTLED",))
    named = query_parameters.text(request, "file_input") or query_parameters.text(request, "document_input_value")
    if named:
        rows = rows.filter(Q(source_job=named) | Q(document_id=named, source_job=""))
    if of_type := query_parameters.text(request, "document_input_type"):
        rows = rows.exclude(source_job="") if of_type == "parse_job_id" else rows.filter(source_job="")
    if query_parameters.text(request, "configuration_id"):
        rows = rows.none()
    return page_of_jobs(request, rows)


def file_input_of(job: ParseJob) -> str:
    """Return what the job reads: the id of a parsed job, or of a file."""
    return job.source_job or str(job.document_id or "")


def read_answers(job: ParseJob) -> list[AnnotatedPage]:
    """Return the annotations of a job that has a result; none of another."""
    if not job.annotation:
        return []
    source = job_queries.open_result(job, ANNOTATIONS_FILE)
    if source is None:
        return []
    with source:
        return read_annotations(source.read())


def _parsed_job(project: Project, job_id: str) -> ParseJob:
    try:
        return find_job(project, job_id)
    except JobNotFound:
        raise JobNotFound(
            "No such file or job. Send the id of an uploaded file (dfl-...) or of a parse job (pjb-...)."
        ) from None


def _of_file(project: Project, source: AnnotationSource) -> tuple[Document, JobRequest]:
    document = find_file(project, source.file_input)
    with storage.open_original(document.pk) as content:
        check_type(content.read(HEAD_BYTES))
    ranges = {"target_pages": source.target_pages, "max_pages": source.max_pages}
    values: dict[str, Any] = {"page_ranges": {name: value for name, value in ranges.items() if value}}
    if source.parse_config_id:
        values |= {"configuration_id": source.parse_config_id}
    else:
        values |= {"tier": source.parse_tier or DEFAULT_PARSE_TIER, "version": LATEST}
    try:
        options = request_options(ParseOptions, project, {name: value for name, value in values.items() if value != {}})
    except InvalidOption as error:  # the saved configuration does not exist
        error.location = ("body", "configuration", "parse_config_id")
        raise
    accepted = accept_request(project, options)
    return document, replace(accepted, webhooks=_webhooks(project, source))


def _of_job(project: Project, job: ParseJob, source: AnnotationSource) -> tuple[Document | None, JobRequest]:
    if not job.has_ended or not job.result_folder:
        raise JobNotFinished
    options = job.parsed_options
    admission = admit(project=project, mode=BALANCED, options=options.without_page_rules(), tier=BALANCED)
    return job.document, JobRequest(
        mode=job.mode,
        tier=job.tier,
        version=job.version,
        target_pages=source.target_pages,
        max_pages=source.max_pages,
        options=options,
        password=unsealed_password(job),
        uses_models=True,
        warnings=() if admission.uses_models else admission.warnings,
        webhooks=_webhooks(project, source),
        source_job=job.pk,
    )


def _webhooks(project: Project, source: AnnotationSource) -> Any:
    named = JobOptions(
        webhook_configurations=source.webhook_configurations,
        webhook_configuration_ids=source.webhook_configuration_ids,
    )
    return requested_targets(project, named)


def one_input(*named: str | None) -> str:
    """Return the only id of a document in a request, which has several names for it. Raise InvalidOptions."""
    given = [each for each in named if each]
    if len(given) != 1:
        raise InvalidOptions(
            [OptionProblem("missing", ("body", "file_input"), "Send one id of a file or a parse job in file_input.")]
        )
    return given[0]


def check_names(names: Sequence[str], path: tuple[str, ...]) -> None:
    """Raise InvalidOptions if a name is there twice."""
    for index, name in enumerate(names):
        if name in names[:index]:
            message = f"The name {printable(name)} is there twice, or is reserved. Send each name once."
            raise InvalidOptions([OptionProblem("value_error", ("body", *path), message, name)])


def unknown_options(options: Options, where: str = "") -> Iterable[dict[str, str]]:
    """Yield a warning for each option that this API does not know."""
    for name in options.model_extra or {}:
        path = printable(f"{where}{name}")
        yield {"code": "unknown_option", "detail": Options.unknown_warning, "option": path}


def without_effect(path: str, detail: str) -> dict[str, str]:
    """Return the warning that an option is accepted and changes nothing."""
    return {"code": "option_without_effect", "detail": detail, "option": path}


def not_supported(path: tuple[str | int, ...], detail: str) -> InvalidOptions:
    """Return the error for an option that would do something which is not offered here."""
    return InvalidOptions([OptionProblem("not_supported", ("body", *path), detail)])
