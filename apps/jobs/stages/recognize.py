"""OCR of pages in three tasks: render the page here, recognize it in an OCR worker, accept the answer here.

The OCR worker has neither database nor secrets. docs/decisions/ocr.md explains what each of the three may do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.documents import storage
from apps.jobs import ocr_exchange
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import job_traces, workers
from apps.jobs.scheduling.advance import advance_if_done
from apps.jobs.scheduling.claims import (
    Claim,
    claim_for_ocr,
    claim_step,
    complete,
    discard,
    pages_of,
    renewed_lease,
    retry,
    snooze,
    wait_for_ocr,
)
from apps.jobs.scheduling.dispatch import dispatch_pages_of, make_page_steps
from apps.jobs.scheduling.leases import renew
from apps.jobs.scheduling.moves import move_pages, move_to_stage
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.stages.step_work import local_document, password_of, reader_limits, record_errors
from apps.jobs.states import PageState, Stage, StepState
from apps.pages.layout.picture_sheet import sheet_of
from apps.pages.model.blocks import EmbeddedImage, Page, encode_page
from apps.pages.model.errors import PageError, Stopped, page_error
from apps.pages.model.media_types import is_structured
from apps.pages.model.ocr_reasons import BARCODES, TEXT_IN_PICTURE
from apps.pages.model.recognition import decode_recognition
from apps.pages.sandbox import client

logger = logging.getLogger(__name__)

# A retry at half the resolution may avoid these errors.
_RETRYABLE_CODES = frozenset({"ocr_timeout", "ocr_failed"})
# The errors above are retried once. A step whose worker is lost starts up to settings.MAX_STARTS times.
_MAX_STARTS = 2
_IMAGE_GONE = "image_gone"
# A worker without access to our storage never finds the image. The delay keeps such a page from being rendered in a
# tight loop.
_DELAY_AFTER_IMAGE_GONE = timedelta(seconds=5)


def reason_for_ocr(job: ParseJob, page: Page) -> str:
    """Return why a page goes to OCR: its own reason, or that the job looks for bar codes; "" if it does not."""
    looks_for_codes = job.parsed_options.finds_barcodes and not page.structured
    return page.needs_ocr or (BARCODES if looks_for_codes else "")


def pages_to_recognize(job: ParseJob, needs: Iterable[tuple[int, str]]) -> list[int]:
    """Return which pages go to OCR. ``needs``: pairs of page number and reason, as in ``JobPage.needs_ocr``."""
    options = job.parsed_options
    if not options.uses_ocr:
        return []
    return [
        number
        for number, reason in needs
        if reason and not (reason == TEXT_IN_PICTURE and options.ignores_text_in_images)
    ]


def begin_recognition(job: ParseJob, numbers: Sequence[int]) -> None:
    """Create the steps for the OCR of these pages, inside the caller's transaction. They are sent after the commit."""
    queue = workers.ocr_queue()
    move_pages(JobPage.objects.filter(job=job, number__in=numbers), PageState.PENDING)
    Step.objects.bulk_create(make_page_steps(job=job, stage=Stage.RECOGNIZE, queue=queue, numbers=numbers))
    move_to_stage(job.pk, Stage.RECOGNIZE)
    transaction.on_commit(partial(dispatch_pages_of, job, Stage.RECOGNIZE))


def render_page(*, step_id: int, fence: int) -> dict[str, Any] | None:
    """Render a page for OCR. Return the request for the task ``recognize_page``, or None if no OCR is to follow."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return None
        with record_errors(claim):
            job, step = claim.job, claim.step
            options = job.parsed_options
            has_failed = PageAttempt.objects.filter(step_id=step.pk, error_code__in=_RETRYABLE_CODES).exists()
            dpi = settings.OCR_DPI * (1.5 if options.high_resolution_ocr else 1.0)
            sheet = _sheet(step, scale=0.5 if has_failed else 1.0) if is_structured(job.read_type) else ()
            with local_document(job) as path:
                try:
                    image = client.shared_reader().render(
                        path,
                        step.first_page,
                        dpi=dpi,
                        max_dpi=dpi / 2 if has_failed else 0.0,
                        margins=options.margins,
                        embedded=sheet,
                        password=password_of(job),
                        media_type=job.read_type,
                        limits=reader_limits(),
                        should_stop=claim.lease.is_lost,
                    )
                except Stopped:
                    with transaction.atomic():
                        complete(claim)  # records the attempt as refused: the claim was lost
                    return None
                except PageError as error:
                    if error.retryable:
                        raise
                    discard(claim, error)
                    return None
            key = storage.page_image(job.pk, number=step.first_page, attempt=claim.attempt)
            storage.write(key, image)
            if not wait_for_ocr(claim, image=key):
                storage.delete(key)
                return None
            answer = storage.ocr_answer(job.pk, number=step.first_page, attempt=claim.attempt)
            return {
                "step_id": step.pk,
                "fence": claim.fence,
                "job": job.pk,
                "page": step.first_page,
                "image": ocr_exchange.address_to_read(key),
                "answer": ocr_exchange.address_to_write(answer),
                "languages": options.ocr_languages,
                "high_resolution": options.high_resolution_ocr,
                "parts": [(image.width, image.height) for image in sheet],
                "only_barcodes": pages_of(step).filter(needs_ocr=BARCODES).exists(),
                "alive_every_seconds": settings.LEASE_RENEWAL_SECONDS,
            }
    return None  # ``record_errors`` has caught an error


def _sheet(step: Step, scale: float) -> tuple[EmbeddedImage, ...]:
    """Return the pictures of a page of an office document that OCR reads, with their sizes on their sheet."""
    return sheet_of(stored_page(JobPage.objects.get(job_id=step.job_id, number=step.first_page)), scale)


def renew_ocr_lease(*, step_id: int, fence: int, worker: str) -> None:
    """Renew the lease of a page in an OCR worker. The worker's first message claims the page instead."""
    if not renew(Step.objects.filter(pk=step_id, fence=fence)):
        claim_for_ocr(step_id=step_id, fence=fence, worker=worker)


def accept_ocr(*, step_id: int, fence: int, code: str = "", detail: str = "", worked: Sequence[object] = ()) -> None:
    """Complete the page with the OCR answer, or with its error ``code``, and advance the job.

    An answer with an old fence is refused. ``worked``: when the worker began and ended (seconds since 1970), and its
    name; for traces only.
    """
    step = Step.objects.select_related("job").filter(pk=step_id, fence=fence).first()
    if step is None or step.state not in (StepState.PENDING, StepState.RUNNING):
        logger.info(
            "The OCR answer for step %s (fence %s) is refused: the step has ended or was claimed again",
            step_id,
            fence,
        )
        return
    claim_for_ocr(step_id=step_id, fence=fence, worker="")  # in case the worker's first message was lost
    step.refresh_from_db()
    job_traces.page_recognized(step, worked, error_code=code)
    with renewed_lease(step) as claim:
        if code:
            error = page_error(code, detail)
            if code == _IMAGE_GONE:
                snooze(claim, delay=_DELAY_AFTER_IMAGE_GONE)
            elif code in _RETRYABLE_CODES and step.starts < _MAX_STARTS:
                retry(claim, error)
            else:
                discard(claim, error)
        else:
            with record_errors(claim):
                _complete_with_answer(claim)
    advance_if_done(job_id=step.job_id, stage=Stage.RECOGNIZE)


def accept_written_answer(step: Step) -> bool:
    """Accept the stored answer of a step whose last message was lost. Return False if there is no answer."""
    if not step.image or not storage.exists(_answer_key(step, step.fence)):
        return False
    accept_ocr(step_id=step.pk, fence=step.fence)
    return True


def _answer_key(step: Step, fence: int) -> str:
    return storage.ocr_answer(step.job_id, number=step.first_page, attempt=f"{step.pk}.{fence}")


def _complete_with_answer(claim: Claim) -> None:
    """Complete the page with the stored OCR answer, and remove the image and the answer."""
    # The layout of pages needs numpy: 12 MB in each worker, which only workers with OCR answers should have.
    from apps.pages.layout.recognized_page import apply_recognition

    job, step = claim.job, claim.step
    answer_key = _answer_key(step, claim.fence)
    recognition = decode_recognition(storage.read(answer_key))
    row = JobPage.objects.get(job=job, number=step.first_page)
    page = apply_recognition(stored_page(row), recognition, word_boxes=job.needs_word_boxes)
    content = storage.page_content(job.pk, first=page.number, last=page.number, attempt=claim.attempt)
    storage.write(content, encode_page(page) + b"\n")
    attempts = (
        f"{attempt.engine} ({attempt.languages}, {attempt.preparation}): {attempt.confidence:.2f}, {attempt.reason}"
        for attempt in recognition.attempts
    )
    detail = "; ".join(attempts)[:500]
    with transaction.atomic():
        if not complete(claim):
            return
        move_pages(pages_of(step), PageState.SUCCEEDED, content=content, needs_ocr="", error_code="", error_detail="")
        PageAttempt.objects.filter(step_id=step.pk, fence=claim.fence).update(detail=detail)
    storage.delete(step.image)
    storage.delete(answer_key)
