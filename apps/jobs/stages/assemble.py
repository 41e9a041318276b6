"""Assemble the pages into the result, and end the job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import BinaryIO

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Count

from apps.documents import storage
from apps.documents.errors import StorageUnavailable
from apps.jobs.models import JobKind, JobPage, ParseJob
from apps.jobs.scheduling.claims import Claim, claim_step, complete, end_job, fail, snooze
from apps.jobs.scheduling.dispatch import dispatch_due_if_any, dispatch_pages_of
from apps.jobs.scheduling.moves import move_pages, move_to_stage
from apps.jobs.stages import long_documents
from apps.jobs.stages.annotations.result import write_annotations
from apps.jobs.stages.extract import make_ranges
from apps.jobs.stages.page_contents import READ_CONTENT, rows_with_pages
from apps.jobs.stages.pictures import document_pictures
from apps.jobs.stages.s3_output import write_to_s3
from apps.jobs.stages.step_work import record_errors
from apps.jobs.states import JobState, PageState, Stage, job_outcome
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.document_facts import NAMED_FACTS
from apps.pages.model.errors import ParseError
from apps.pages.model.ocr_reasons import BARCODES
from apps.pages.model.page_numbers.labels import LabelRange
from apps.pages.model.warnings import describe
from apps.pages.output.assembly import Assembly, RenderOptions, assemble
from apps.pages.output.exports.registry import PICTURE_DPI
from apps.parsing.tiers import credits_per_page
from apps.providers import ledger

logger = logging.getLogger(__name__)

# Assembly iterates over the pages two or three times. The pages of a longer document are read from storage each time.
MAX_PAGES_IN_MEMORY = 500
# LlamaParse's price of the cheapest tier of its product Extract; all tiers are extracted alike here.
CREDITS_PER_EXTRACTED_PAGE = 5.0
# The warning of a page that has an error and keeps its text, by what OCR was still to do.
_KEPT = {"": "earlier_text_kept", BARCODES: "barcodes_not_read"}


def assemble_document(*, step_id: int, fence: int) -> None:
    """Write the result of a job and end the job. Snooze while this worker has no slot for another long document."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        job = claim.job
        with long_documents.slot(pages=job.page_count or 0) as is_free:
            if not is_free:
                snooze(claim)
                return
            with record_errors(claim):
                if not _extract_lost_content(claim):
                    pages = list(accepted_pages(job)) if (job.page_count or 0) <= MAX_PAGES_IN_MEMORY else None
                    write_result(claim, lambda: accepted_pages(job) if pages is None else pages)
    dispatch_due_if_any()


def write_result(claim: Claim, pages: Callable[[], Iterable[Page | PageFailure]]) -> None:
    """Write the result of these pages and end the job with it. ``pages`` is called several times."""
    job = claim.job
    folder = storage.result_folder(job.pk, attempt=claim.attempt)

    def open_output(name: str) -> AbstractContextManager[BinaryIO]:
        return storage.open_for_writing(f"{folder}/{name}")

    with ExitStack() as used:
        pictures = used.enter_context(document_pictures(job)) if job.parsed_options.inlines_images else None
        picture_of = partial(pictures.picture, dpi=PICTURE_DPI) if pictures else None
        report = assemble(pages, options=_render_options(job), open_output=open_output, picture_of=picture_of)

    outcome = job_outcome(good_pages=report.good_pages, failed_pages=report.failed_pages)
    error = _error_of_failed_pages(job, report, outcome)
    counts = report.warnings | ({"needs_ocr": report.pages_needing_ocr} if report.pages_needing_ocr else {})
    failing = sorted(job.parsed_options.failing_warnings & counts.keys())
    if error is None and failing:
        error = ParseError(f"The request fails the job for this: {describe(failing[0])} Pages: {counts[failing[0]]}.")
        error.code = "failure_condition_met"

    annotated = None
    if error is None and job.annotation_task is not None:
        annotated = write_annotations(job, pages, open_output=open_output)
        error, outcome = annotated.error, annotated.outcome or outcome

    facts: dict[str, object] = msgspec.to_builtins(report)
    del facts["warnings"]
    for name in NAMED_FACTS:  # known since the document was opened
        if name in job.result_facts:
            facts[name] = job.result_facts[name]
    if job.uses_models:
        facts["usage"] = usage_of(job)
    facts["credits"] = 0.0 if job.source_job else credits_of(job)
    if annotated is not None and job.kind == JobKind.EXTRACT:
        facts["extract_credits"] = CREDITS_PER_EXTRACTED_PAGE * report.good_pages
    # Those with a count are of an old result.
    warnings = [warning for warning in job.warnings if not warning.keys() & {"pages", "values"}]
    warnings += [{"code": code, "detail": describe(code), "pages": count} for code, count in sorted(counts.items())]
    warnings += annotated.warnings if annotated is not None else []
    if error is None:
        warnings += [{"code": code, "detail": describe(code)} for code in write_to_s3(job, folder, pages)]
    with transaction.atomic():
        if complete(claim):
            end_job(
                job.pk,
                JobState.FAILED if error else outcome,
                error=error,
                result_folder="" if error else folder,
                result_facts=facts,
                warnings=warnings,
            )


def _error_of_failed_pages(job: ParseJob, report: Assembly, outcome: JobState) -> ParseError | None:
    """Return the error of a job with too many failed pages.

    LlamaParse's ``allowed_page_failure_ratio`` counts only if the request has it.
    """
    ratio = job.parsed_options.allowed_page_failure_ratio
    too_many_failed = ratio is not None and report.failed_pages > ratio * (job.page_count or 0)
    if not too_many_failed and outcome is not JobState.FAILED:
        return None
    first = JobPage.objects.filter(job=job, state=PageState.FAILED).order_by("number").first()
    assert first is not None
    error = ParseError(
        f"{report.failed_pages} of {job.page_count} pages failed; page {first.number}: {first.error_detail}"
    )
    error.code = first.error_code
    return error


def _render_options(job: ParseJob) -> RenderOptions:
    return RenderOptions(
        table_format="pipe" if job.parsed_options.writes_pipe_tables else "html",
        compact_tables=job.parsed_options.writes_compact_tables,
        cell_line_break=job.parsed_options.cell_line_break,
        joins_tables=job.parsed_options.joins_continued_tables,
        spreadsheet=job.parsed_options.writes_spreadsheet,
        guesses_sheet_names=job.parsed_options.guesses_sheet_names,
        links=job.parsed_options.writes_links,
        granular_boxes=job.parsed_options.granular_boxes,
        raw_words="word_bbox" in job.parsed_options.additional_outputs,
        grid=job.parsed_options.text_grid,
        inline_images=job.parsed_options.inlines_images,
        page_labels=msgspec.convert(job.result_facts.get("page_labels", ()), tuple[LabelRange, ...]),
        printed_page_numbers=job.parsed_options.extracts_printed_page_number,
        picture_urls=f"{settings.PUBLIC_URL}/api/v2/parse/{job.pk}/images/",
        max_pictures=settings.MAX_EXTRACTED_IMAGES_PER_PAGES,
    )


def accepted_pages(job: ParseJob) -> Iterator[Page | PageFailure]:
    """Yield the job's pages in order, as they were accepted. The file of a range is read once for all its pages."""
    for row, page in rows_with_pages(job.pk):
        if page is None:
            yield PageFailure(row.number, row.error_code, row.error_detail)
            continue
        if row.error_code and not row.fallback:  # what had been accepted before was kept
            code = _KEPT.get(row.needs_ocr, "text_layer_only")
            page = msgspec.structs.replace(page, warnings=(*page.warnings, code))
        if row.mode:
            warnings = (*page.warnings, "fallback_used") if row.fallback else page.warnings
            page = msgspec.structs.replace(page, warnings=warnings, parsing=how_parsed(row))
        yield page


def how_parsed(row: JobPage) -> dict[str, object]:
    """Return how a page of a job with models was parsed, for the result. Empty facts are left out."""
    cost = row.facts.get("cost_nanos")
    facts = {
        "mode": row.mode,
        "reason": row.mode_reason,
        "fallback_used": bool(row.fallback) or None,
        "fallback_reason": row.fallback,
        **{name: value for name, value in row.facts.items() if name not in ("cost_nanos", READ_CONTENT)},
        "cost_usd": cost / 1e9 if cost is not None else None,
    }
    return {name: value for name, value in facts.items() if value not in ("", None)}


def _extract_lost_content(claim: Claim) -> bool:
    """Extract accepted pages again if their content is missing from storage. Return False if none is missing."""
    job = claim.job
    accepted = JobPage.objects.filter(job=job, state=PageState.SUCCEEDED)
    lost = [key for key in accepted.values_list("content", flat=True).distinct().order_by() if not storage.exists(key)]
    numbers = list(accepted.filter(content__in=lost).values_list("number", flat=True)) if lost else []
    if not numbers:
        return False
    logger.error(
        "The content of %s pages of %s is missing from storage; they will be extracted again", len(numbers), job.pk
    )
    with transaction.atomic():
        if fail(claim, error_code=StorageUnavailable.code):
            move_pages(JobPage.objects.filter(job=job, number__in=numbers), PageState.PENDING, content="")
            make_ranges(job, numbers)
            move_to_stage(job.pk, Stage.EXTRACT)
            transaction.on_commit(lambda: dispatch_pages_of(job, Stage.EXTRACT))
    return True


def credits_of(job: ParseJob) -> float:
    """Return what the succeeded pages cost by LlamaParse's price list; a page that no model parsed counts as fast.

    A page that a rule or the cost optimizer gave another mode counts by that mode.
    """
    pages = JobPage.objects.filter(job=job, state=PageState.SUCCEEDED)
    counted = pages.values_list("mode", "fallback").annotate(pages=Count("pk")).order_by()
    plus = job.tier == "agentic_plus"
    return float(
        sum(number * credits_per_page("" if fallback else mode, plus=plus) for mode, fallback, number in counted)
    )


def usage_of(job: ParseJob) -> dict[str, object]:
    """Return the usage of all the job's calls so far. ``cost_usd`` is None if a price is unknown."""
    used = ledger.spent_by_job(job.pk)
    return {
        "requests": used.requests,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cached_input_tokens": used.cached_tokens,
        "reasoning_tokens": used.reasoning_tokens,
        "cost_usd": used.dollars,
    }
