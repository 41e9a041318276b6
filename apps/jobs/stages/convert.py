"""Convert: make a modern document of an older one, which is then split and read instead of it."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from apps.documents import storage
from apps.jobs import queries, workflow
from apps.jobs.scheduling.claims import Claim, claim_step, complete
from apps.jobs.scheduling.dispatch import dispatch_due_if_any, start_job_step
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.stages.step_work import local_document, password_of, record_errors
from apps.jobs.states import Stage
from apps.pages.conversion.converter import AUTO, OFF, ConverterLimits, converted, find_program, missing_here
from apps.pages.model.conversions import conversion_of
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import ConversionFailed, Stopped
from apps.pages.model.warnings import describe


def begin_conversion(claim: Claim, facts: DocumentFacts) -> None:
    """Complete the claimed split, and start the conversion of the document with these facts.

    Raise ConverterMissing at once if this installation has no converter, so that no job waits for one.
    """
    job = claim.job
    if job.converted_key:
        raise ConversionFailed
    if not has_converter():
        raise missing_here()
    with transaction.atomic():
        if not complete(claim):
            return
        move_to_stage(job.pk, Stage.CONVERT, media_type=facts.media_type)
        start_job_step(job=job, stage=Stage.CONVERT)


def has_converter() -> bool:
    """Return whether this installation converts documents: by CONVERTER, or because a worker of convert is alive."""
    if settings.CONVERTER == AUTO:
        return workflow.CONVERT_QUEUE in queries.live_workers()
    return bool(settings.CONVERTER != OFF)


def convert_document(*, step_id: int, fence: int) -> None:
    """Convert the document of a job, store the result and split it."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            _convert(claim)
    dispatch_due_if_any()


def _convert(claim: Claim) -> None:
    job = claim.job
    conversion = conversion_of(job.media_type)
    program = find_program(settings.CONVERTER)
    if conversion is None or program is None:
        raise missing_here()
    key = storage.converted_document(job.pk, attempt=claim.attempt)
    limits = ConverterLimits(
        wall_seconds=settings.CONVERTER_SECONDS, memory_bytes=settings.CONVERTER_MEMORY_MB * 1024 * 1024
    )
    try:
        with (
            local_document(job) as document,
            converted(
                document,
                conversion,
                program=program,
                password=password_of(job),
                limits=limits,
                should_stop=claim.lease.is_lost,
            ) as path,
            path.open("rb") as content,
        ):
            storage.write(key, content)
    except Stopped:
        with transaction.atomic():
            complete(claim)  # records the attempt as refused: the claim was lost
        return
    with transaction.atomic():
        is_accepted = complete(claim)
        if is_accepted:
            code = "document_converted"
            job.warnings = [*job.warnings, {"code": code, "detail": describe(code)}]
            converted_columns = {"converted_key": key, "converted_type": conversion.target.media_type}
            move_to_stage(job.pk, Stage.SPLIT, warnings=job.warnings, **converted_columns)
            start_job_step(job=job, stage=Stage.SPLIT)
    if not is_accepted:
        storage.delete(key)
