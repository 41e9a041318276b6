"""Split: find out the type and the page count of a document, and create the rows for its pages.

A short document is read in the same pass and goes straight to OCR or to assembly. A long one is extracted in ranges.
One that must be converted or printed is split again afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.documents import storage
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.scheduling.admission import allow_pages
from apps.jobs.scheduling.advance import not_printed
from apps.jobs.scheduling.claims import Claim, claim_step, complete, create_claimed_step, renewed_lease, snooze
from apps.jobs.scheduling.dispatch import dispatch_due_if_any, dispatch_pages_of
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.stages import long_documents
from apps.jobs.stages.annotations.copied_pages import copy_pages, must_read_again, source_of, wanted_pages_of
from apps.jobs.stages.assemble import write_result
from apps.jobs.stages.convert import NO_CONVERTER, begin_conversion, begin_print, has_converter, needs_print
from apps.jobs.stages.extract import make_ranges
from apps.jobs.stages.recognize import begin_recognition, pages_to_recognize, reason_for_ocr
from apps.jobs.stages.step_work import local_document, password_of, reader_limits, reading_options_of, record_errors
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, PageFailure, encode_pages
from apps.pages.model.conversions import conversion_of, print_of
from apps.pages.model.document_facts import NAMED_FACTS, DocumentFacts
from apps.pages.model.errors import ConversionFailed, DocumentError, PageError
from apps.pages.model.media_types import PDF
from apps.pages.model.page_numbers.ranges import last_page, parse_page_ranges
from apps.pages.model.warnings import describe
from apps.pages.sandbox import client


def split_document(*, step_id: int, fence: int) -> None:
    """Inspect the document. Read a short one in the same pass; create page rows and ranges for a long one."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with record_errors(claim):
            _split(claim)
    dispatch_due_if_any()


def _split(claim: Claim) -> None:
    job = claim.job
    source = source_of(job)
    if source is not None and not must_read_again(job, source):
        copy_pages(claim, source)
        return
    of_source = None if source is None else wanted_pages_of(job, source)
    # One of the pages may have killed the worker of an earlier start. So a later start extracts in ranges, and a range
    # whose worker dies is halved until the page is alone.
    is_first_start = claim.step.starts <= 1
    with local_document(job) as path:
        facts, pages = client.shared_reader().inspect_and_read(
            path,
            page_numbers=lambda facts: of_source or wanted_pages(job, facts.page_count),
            max_pages=int(settings.SHORT_ROAD_PAGES) if is_first_start and not job.uses_models else 0,
            password=password_of(job),
            **reading_options_of(job),
            limits=reader_limits(),
            should_stop=claim.lease.is_lost,
        )
    if conversion_of(facts.media_type):
        begin_conversion(claim, facts)
        return
    numbers = of_source or wanted_pages(job, facts.page_count)
    media_type = job.media_type if job.converted_key else facts.media_type
    if needs_print(job, media_type):
        if has_converter():
            begin_print(claim, facts, media_type=media_type)
            return
        job.warnings = [*job.warnings, not_printed(NO_CONVERTER)]
    _check_print(claim)
    if of_source is None:
        allow_pages(job, len(numbers))
    if pages is not None:
        _store_short_document(claim, facts, pages)
        return
    with long_documents.slot(pages=len(numbers)) as is_free:
        if not is_free:
            snooze(claim)
            return
        with transaction.atomic():
            if not complete(claim):
                return
            JobPage.objects.bulk_create((JobPage(job=job, number=number) for number in numbers), batch_size=500)
            make_ranges(job, numbers)
            _record_facts(job, facts, stage=Stage.EXTRACT, pages=len(numbers))
        dispatch_pages_of(job, Stage.EXTRACT)


def _check_print(claim: Claim) -> None:
    """Count the pages of the printed document. A job whose print cannot be opened has none, and a warning."""
    job = claim.job
    if not job.printed_key or job.printed_pages is not None:
        return
    try:
        with storage.local_file(job.printed_key) as path:
            reader = client.shared_reader()
            printed = reader.inspect(path, limits=reader_limits(), should_stop=claim.lease.is_lost)
        if printed.media_type != PDF:
            raise ConversionFailed
    except (DocumentError, PageError) as error:
        job.printed_key = ""
        job.warnings = [*job.warnings, not_printed(error.detail)]
    else:
        job.printed_pages = printed.page_count


def _store_short_document(claim: Claim, facts: DocumentFacts, pages: Sequence[Page | PageFailure]) -> None:
    """Store the pages of a short document. Start OCR if a page needs it; otherwise assemble in this process at once."""
    job = claim.job
    needs_ocr = pages_to_recognize(
        job, ((page.number, reason_for_ocr(job, page)) for page in pages if isinstance(page, Page))
    )
    content = storage.page_content(job.pk, first=pages[0].number, last=pages[-1].number, attempt=claim.attempt)
    storage.write(content, b"".join(encode_pages(pages)))
    rows = []
    for page in pages:
        row = JobPage(job=job, number=page.number, attempts=1)
        if isinstance(page, PageFailure):
            row.state, row.error_code, row.error_detail = PageState.FAILED, page.code, page.detail
        else:
            row.state, row.content, row.needs_ocr = PageState.SUCCEEDED, content, reason_for_ocr(job, page)
        rows.append(row)
    with transaction.atomic():
        if not complete(claim):
            return
        JobPage.objects.bulk_create(rows)
        if needs_ocr:
            _record_facts(job, facts, stage=Stage.RECOGNIZE, pages=len(pages))
            begin_recognition(job, needs_ocr)
            return
        _record_facts(job, facts, stage=Stage.ASSEMBLE, pages=len(pages))
        step = create_claimed_step(job=job, stage=Stage.ASSEMBLE)
    with renewed_lease(step) as assembly, record_errors(assembly):
        write_result(assembly, lambda: pages)


def _record_facts(job: ParseJob, facts: DocumentFacts, *, stage: Stage, pages: int) -> None:
    """Move the job to the stage, and record the facts of its document and the deadline for this number of pages."""
    job.page_count, job.document_pages = pages, facts.page_count
    if not job.converted_key:
        job.media_type = facts.media_type
    codes = [*facts.warnings]
    if last_page(job.target_pages) > facts.page_count:
        codes.append("pages_out_of_range")
    if "screenshot" in job.parsed_options.images_to_save:
        if job.print_has_other_pages:
            codes.append("screenshots_of_print")
        elif not job.has_page_pictures and print_of(job.media_type) is None:  # a missing print has its own warning
            codes.append("screenshots_left_out")
    job.warnings = [*job.warnings, *({"code": code, "detail": describe(code)} for code in codes)]
    for name in NAMED_FACTS:
        if known := getattr(facts, name):
            job.result_facts = {**job.result_facts, name: msgspec.to_builtins(known)}
    usual = settings.MAX_JOB_SECONDS if job.parsed_options.can_wait else settings.JOB_BASE_SECONDS
    base = job.parsed_options.base_seconds or usual
    per_page = job.parsed_options.seconds_per_page or settings.JOB_SECONDS_PER_PAGE
    move_to_stage(
        job.pk,
        stage,
        media_type=job.media_type,
        document_pages=job.document_pages,
        page_count=pages,
        printed_key=job.printed_key,
        printed_pages=job.printed_pages,
        warnings=job.warnings,
        result_facts=job.result_facts,
        deadline_at=Now() + timedelta(seconds=min(base + per_page * pages, settings.MAX_JOB_SECONDS)),
    )


def wanted_pages(job: ParseJob, page_count: int) -> Sequence[int]:
    """Return the numbers of the pages to parse, of a document with ``page_count`` pages.

    Raise PageOutOfRange if the document has none of the pages that the job asks for.
    """
    if job.target_pages:
        return parse_page_ranges(job.target_pages, page_count=page_count)
    return range(1, min(page_count, job.max_pages or page_count) + 1)
