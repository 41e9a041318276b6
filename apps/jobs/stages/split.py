"""Splitting: what a document is, how many pages it has, and which road it takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.scheduling.admission import allow_pages
from apps.jobs.scheduling.claims import Claim, claim_step, complete, create_claimed_step, keep_lease, snooze
from apps.jobs.scheduling.dispatch import send_due_if_any_waits, send_pages_of
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.stages import long_documents
from apps.jobs.stages.assemble import write_result
from apps.jobs.stages.extract import make_ranges
from apps.jobs.stages.recognize import begin_recognition, pages_to_recognize
from apps.jobs.stages.step_work import do_work, hidden_text_of, password_of, reader_limits
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, PageFailure, encode_pages
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.page_ranges import parse_page_ranges
from apps.pages.model.warnings import describe
from apps.pages.sandbox import client


def split_document(*, step_id: int, fence: int) -> None:
    """Look at the document. A short one is read and assembled at once, a long one gets its page rows and ranges."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is not None:
            do_work(claim, _split)
    if claim is not None:
        send_due_if_any_waits()


def _split(claim: Claim) -> None:
    job = claim.job
    if job.document_id is None:
        raise DocumentNotFound
    with storage.local_copy(storage.original(job.document_id)) as path:
        facts, pages = client.shared_reader().inspect_and_read(
            path,
            page_numbers=lambda facts: wanted_pages(job, facts.page_count),
            max_pages=_most_pages_at_once(claim),
            password=password_of(job),
            **hidden_text_of(job),
            limits=reader_limits(),
            should_stop=claim.lease.is_lost,
        )
    numbers = wanted_pages(job, facts.page_count)
    allow_pages(job, len(numbers))
    if pages is not None:
        wanting = pages_to_recognize(job, ((page.number, page.needs_ocr) for page in pages if isinstance(page, Page)))
        if wanting:
            _keep_and_recognize(claim, facts, pages, wanting)
        else:
            _finish_at_once(claim, facts, pages)
        return
    with long_documents.slot(pages=len(numbers)) as free:
        if free:
            _make_pages(claim, facts, numbers)
        else:
            snooze(claim)


def _most_pages_at_once(claim: Claim) -> int:
    """A short document takes the short road at its first start. A start that got lost may have been the doing of one
    of its pages, so the next one gives each page its own chance, in ranges that are halved."""
    if claim.job.uses_models or claim.step.starts > 1:
        return 0
    return int(settings.SHORT_ROAD_PAGES)


def _make_pages(claim: Claim, facts: DocumentFacts, numbers: Sequence[int]) -> None:
    """The long road: a row for each page, a step for each range."""
    job = claim.job
    with transaction.atomic():
        if not complete(claim):
            return
        JobPage.objects.bulk_create((JobPage(job=job, number=number) for number in numbers), batch_size=500)
        make_ranges(job, numbers)
        _move_to(Stage.EXTRACT, job, facts, pages=len(numbers))
    send_pages_of(job, Stage.EXTRACT)


def _finish_at_once(claim: Claim, facts: DocumentFacts, pages: Sequence[Page | PageFailure]) -> None:
    """The short road: the pages are read already, so the same process assembles them, under a claim of its own."""
    job = claim.job
    content = _write_pages(claim, pages)
    with transaction.atomic():
        if not complete(claim):
            return
        JobPage.objects.bulk_create(_settled_row(job, page, content) for page in pages)
        _move_to(Stage.ASSEMBLE, job, facts, pages=len(pages))
        step = create_claimed_step(job=job, stage=Stage.ASSEMBLE)
    with keep_lease(step) as assembly:
        do_work(assembly, lambda assembly: write_result(assembly, lambda: pages))


def _keep_and_recognize(
    claim: Claim, facts: DocumentFacts, pages: Sequence[Page | PageFailure], wanting: Sequence[int]
) -> None:
    """The pages are read already; some of them go on to OCR."""
    job = claim.job
    content = _write_pages(claim, pages)
    with transaction.atomic():
        if complete(claim):
            JobPage.objects.bulk_create(_settled_row(job, page, content) for page in pages)
            _move_to(Stage.RECOGNIZE, job, facts, pages=len(pages))
            begin_recognition(job, wanting)


def _write_pages(claim: Claim, pages: Sequence[Page | PageFailure]) -> str:
    content = storage.page_content(claim.job.pk, first=pages[0].number, last=pages[-1].number, attempt=claim.attempt)
    storage.write(content, b"".join(encode_pages(pages)))
    return content


def _settled_row(job: ParseJob, page: Page | PageFailure, content: str) -> JobPage:
    row = JobPage(job=job, number=page.number, attempts=1)
    if isinstance(page, PageFailure):
        row.state, row.error_code, row.error_detail = PageState.FAILED, page.code, page.detail
    else:
        row.state, row.content, row.needs_ocr = PageState.SUCCEEDED, content, page.needs_ocr
    return row


def _move_to(stage: Stage, job: ParseJob, facts: DocumentFacts, *, pages: int) -> None:
    job.warnings = [*job.warnings, *({"code": code, "detail": describe(code)} for code in facts.warnings)]
    job.page_count = pages
    move_to_stage(
        job.pk,
        stage,
        media_type=facts.media_type,
        document_pages=facts.page_count,
        page_count=pages,
        warnings=job.warnings,
        deadline_at=Now() + _time_allowed(job, pages),
    )


def wanted_pages(job: ParseJob, page_count: int) -> Sequence[int]:
    """The pages that the job asks for, of a document of so many; PageOutOfRange for those it does not have."""
    if job.target_pages:
        return parse_page_ranges(job.target_pages, page_count=page_count)
    return range(1, min(page_count, job.max_pages or page_count) + 1)


def _time_allowed(job: ParseJob, pages: int) -> timedelta:
    base = job.parsed_options.base_seconds or settings.JOB_BASE_SECONDS
    extra = job.parsed_options.seconds_per_page or settings.JOB_SECONDS_PER_PAGE
    return timedelta(seconds=min(base + extra * pages, settings.MAX_JOB_SECONDS))
