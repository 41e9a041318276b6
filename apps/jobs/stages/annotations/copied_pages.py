"""Take the pages of a job from another one that has parsed them. Afterwards neither needs the other."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from apps.documents import storage
from apps.jobs.errors import SourceGone
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.scheduling.advance import annotate_or_assemble
from apps.jobs.scheduling.claims import Claim, complete
from apps.jobs.scheduling.moves import move_to_stage
from apps.jobs.stages.page_contents import READ_CONTENT, rows_with_pages
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Page, encode_pages
from apps.pages.model.page_numbers.ranges import parse_page_ranges
from apps.parsing.modes import FAST

PAGES_PER_FILE = 16


def source_of(job: ParseJob) -> ParseJob | None:
    """Return the job whose pages this one takes; None if it reads a document. Raise SourceGone if it was deleted."""
    if not job.source_job:
        return None
    source = ParseJob.objects.filter(pk=job.source_job, project_id=job.project_id).first()
    if source is None or not source.result_folder:
        raise SourceGone
    return source


def must_read_again(job: ParseJob, source: ParseJob) -> bool:
    """Return whether the pages have to be read again, because the source kept text that people cannot see.

    Such text could give the model instructions. If the document was deleted, the pages are taken as they are.
    """
    kept = source.mode == FAST and not source.uses_models and not source.parsed_options.ignores_hidden_text
    return kept and job.document_id is not None


def copy_pages(claim: Claim, source: ParseJob) -> None:
    """Copy the wanted pages of the job's source, and start the annotation. Raise SourceGone if one is missing."""
    job = claim.job
    wanted = set(wanted_pages_of(job, source))
    rows: list[JobPage] = []
    batch: list[tuple[JobPage, Page]] = []
    try:
        for row, page in rows_with_pages(source.pk):
            if row.number not in wanted:
                continue
            copy = _copy_of(row, job)
            rows.append(copy)
            if page is not None:
                batch.append((copy, page))
            if len(batch) == PAGES_PER_FILE:
                _store(claim, batch)
                batch = []
    except FileNotFoundError:
        raise SourceGone from None
    if batch:
        _store(claim, batch)
    converted_key = _copied(source.converted_key, storage.converted_document(job.pk, attempt=claim.attempt))
    printed_key = _copied(source.printed_key, storage.printed_document(job.pk, attempt=claim.attempt))
    with transaction.atomic():
        if not complete(claim):
            return
        JobPage.objects.bulk_create(rows, batch_size=500)
        facts = {name: source.result_facts[name] for name in ("page_labels",) if name in source.result_facts}
        columns = {
            "media_type": source.media_type,
            "document_pages": source.document_pages,
            "converted_key": converted_key,
            "converted_type": source.converted_type,
            "printed_key": printed_key,
            "printed_pages": source.printed_pages,
        }
        move_to_stage(job.pk, Stage.ANNOTATE, page_count=len(rows), result_facts=facts, **columns)
        job.refresh_from_db()
        annotate_or_assemble(job)


def wanted_pages_of(job: ParseJob, source: ParseJob) -> Sequence[int]:
    """Return the numbers of the source's pages that the job asks for. Raise PageOutOfRange if it has none of them."""
    numbers = list(JobPage.objects.filter(job=source).order_by("number").values_list("number", flat=True))
    if job.target_pages:
        wanted = set(parse_page_ranges(job.target_pages, page_count=numbers[-1]))
        numbers = [number for number in numbers if number in wanted]
    return numbers[: job.max_pages]


def _copied(source_key: str, key: str) -> str:
    """Copy a file of the source to ``key`` and return that; "" if the source has no such file. Raise SourceGone."""
    if not source_key:
        return ""
    try:
        with storage.open_for_reading(source_key) as content:
            storage.write(key, content)
    except FileNotFoundError:
        raise SourceGone from None
    return key


def _copy_of(row: JobPage, job: ParseJob) -> JobPage:
    facts = {name: value for name, value in row.facts.items() if name not in (READ_CONTENT, "cost_nanos", "requests")}
    return JobPage(
        job=job,
        number=row.number,
        state=row.state if row.state == PageState.SUCCEEDED else PageState.FAILED,
        attempts=1,
        needs_ocr=row.needs_ocr,
        mode=row.mode,
        mode_reason=row.mode_reason,
        fallback=row.fallback,
        facts=facts,
        error_code=row.error_code,
        error_detail=row.error_detail,
    )


def _store(claim: Claim, batch: Sequence[tuple[JobPage, Page]]) -> None:
    first, last = batch[0][1].number, batch[-1][1].number
    content = storage.page_content(claim.job.pk, first=first, last=last, attempt=claim.attempt)
    storage.write(content, b"".join(encode_pages(page for _row, page in batch)))
    for row, _page in batch:
        row.content = content
