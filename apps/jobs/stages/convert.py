"""Convert: make a modern document of an older one, which is then split and read instead of it.

Or print an office document to PDF, for people who look at it, and split it again. If the print fails, the job continues
with a warning.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.documents import storage
from apps.jobs import queries, workflow
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.advance import NOT_PRINTED, end_print
from apps.jobs.scheduling.claims import Claim, claim_step, complete
from apps.jobs.scheduling.dispatch import dispatch_due_if_any, start_job_step
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.stages.step_work import original_document, password_of, record_errors
from apps.jobs.states import Stage
from apps.pages.conversion.converter import AUTO, OFF, PACKAGES, ConverterLimits, converted, find_program, missing_here
from apps.pages.model.conversions import Conversion, conversion_of, print_of
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import ConversionFailed, DocumentError, ReaderNotConfined, Stopped
from apps.pages.model.warnings import describe
from apps.pages.output.exports.registry import EXPORTS

NO_PROGRAM = f"LibreOffice is missing. Install it (Debian, Ubuntu: sudo apt-get install {PACKAGES})."
NO_CONVERTER = (
    "No worker of the queue convert runs, or CONVERTER is off. Start one on a machine with LibreOffice "
    f"(Debian, Ubuntu: sudo apt-get install {PACKAGES})."
)


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


def needs_print(job: ParseJob, media_type: str) -> bool:
    """Return whether the job asks for a form of its document that only a print has, and none was tried yet.

    ``media_type``: of the document as it was uploaded.
    """
    if print_of(media_type) is None or job.printed_key or any(each["code"] == NOT_PRINTED for each in job.warnings):
        return False
    options = job.parsed_options
    is_exported = any(EXPORTS[name].needs_pictures for name in options.s3_exports)
    return options.saves_pdf or "screenshot" in options.images_to_save or is_exported


def begin_print(claim: Claim, facts: DocumentFacts, *, media_type: str) -> None:
    """Complete the claimed split, and start to print the document with these facts."""
    job = claim.job
    columns = {"media_type": media_type, "document_pages": facts.page_count, "warnings": job.warnings}
    deadline_at = Now() + timedelta(seconds=settings.JOB_BASE_SECONDS)
    with transaction.atomic():
        if not complete(claim):
            return
        move_to_stage(job.pk, Stage.CONVERT, deadline_at=deadline_at, **columns)
        start_job_step(job=job, stage=Stage.CONVERT)


def has_converter() -> bool:
    """Return whether this installation converts documents: by CONVERTER, or because a worker of convert is alive."""
    if settings.CONVERTER == AUTO:
        return workflow.CONVERT_QUEUE in queries.live_workers()
    return bool(settings.CONVERTER != OFF)


def convert_document(*, step_id: int, fence: int) -> None:
    """Convert or print the document of a job, store the result and split the job again."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            if claim.job.is_printing:
                _print(claim)
            else:
                _convert(claim)
    dispatch_due_if_any()


def _convert(claim: Claim) -> None:
    job = claim.job
    conversion = conversion_of(job.media_type)
    program = find_program(settings.CONVERTER)
    if conversion is None or program is None:
        raise missing_here()
    key = storage.converted_document(job.pk, attempt=claim.attempt)
    if not _store_converted(claim, conversion, program, key):
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


def _store_converted(claim: Claim, conversion: Conversion, program: Path, key: str) -> bool:
    """Convert the uploaded document and store the result under ``key``. Return False if the claim was lost meanwhile.

    Raise the errors of ``converted`` and of storage.
    """
    job = claim.job
    limits = ConverterLimits(
        wall_seconds=settings.CONVERTER_SECONDS, memory_bytes=settings.CONVERTER_MEMORY_MB * 1024 * 1024
    )
    try:
        with (
            original_document(job) as document,
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
        return False
    return True


def _print(claim: Claim) -> None:
    """Print the uploaded document to PDF and split the job again.

    Raise errors that a retry may fix. On the last start of the step, print nothing and let the job continue with the
    warning ``not_printed``.
    """
    job = claim.job
    key, reason = storage.printed_document(job.pk, attempt=claim.attempt), ""
    conversion = print_of(job.media_type, hidden_slides=job.parsed_options.reads_hidden_slides)
    program = find_program(settings.CONVERTER)
    try:
        if conversion is None or program is None:
            reason = NO_PROGRAM
        elif claim.step.starts >= settings.MAX_STARTS:
            reason = "LibreOffice, or a worker, stopped on it several times."
        elif not _store_converted(claim, conversion, program, key):
            return
    except (DocumentError, ReaderNotConfined) as error:
        reason = error.detail
    with transaction.atomic():
        is_accepted = complete(claim)
        if is_accepted:
            end_print(job, printed_key="" if reason else key, reason=reason)
    if not is_accepted and not reason:
        storage.delete(key)
