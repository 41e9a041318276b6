"""Read the pages of a stored result one by one, so that memory does not grow with the length of the document."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.pages.output.assembly import GROUNDED_ITEMS

_FILES = ("text.json", "markdown.json", "items.json", "metadata.json")
_BEFORE_PAGES = '{"pages":['
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class StoredPage:
    """One page of a result, as each of its files has it."""

    number: int
    text: str
    markdown: dict[str, Any]
    items: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def has_failed(self) -> bool:
        return not self.markdown["success"]

    @property
    def parsing(self) -> dict[str, Any]:
        """How a model parsed the page; empty if none did."""
        return dict(self.metadata.get("parsing") or {})


def stored_pages(job: ParseJob) -> Iterator[StoredPage] | None:
    """Return the pages of the job's result, all from the same result; None if there is none.

    Items have their lines if the job was asked for them.
    """
    with ExitStack() as opened:
        sources = []
        for name in _FILES:
            source = queries.open_result(job, name)
            if source is None:
                return None
            sources.append(opened.enter_context(source))
        grounded = queries.open_result(job, GROUNDED_ITEMS)
        if grounded is not None:
            opened.enter_context(grounded)
        return _pages(sources, grounded, opened.pop_all())


def _pages(sources: list[BinaryIO], grounded: BinaryIO | None, files: ExitStack) -> Iterator[StoredPage]:
    with files:
        texts, markdown, items, metadata = (entries(source) for source in sources)
        if grounded is not None:
            items = (json.loads(line) for line in grounded)
        for text, *others in zip(texts, markdown, items, metadata, strict=True):
            yield StoredPage(text["page_number"], text["text"], *others)


def entries(source: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the pages in ``{"pages":[...]}`` while it is read. Raise ValueError if the file is cut off."""
    decoder, scan = codecs.getincrementaldecoder("utf-8")(), json.JSONDecoder().raw_decode
    text, at = decoder.decode(source.read(_CHUNK_BYTES)), len(_BEFORE_PAGES)
    while True:
        if text[at : at + 1] == "]":
            return
        if text[at : at + 1] == ",":
            at += 1
        try:
            entry, at = scan(text, at)
        except json.JSONDecodeError:
            # Read as much again as is left, so that a page of any size is scanned a few times only.
            more = source.read(max(_CHUNK_BYTES, len(text) - at))
            if not more:
                raise
            text, at = text[at:] + decoder.decode(more), 0
        else:
            yield entry
            if at == len(text):
                text, at = decoder.decode(source.read(_CHUNK_BYTES)), 0
