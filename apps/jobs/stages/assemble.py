"""Assembly: the pages become the result, and the job ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

import msgspec
from django.db import transaction

from apps.documents import storage
from apps.jobs import queries
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.scheduling.claims import Claim, claim_step, complete, end_job, fail, snooze
from apps.jobs.scheduling.dispatch import send_due_if_any_waits, send_pages_of
from apps.jobs.scheduling.moves import move_pages, move_to_stage
from apps.jobs.stages import long_documents
from apps.jobs.stages.extract import make_ranges
from apps.jobs.stages.step_work import StorageUnavailable, do_work
from apps.jobs.states import JobState, PageState, Stage, job_outcome
from apps.pages.model.blocks import Page, PageFailure, decode_pages
from apps.pages.model.errors import GarbledPage, ParseError
from apps.pages.model.warnings import describe
from apps.pages.output.assembly import Assembly, RenderOptions, assemble
from apps.providers import ledger

logger = logging.getLogger(__name__)

PAGES_IN_MEMORY = 500  # assembly goes over the pages twice; those of a longer document are read from storage twice


def assemble_document(*, step_id: int, fence: int) -> None:
    """Pages become the result; the job ends. While the worker is at enough long documents, this one waits."""
    with claim_step(step_id=step_id, fence=fence) as claim:
        if claim is None:
            return
        with long_documents.slot(pages=claim.job.page_count or 0) as free:
            if free:
                do_work(claim, _assemble)
            else:
                snooze(claim)
    if free:
        send_due_if_any_waits()


def _assemble(claim: Claim) -> None:
    job = claim.job
    missing = _pages_without_content(job)
    if missing:
        _extract_again(claim, missing)
        return
    if (job.page_count or 0) <= PAGES_IN_MEMORY:
        pages = list(_stored_pages(job))
        write_result(claim, lambda: pages)
    else:
        write_result(claim, lambda: _stored_pages(job))


def write_result(claim: Claim, pages: Callable[[], Iterable[Page | PageFailure]]) -> None:
    """Write the result of these pages and end the job with it; ``pages`` is called twice."""
    job = claim.job
    folder = storage.result_folder(job.pk, attempt=claim.attempt)

    def open_output(name: str) -> AbstractContextManager[BinaryIO]:
        return storage.open_for_writing(f"{folder}/{name}")

    options = RenderOptions(table_format="pipe" if job.parsed_options.writes_pipe_tables else "html")
    report = assemble(pages, options=options, open_output=open_output)
    failed = report.failed_pages
    outcome = job_outcome(good_pages=report.good_pages, failed_pages=failed)
    error = _reason(job, failed) if _too_many_failed(job, failed) or outcome is JobState.FAILED else None
    # A result that replaces an earlier one replaces what was said about its pages, too.
    kept_warnings = [warning for warning in job.warnings if "pages" not in warning]
    with transaction.atomic():
        if complete(claim):
            end_job(
                job.pk,
                JobState.FAILED if error else outcome,
                error=error,
                result_folder="" if error else folder,
                result_facts=_facts(job, report),
                warnings=[*kept_warnings, *_warnings(report)],
            )


def _stored_pages(job: ParseJob) -> Iterator[Page | PageFailure]:
    """The job's pages in order, as they were accepted. Pages of one range lie in one file, read once."""
    key, pages = "", {}
    for row in queries.page_rows(job.pk):
        if row.state != PageState.SUCCEEDED:
            yield PageFailure(row.number, row.error_code, row.error_detail)
            continue
        if row.content != key:
            key, pages = row.content, _read_pages(row.content)
        page = pages.get(row.number)
        if page is None:
            raise GarbledPage
        yield _as_parsed(page, row)


def _as_parsed(page: Page, row: JobPage) -> Page:
    """The page with what its row knows of how it was parsed."""
    if not row.mode:
        return page
    warnings = (*page.warnings, "fallback_used") if row.fallback else page.warnings
    return msgspec.structs.replace(page, warnings=warnings, parsing=how_parsed(row))


def how_parsed(row: JobPage) -> dict[str, object]:
    """How a page of a job with models was parsed, for people; what does not apply is left out."""
    facts = {name: value for name, value in row.facts.items() if name != "cost_nanos"}
    cost = row.facts.get("cost_nanos")
    told = {
        "mode": row.mode,
        "reason": row.mode_reason,
        "fallback_used": bool(row.fallback) or None,
        "fallback_reason": row.fallback,
        **facts,
        "cost_usd": cost / 1e9 if cost is not None else None,
    }
    return {name: value for name, value in told.items() if value not in ("", None)}


def _read_pages(key: str) -> dict[int, Page]:
    results = decode_pages(storage.read(key).splitlines())
    return {page.number: page for page in results if isinstance(page, Page)}


def _pages_without_content(job: ParseJob) -> list[int]:
    """Pages that were accepted and whose content has gone from storage since."""
    kept = JobPage.objects.filter(job=job, state=PageState.SUCCEEDED)
    gone = [key for key in kept.values_list("content", flat=True).distinct().order_by() if not storage.exists(key)]
    return list(kept.filter(content__in=gone).values_list("number", flat=True)) if gone else []


def _extract_again(claim: Claim, numbers: Sequence[int]) -> None:
    job = claim.job
    logger.error("Content of %s pages of %s is gone from storage; they are read again", len(numbers), job.pk)
    with transaction.atomic():
        if not fail(claim, error_code=StorageUnavailable.code):
            return
        move_pages(JobPage.objects.filter(job=job, number__in=numbers), PageState.PENDING, content="")
        make_ranges(job, numbers)
        move_to_stage(job.pk, Stage.EXTRACT)
        transaction.on_commit(lambda: send_pages_of(job, Stage.EXTRACT))


def _too_many_failed(job: ParseJob, failed: int) -> bool:
    """LlamaParse's ``allowed_page_failure_ratio``, which counts only where the request sends it."""
    allowed = job.parsed_options.allowed_page_failure_ratio
    return allowed is not None and failed > allowed * (job.page_count or 0)


def _reason(job: ParseJob, failed: int) -> ParseError:
    first = JobPage.objects.filter(job=job, state=PageState.FAILED).order_by("number").first()
    assert first is not None
    error = ParseError(f"{failed} of {job.page_count} pages failed; page {first.number}: {first.error_detail}")
    error.code = first.error_code
    return error


def _facts(job: ParseJob, report: Assembly) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(report)
    del facts["warnings"]
    return {**facts, "usage": usage_of(job)} if job.uses_models else facts


def usage_of(job: ParseJob) -> dict[str, object]:
    """What the job has used so far: the sum over its calls. ``cost_usd`` None: a price is unknown."""
    used = ledger.spent_by_job(job.pk)
    return {
        "requests": used.requests,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost_usd": used.dollars,
    }


def _warnings(report: Assembly) -> list[dict[str, object]]:
    counts = report.warnings | ({"needs_ocr": report.pages_needing_ocr} if report.pages_needing_ocr else {})
    return [{"code": code, "detail": describe(code), "pages": count} for code, count in sorted(counts.items())]
