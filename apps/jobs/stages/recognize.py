"""OCR of pages, in three: the page is rendered here, recognised by a worker that has neither database nor secrets, and
its answer is accepted here. docs/decisions/ocr.md tells what each of the three may do."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.jobs import ocr_exchange
from apps.jobs.models import JobPage, PageAttempt, ParseJob, Step
from apps.jobs.scheduling import job_traces, workers
from apps.jobs.scheduling.advance import advance_if_done
from apps.jobs.scheduling.claims import (
    Claim,
    claim_for_ocr,
    claim_step,
    complete,
    fail,
    fail_pages,
    keep_lease,
    pages_of,
    retry,
    snooze,
    wait_for_ocr,
)
from apps.jobs.scheduling.dispatch import make_page_steps, send_pages_of
from apps.jobs.scheduling.leases import renew
from apps.jobs.scheduling.moves import move_pages, move_to_stage
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.stages.step_work import do_work, password_of, reader_limits
from apps.jobs.states import PageState, Stage, StepState
from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.layout.text_quality import WHOLE_PAGE_REASONS
from apps.pages.model.blocks import encode_page
from apps.pages.model.errors import PageError, ParseError, page_error
from apps.pages.model.recognition import Recognition, decode_recognition
from apps.pages.sandbox import client

logger = logging.getLogger(__name__)

# Errors that another try in half the resolution may get around.
_WORTH_ANOTHER_TRY = frozenset({"ocr_timeout", "ocr_failed"})
_MAX_TRIES = 2
_ANSWER_GONE = "image_gone"
# A worker that does not share our storage finds no image at all: rendering it again at once would go on without end.
_DELAY_AFTER_GONE = timedelta(seconds=5)


def pages_to_recognize(job: ParseJob, needs: Iterable[tuple[int, str]]) -> list[int]:
    """The numbers of the pages that go to OCR, of those that could do with it, given with their reasons."""
    options = job.parsed_options
    if not options.uses_ocr:
        return []
    return [
        number
        for number, reason in needs
        if reason in WHOLE_PAGE_REASONS or (reason and not options.ignores_text_in_images)
    ]


def begin_recognition(job: ParseJob, numbers: Sequence[int]) -> None:
    """Rows for the OCR of these pages, inside the caller's transaction; sent after the commit."""
    queue = workers.ocr_queue()
    move_pages(JobPage.objects.filter(job=job, number__in=numbers), PageState.PENDING)
    Step.objects.bulk_create(make_page_steps(job=job, stage=Stage.RECOGNIZE, queue=queue, numbers=numbers))
    move_to_stage(job.pk, Stage.RECOGNIZE)
    transaction.on_commit(partial(send_pages_of, job, Stage.RECOGNIZE))


def render_page(*, step_id: int, fence: int) -> dict[str, Any] | None:
    """Render a page for OCR: the order for ``recognize_page``, None when there is nothing to do."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return None
        orders: list[dict[str, Any]] = []
        do_work(claim, lambda claim: orders.extend(_render(claim)))
    return orders[0] if orders else None


def _render(claim: Claim) -> list[dict[str, Any]]:
    job, step = claim.job, claim.step
    if job.document_id is None:
        raise DocumentNotFound
    options = job.parsed_options
    earlier = PageAttempt.objects.filter(step_id=step.pk, error_code__in=_WORTH_ANOTHER_TRY).exists()
    dpi = settings.OCR_DPI * (1.5 if options.high_resolution_ocr else 1.0)
    with storage.local_copy(storage.original(job.document_id)) as path:
        try:
            image = client.shared_reader().render(
                path,
                step.first_page,
                dpi=dpi,
                max_dpi=dpi / 2 if earlier else 0.0,
                password=password_of(job),
                media_type=job.media_type,
                limits=reader_limits(),
                should_stop=claim.lease.is_lost,
            )
        except client.Stopped:
            with transaction.atomic():
                complete(claim)
            return []
        except PageError as error:
            if error.retryable:
                raise
            _give_up(claim, error)
            return []
    key = storage.page_image(job.pk, number=step.first_page, attempt=claim.attempt)
    storage.write(key, image)
    if not wait_for_ocr(claim, image=key):
        storage.delete(key)
        return []
    answer = storage.ocr_answer(job.pk, number=step.first_page, attempt=claim.attempt)
    return [
        {
            "step_id": step.pk,
            "fence": claim.fence,
            "job": job.pk,
            "page": step.first_page,
            "image": ocr_exchange.address_to_read(key),
            "answer": ocr_exchange.address_to_write(answer),
            "languages": options.ocr_languages,
            "high_resolution": options.high_resolution_ocr,
            "alive_every_seconds": settings.LEASE_RENEWAL_SECONDS,
        }
    ]


def keep_ocr_alive(*, step_id: int, fence: int, worker: str) -> None:
    """Renew the lease of a page that an OCR worker works on. Its first message claims the page instead."""
    if not renew(Step.objects.filter(pk=step_id, fence=fence)):
        claim_for_ocr(step_id=step_id, fence=fence, worker=worker)


def accept_ocr(*, step_id: int, fence: int, code: str = "", detail: str = "", worked: Sequence[object] = ()) -> None:
    """Take an answer that has the current fence, settle the page and move the job on.

    ``worked``: when the worker began and ended (seconds since 1970), and its name; for traces only.
    """
    step = Step.objects.select_related("job").filter(pk=step_id, fence=fence).first()
    if step is None or step.state not in (StepState.PENDING, StepState.RUNNING):
        logger.info("The OCR answer for step %s with fence %s came too late and is refused", step_id, fence)
        return
    claim_for_ocr(step_id=step_id, fence=fence, worker="")  # where the worker's own word of it got lost
    step.refresh_from_db()
    job_traces.page_recognized(step, worked, error_code=code)
    with keep_lease(step) as claim:
        if code:
            _accept_failure(claim, code, detail)
        else:
            do_work(claim, _accept)
    advance_if_done(job_id=step.job_id, stage=Stage.RECOGNIZE)


def accept_written_answer(step: Step) -> bool:
    """Take the answer of a step whose last message got lost; False when there is none."""
    if not step.image or not storage.exists(_answer_key(step, step.fence)):
        return False
    accept_ocr(step_id=step.pk, fence=step.fence)
    return True


def _answer_key(step: Step, fence: int) -> str:
    return storage.ocr_answer(step.job_id, number=step.first_page, attempt=f"{step.pk}.{fence}")


def _accept(claim: Claim) -> None:
    job, step = claim.job, claim.step
    answer_key = _answer_key(step, claim.fence)
    recognition = decode_recognition(storage.read(answer_key))
    row = JobPage.objects.get(job=job, number=step.first_page)
    page = apply_recognition(stored_page(row), recognition)
    content = storage.page_content(job.pk, first=page.number, last=page.number, attempt=claim.attempt)
    storage.write(content, encode_page(page) + b"\n")
    with transaction.atomic():
        if not complete(claim):
            return
        move_pages(pages_of(step), PageState.SUCCEEDED, content=content, needs_ocr="", error_code="", error_detail="")
        PageAttempt.objects.filter(step_id=step.pk, fence=claim.fence).update(detail=_summary(recognition))
    storage.delete(step.image)
    storage.delete(answer_key)


def _summary(recognition: Recognition) -> str:
    tries = (
        f"{attempt.engine} ({attempt.languages}, {attempt.preparation}): {attempt.confidence:.2f}, {attempt.reason}"
        for attempt in recognition.attempts
    )
    return "; ".join(tries)[:500]


def _accept_failure(claim: Claim, code: str, detail: str) -> None:
    error = page_error(code, detail)
    if code == _ANSWER_GONE:
        snooze(claim, delay=_DELAY_AFTER_GONE)
    elif code in _WORTH_ANOTHER_TRY and claim.step.starts < _MAX_TRIES:
        retry(claim, error)
    else:
        _give_up(claim, error)


def _give_up(claim: Claim, error: ParseError) -> None:
    """The page cannot be recognised: it keeps the text layer it has, or fails."""
    with transaction.atomic():
        if fail(claim, error_code=error.code):
            fail_pages(pages_of(claim.step), error)
