"""Submit a job: for a new request, or for a job's document in another mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.models import ApiKey, Project
from apps.core import tracing
from apps.core.database_connections import durable_transaction
from apps.core.sealing import sealed_secrets
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document
from apps.jobs import webhook_events
from apps.jobs.errors import IllegalMove
from apps.jobs.models import JobKind, ParseJob, new_job_id
from apps.jobs.options import JobOptions
from apps.jobs.scheduling.admission import admit
from apps.jobs.scheduling.dispatch import start_job_step
from apps.jobs.states import JobState, Stage
from apps.parsing.annotations.tasks import AnnotationTask
from apps.parsing.tiers import TIERS
from apps.webhooks import services as webhooks
from apps.webhooks.services import WebhookTarget


@dataclass(frozen=True)
class JobRequest:
    """A validated request to parse a document."""

    mode: str
    tier: str
    version: str
    target_pages: str = ""
    max_pages: int | None = None
    options: JobOptions = field(default_factory=JobOptions)
    user_metadata: dict[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    uses_models: bool = False
    warnings: tuple[dict[str, str], ...] = ()
    webhooks: tuple[WebhookTarget, ...] = ()
    kind: JobKind = JobKind.PARSE
    annotation: AnnotationTask | None = None
    source_job: str = ""


def submit_job(
    *, project: Project, document: Document | None, request: JobRequest, api_key: ApiKey | None = None, name: str = ""
) -> ParseJob:
    """Accept a job, and with it a document that is new. Once this returns, both are durable.

    The first message is published after the commit. A job that copies the pages of another needs no document, only its
    ``name``. Raises DocumentNotFound when the document was deleted meanwhile.
    """
    now = timezone.now()
    brings_document = document is not None and document.is_new
    job = ParseJob(
        id=new_job_id(request.kind),
        kind=request.kind,
        annotation=request.annotation.stored() if request.annotation else None,
        source_job=request.source_job,
        project=project,
        api_key=api_key,
        document=document,
        document_name=document.name if document else name,
        mode=request.mode,
        tier=request.tier,
        version=request.version,
        target_pages=request.target_pages,
        max_pages=request.max_pages,
        options=request.options.stored(),
        uses_models=request.uses_models,
        user_metadata=request.user_metadata,
        password_sealed=sealed_secrets.seal(request.password) if request.password is not None else "",
        warnings=list(request.warnings),
        created_at=now,
        updated_at=now,
        deadline_at=Now() + timedelta(seconds=settings.MAX_JOB_SECONDS),
    )
    try:
        with durable_transaction():
            if document is not None and brings_document:
                documents.add_document(document)
            job.save(force_insert=True)
            if request.webhooks:
                webhooks.add_to_job(project=project, job_id=job.pk, targets=request.webhooks)
                webhook_events.record(job.pk, JobState.PENDING)
            start_job_step(job=job, stage=Stage.SPLIT)
    except IntegrityError as error:
        if document is None or Document.objects.filter(pk=document.pk).exists():
            raise
        if brings_document:  # the project was deleted
            documents.remove([storage.document_folder(document.pk)])
            raise
        raise DocumentNotFound from error
    tracing.mark_affected(job.pk)
    return job


def unsealed_password(job: ParseJob) -> str | None:
    """Return the password of the job's document. Raise IllegalMove if it cannot be unsealed any more."""
    try:
        return sealed_secrets.unseal(job.password_sealed) if job.password_sealed else None
    except sealed_secrets.BrokenSeal:
        raise IllegalMove("The document's password cannot be read any more. Send the document again.") from None


def parse_in_mode(*, job: ParseJob, mode: str) -> ParseJob:
    """Submit a new job for this job's document, with the same options in another mode. The old job stays unchanged.

    Raises what ``admit`` raises, DocumentNotFound, and IllegalMove when the password cannot be unsealed any more.
    """
    if job.document is None:
        raise DocumentNotFound
    admission = admit(project=job.project, mode=mode, options=job.parsed_options, tier=mode)
    request = JobRequest(
        mode=admission.mode,
        tier=mode,
        version=TIERS[mode].own_version,
        target_pages=job.target_pages,
        max_pages=job.max_pages,
        options=job.parsed_options,
        user_metadata=job.user_metadata,
        password=unsealed_password(job),
        uses_models=admission.uses_models or job.annotation is not None,
        warnings=admission.warnings,
        kind=JobKind(job.kind),
        annotation=job.annotation_task,
    )
    return submit_job(project=job.project, document=job.document, request=request, api_key=job.api_key)
