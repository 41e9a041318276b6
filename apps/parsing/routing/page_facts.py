"""Counts of a page that need no model: words, numbers, tables, pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.pages.model.ocr_reasons import BACKGROUND_SHARE, WHOLE_PAGE_REASONS
from apps.pages.output import render

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]{2,}")
_NUMBER = re.compile(r"[^\w\s]{0,3}\d[\d.,:'’/]*[^\w\s]{0,3}")
_LINK = re.compile(r"\b(?:https?://|mailto:|www\.)[^\s<>]", re.IGNORECASE)

_DOUBTS = frozenset({"ocr_low_confidence", "text_unreliable"})


def count_words(text: str) -> int:
    """Count words as LlamaParse does: one Chinese or Japanese character, or two or more other characters."""
    return len(_WORD.findall(text))


@dataclass(frozen=True)
class PageFacts:
    """A page, its Markdown (None if there is none yet) and the name of its document."""

    page: Page
    markdown: str | None = None
    file_name: str = ""

    @cached_property
    def text(self) -> str:
        """Return the page's text, or its Markdown if only a model could read the page."""
        return render.page_text(self.page.blocks) or self.markdown or ""

    @cached_property
    def content(self) -> str:
        """Return the text that patterns are matched against: the Markdown, or else the text."""
        return self.text if self.markdown is None else self.markdown

    @property
    def tables(self) -> int:
        return sum(block.type is BlockType.TABLE for block in self.page.blocks)

    @property
    def pictures(self) -> int:
        """Count pictures, without one that covers the whole page as in a scan."""
        return sum(self.picture_share(block) < BACKGROUND_SHARE for block in self._all_pictures)

    @property
    def layout_elements(self) -> int:
        return len(self.page.blocks)

    @cached_property
    def words(self) -> int:
        return count_words(self.text)

    @cached_property
    def numbers(self) -> int:
        return sum(_NUMBER.fullmatch(word) is not None for word in self.text.split())

    @property
    def percent_numbers(self) -> float:
        """Return the percentage of words that are numbers; a single character counts as a word."""
        return 100 * self.numbers / max(1, len(self.text.split()))

    @cached_property
    def lines(self) -> int:
        return sum(bool(line.strip()) for line in self.text.splitlines())

    @cached_property
    def links(self) -> int:
        """Count addresses in the text or, if there is Markdown, in the Markdown."""
        return len(_LINK.findall(self.text if self.markdown is None else self.markdown))

    @property
    def is_unread(self) -> bool:
        """Return whether the text is unreliable: OCR is still needed, or the page has a warning about it."""
        return self.page.needs_ocr in WHOLE_PAGE_REASONS or not _DOUBTS.isdisjoint(self.page.warnings)

    def has_full_page_picture(self, share: float) -> bool:
        """Return whether a picture covers ``share`` of the page (0.0-1.0). A page read by OCR had one."""
        if any(self.picture_share(block) >= share for block in self._all_pictures):
            return True
        written = [block for block in self.page.blocks if block.text or block.cells]
        return bool(written) and all(block.source is Source.OCR for block in written)

    def picture_share(self, block: Block) -> float:
        """Return the share of the page that a block covers, 0.0-1.0."""
        area = self.page.width * self.page.height
        return min(1.0, block.box.width * block.box.height / area) if area > 0 else 0.0

    @property
    def _all_pictures(self) -> list[Block]:
        return [block for block in self.page.blocks if block.type is BlockType.PICTURE]
