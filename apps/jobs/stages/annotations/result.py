"""Write the annotations of a job into its result: the answers, and where their values are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec
from django.utils import timezone

from apps.documents import storage
from apps.jobs.models import Annotation, JobKind, ParseJob
from apps.jobs.scheduling.rescue import DeadlineExceeded
from apps.jobs.states import JobState
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import ParseError, UnplannedError
from apps.pages.model.warnings import describe
from apps.parsing.annotations.citations import Citations
from apps.parsing.annotations.segments import segments_of
from apps.parsing.annotations.tasks import AnnotationTask

ANNOTATIONS_FILE = "annotations.json"
VALUES_NOT_FOUND, PAGES_NOT_ANNOTATED = "values_not_found", "pages_not_annotated"


@dataclass(frozen=True)
class WrittenAnnotations:
    """The warnings of a job's annotations; ``outcome`` of the job if they change it, ``error`` if none can be given."""

    warnings: list[dict[str, Any]] = field(default_factory=list)
    outcome: JobState | None = None
    error: ParseError | None = None


class AnnotatedPage(msgspec.Struct):
    """The answer about a page, or about the whole document (0). ``metadata``: of each value, in the answer's shape."""

    page_number: int
    answer: Any = None
    metadata: Any = None
    error_code: str = ""
    error_detail: str = ""


def write_annotations(
    job: ParseJob,
    pages: Callable[[], Iterable[Page | PageFailure]],
    *,
    open_output: Callable[[str], AbstractContextManager[BinaryIO]],
) -> WrittenAnnotations:
    """Write one line per annotation into the job's result."""
    task = job.annotation_task
    assert task is not None
    rows = {row.page_number: row for row in Annotation.objects.filter(job=job)}
    good_pages = (page for page in pages() if isinstance(page, Page))
    by_page = ((page.number, [page]) for page in good_pages)
    # A step without an answer ended at the job's deadline, or lost its last worker.
    missing = DeadlineExceeded() if job.deadline_at <= timezone.now() else UnplannedError()
    found, not_found = [], 0
    for number, group in by_page if task.target == "page" else [(0, list(good_pages))]:
        one, missed = _annotated(task, rows.get(number), number, group, missing)
        found.append(one)
        not_found += missed
    failed = [one for one in found if one.error_code]
    is_needed = job.kind != JobKind.PARSE  # the pages of a job that was to parse are good without them
    if failed and is_needed and len(failed) == len(found):
        error = ParseError(failed[0].error_detail)
        error.code = failed[0].error_code
        return WrittenAnnotations(error=error)
    with open_output(ANNOTATIONS_FILE) as out:
        out.write(msgspec.json.encode(found))
    warnings: list[dict[str, Any]] = []
    if not_found:
        detail = f"{describe(VALUES_NOT_FOUND)} Values: {not_found}."
        warnings.append({"code": VALUES_NOT_FOUND, "detail": detail, "values": not_found})
    if failed:
        numbers = ", ".join(str(one.page_number) for one in failed[:20])
        detail = f"{describe(PAGES_NOT_ANNOTATED)} Pages: {numbers}{', …' if len(failed) > 20 else ''}."
        warnings.append({"code": PAGES_NOT_ANNOTATED, "detail": detail, "pages": len(failed)})
    return WrittenAnnotations(warnings, JobState.PARTIAL if failed and is_needed else None)


def read_annotations(content: bytes) -> list[AnnotatedPage]:
    """Return what ``write_annotations`` wrote."""
    return msgspec.json.decode(content, type=list[AnnotatedPage])


def _annotated(
    task: AnnotationTask, row: Annotation | None, number: int, pages: Sequence[Page], missing: ParseError
) -> tuple[AnnotatedPage, int]:
    """Return the annotation, and how many of its values have no place."""
    if row is None or not row.content:
        code, detail = (row.error_code, row.error_detail) if row else (missing.code, missing.detail)
        return AnnotatedPage(number, error_code=code, error_detail=detail), 0
    answer = json.loads(storage.read(row.content))
    if task.kind == "split":
        return AnnotatedPage(number, segments_of(task, answer, [page.number for page in pages])), 0
    if not task.cites:
        return AnnotatedPage(number, answer), 0
    citations = Citations(pages)
    metadata = citations.metadata_of(answer)
    return AnnotatedPage(number, answer, metadata), citations.not_found
