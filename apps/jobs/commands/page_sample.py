"""Extract a sample of a document's pages, for an estimate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.jobs.errors import TooSlowToEstimate
from apps.jobs.models import ParseJob
from apps.jobs.stages.recognize import pages_to_recognize, reason_for_ocr
from apps.jobs.stages.split import wanted_pages
from apps.jobs.stages.step_work import reader_limits, reading_options_of
from apps.pages.model.blocks import Page
from apps.pages.model.conversions import conversion_of
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import Stopped, UnsupportedDocument
from apps.pages.sandbox import pool
from apps.parsing.usage_estimate import TYPICAL_PAGE_TOKENS, page_tokens

MAX_SAMPLED_PAGES = 32
MAX_SAMPLING_SECONDS = 30.0


@dataclass(frozen=True)
class PageSample:
    """Some pages of a document with ``pages`` pages. ``readable``: those that could be extracted."""

    pages: int
    size: int
    readable: Sequence[Page]
    numbers_for_ocr: frozenset[int]

    @property
    def exact(self) -> bool:
        return self.size == self.pages

    @property
    def scale(self) -> float:
        return self.pages / self.size

    @property
    def pages_needing_ocr(self) -> int:
        return round(len(self.numbers_for_ocr) * self.scale)

    @property
    def typical_tokens(self) -> int:
        """The tokens of a page after OCR: the mean of the pages whose text is known before it."""
        known = [page_tokens(page) for page in self.readable if not page.needs_ocr and page.blocks]
        return round(sum(known) / len(known)) if known else TYPICAL_PAGE_TOKENS


def read_sample(path: Path, job: ParseJob, password: str | None) -> PageSample:
    """Extract up to ``MAX_SAMPLED_PAGES`` of the job's pages, evenly spread, with the first and the last.

    Raise TooSlowToEstimate after ``MAX_SAMPLING_SECONDS``.
    """
    until = time.monotonic() + MAX_SAMPLING_SECONDS
    numbers: Sequence[int] = ()

    def choose_pages(facts: DocumentFacts) -> Sequence[int]:
        nonlocal numbers
        numbers = wanted_pages(job, facts.page_count)
        last = MAX_SAMPLED_PAGES - 1
        if len(numbers) <= MAX_SAMPLED_PAGES:
            return numbers
        return [numbers[index * (len(numbers) - 1) // last] for index in range(MAX_SAMPLED_PAGES)]

    def is_late() -> bool:
        return time.monotonic() > until

    try:
        with pool.reader_pool(1).reader(should_stop=is_late) as reader:
            facts, results = reader.inspect_and_read(
                path,
                page_numbers=choose_pages,
                max_pages=MAX_SAMPLED_PAGES,
                password=password,
                hidden_text="remove",
                preserve_very_small_text=reading_options_of(job)["preserve_very_small_text"],
                margins=job.parsed_options.margins,
                office=job.parsed_options.office(job.document_name),
                limits=reader_limits(),
                should_stop=is_late,
            )
    except Stopped as stopped:
        raise TooSlowToEstimate from stopped
    if conversion_of(facts.media_type):
        raise UnsupportedDocument(
            "The pages of this kind of document are known after its conversion, so it has no estimate. Submit it, or "
            "save it in a current format and send that."
        )
    results = results or []
    readable = [page for page in results if isinstance(page, Page)]
    numbers_for_ocr = pages_to_recognize(job, ((page.number, reason_for_ocr(job, page)) for page in readable))
    return PageSample(len(numbers), max(1, len(results)), readable, frozenset(numbers_for_ocr))
