"""A document whose blocks are known when it is opened, on pages that are not longer than pages may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.document_facts import Attachment, DocumentFacts
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, clean
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH

MIN_PAGE_SHARE = 0.25
"""A page that is too long ends before its last heading if this share of it comes before."""
MAX_TITLE_CHARACTERS = 300


class Content(NamedTuple):
    """The blocks of a chapter, a message or a whole document, and the codes of their warnings."""

    blocks: tuple[Block, ...]
    warnings: tuple[str, ...] = ()


class PagedBlocks:
    """Each content begins a page. A document without text has one empty page."""

    def __init__(
        self,
        media_type: str,
        contents: Iterable[Content],
        *,
        title: str = "",
        warnings: Sequence[str] = (),
        attachments: tuple[Attachment, ...] = (),
        authors: tuple[str, ...] = (),
        invoice: dict[str, Any] | None = None,
    ) -> None:
        self._pages = [Content(blocks, one.warnings) for one in contents for blocks in _divided(one.blocks)]
        title = " ".join(clean(title).split())[:MAX_TITLE_CHARACTERS]
        self._pages = self._pages or [Content(())]
        codes = tuple(dict.fromkeys(warnings))
        self.facts = DocumentFacts(
            media_type, len(self._pages), title, codes, attachments, authors=authors, invoice=invoice or {}
        )

    def page(self, number: int) -> Page:
        blocks, warnings = self._pages[number - 1]
        return Page(number, NOMINAL_WIDTH, NOMINAL_HEIGHT, blocks=blocks, warnings=warnings, structured=True)


def _divided(blocks: Sequence[Block]) -> Iterator[tuple[Block, ...]]:
    page: list[Block] = []
    sizes: list[int] = []
    total = 0
    for block in (part for whole in blocks for part in _parts(whole)):
        size = len(block.text) + sum(len(cell.text) for cell in block.cells)
        if page and total + size > MAX_TEXT_CHARACTERS:
            end = len(page)
            headings = [index for index, one in enumerate(page) if one.type is BlockType.HEADING and index]
            if headings and sum(sizes[: headings[-1]]) >= MIN_PAGE_SHARE * MAX_TEXT_CHARACTERS:
                end = headings[-1]
            yield tuple(page[:end])
            page, sizes = page[end:], sizes[end:]
            total = sum(sizes)
        page.append(block)
        sizes.append(size)
        total += size
    if page:
        yield tuple(page)


def _parts(block: Block) -> Iterator[Block]:
    """Yield a block, or the parts of a text that is longer than a page may be."""
    if len(block.text) <= MAX_TEXT_CHARACTERS:
        yield block
        return
    start = 0
    while start < len(block.text):
        end = start + MAX_TEXT_CHARACTERS
        if end < len(block.text):
            end = max(block.text.rfind("\n", start + 1, end), block.text.rfind(" ", start + 1, end)) + 1 or end
        spans = tuple(
            msgspec.structs.replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)
            for span in block.spans
            if max(span.start, start) < min(span.end, end)
        )
        yield msgspec.structs.replace(block, text=block.text[start:end], spans=spans)
        start = end
