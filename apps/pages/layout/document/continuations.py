"""Join the blocks that a page or column break divided, over all pages of a document.

A paragraph that continues on the next page becomes one paragraph; a table becomes one table without its repeated
header. The pages themselves keep their own blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from apps.pages.layout.document.page_margins import is_turned
from apps.pages.layout.lists import code_blocks
from apps.pages.layout.tables import table_continuations
from apps.pages.layout.text import hyphenation
from apps.pages.layout.text.hyphenation import NO_WORDS, DocumentWords
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import NO_BOX

# Blocks that may come between the two halves of a table or paragraph.
PASSED_OVER = frozenset({BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER})
MAX_PARAGRAPH_CHARACTERS = 20_000
MAX_WAITING = 60
# Letters of two halves of a paragraph differ in size by at most this ratio.
MAX_SIZE_RATIO = 1.25
_ENDED = re.compile(r"[.!?:;。！？：؟…]['\")\]”’»*†\d]*$")

PlacedBlock = tuple[int, Block]


class ContinuationJoiner:
    """Take blocks in reading order and yield them, joined where one continues another.

    ``words``: those of the document decide whether a hyphen at the end of a page belongs to its word. ``tables``: also
    join tables. ``pictures``: yield those without a description, too.
    """

    def __init__(self, words: DocumentWords = NO_WORDS, *, tables: bool = True, pictures: bool = False) -> None:
        self._words = words
        self._pictures = pictures
        self._tables = tables
        self._held: PlacedBlock | None = None
        # Footnotes, stamps and pictures between the halves of a paragraph, which follow it.
        self._waiting: list[PlacedBlock] = []

    def add(self, page_number: int, blocks: Iterable[Block]) -> Iterator[PlacedBlock]:
        """Yield the blocks that are now complete, each with the page number on which it began."""
        for block in blocks:
            if block.type in PASSED_OVER:
                if block.type is BlockType.PICTURE and (self._pictures or block.description):
                    yield from self._shown(page_number, block)
                continue
            if self._may_continue_past(block):
                self._waiting.append((page_number, block))
                continue
            if self._held is not None:
                joined = _joined(self._held[1], block, self._words) if self._may_join(block) else None
                if joined is not None:
                    self._held = self._held[0], joined
                    continue
                yield self._held
                yield from self._waiting
                self._waiting.clear()
            self._held = page_number, block

    def finish(self) -> Iterator[PlacedBlock]:
        if self._held is not None:
            yield self._held
        yield from self._waiting
        self._held = None
        self._waiting.clear()

    def _shown(self, page_number: int, picture: Block) -> Iterator[PlacedBlock]:
        """Yield a picture now, or with the block before it, which may continue after it."""
        if self._held is not None:
            self._waiting.append((page_number, picture))
        else:
            yield page_number, picture

    def _may_join(self, block: Block) -> bool:
        return self._tables or block.type is not BlockType.TABLE

    def _may_continue_past(self, block: Block) -> bool:
        """Return True for a footnote or a stamp after a paragraph that is not at its end."""
        if self._held is None or len(self._waiting) >= MAX_WAITING:
            return False
        if block.type is not BlockType.FOOTNOTE and not is_turned(block):
            return False
        held = self._held[1]
        return held.type in (BlockType.PARAGRAPH, BlockType.LIST_ITEM) and not _ENDED.search(held.text)


def _joined(first: Block, second: Block, words: DocumentWords) -> Block | None:
    """Return the two blocks as one if the second continues the first, else None."""
    if second.box == NO_BOX:
        return None  # pages that are read from their structure divide no block
    if second.box.top > first.box.bottom - 1 and second.box.x0 < first.box.x1:
        return None  # lower in the same column: layout saw both and kept them apart
    if first.type is BlockType.TABLE and second.type is BlockType.TABLE:
        return table_continuations.joined_tables(first, second, words)
    if first.type is BlockType.CODE and second.type is BlockType.CODE:
        return code_blocks.joined_code(first, second)
    if second.type is BlockType.PARAGRAPH and first.type in (BlockType.PARAGRAPH, BlockType.LIST_ITEM):
        if not first.text or not second.text or len(first.text) > MAX_PARAGRAPH_CHARACTERS:
            return None
        if first.lines and second.lines:
            low, high = sorted((first.lines[-1].size, second.lines[0].size))
            if high > MAX_SIZE_RATIO * low > 0:
                return None
        is_hyphenated = first.text[-1] in "-‐\xad"
        if second.text[0].islower() and (is_hyphenated or not _ENDED.search(first.text)):
            return hyphenation.joined_blocks(first, second, words)
    return None
