"""Survey a whole document for its heading styles and its running headers and footers.

One pass over the pages, in memory that grows with the number of distinct words, running lines and styles, not with the
text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from apps.pages.layout.hyphenation import DocumentWords
from apps.pages.model import list_markers
from apps.pages.model.blocks import Block, BlockType, Page, PageFailure

Style = tuple[float, bool]

# Running headers and footers are in this share of the page height, at the top and the bottom, ...
MARGIN_SHARE = 0.12
# ... and at the same height on every page, within this distance.
MAX_HEIGHT_DIFFERENCE_POINTS = 4.0
MAX_HEADING_CHARACTERS = 200
MAX_HEADING_LINES = 4
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"\W*(?:page|seite|p\.|стр\.|página|pág\.)?\s*(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:/|of|von|de|из)\s*\d{1,4})?\W*",
    re.IGNORECASE,
)


class DocumentSurvey(msgspec.Struct):
    """Facts about a whole document. ``levels``: heading style -> level 1-6; ``words`` decide about hyphens."""

    levels: dict[Style, int] = {}
    running: dict[tuple[str, str], list[tuple[float, int]]] = {}
    page_count: int = 0
    # False when all text is in the margins: then the lines there are the text, not headers and footers.
    has_body: bool = True
    words: DocumentWords = msgspec.field(default_factory=DocumentWords)

    def running_zone(self, page: Page, block: Block) -> str:
        """Return "header" or "footer" for a running header or footer, "" for any other block."""
        zone = margin_of(page, block)
        if not zone or not self.has_body:
            return ""
        if _PAGE_NUMBER.fullmatch(block_text(block)):
            return zone
        heights = self.running.get((zone, running_key(block)), ())
        seen = sum(
            count
            for height, count in heights
            if abs(height - _anchor(zone, page, block)) <= MAX_HEIGHT_DIFFERENCE_POINTS
        )
        return zone if seen >= (2 if self.page_count <= 6 else 3) else ""

    def level_of(self, block: Block) -> int:
        """Return the heading level of a block, 0 when it is no heading."""
        return self.levels.get(style_of(block), 0) if may_be_heading(block) else 0


def survey_document(pages: Iterable[Page | PageFailure]) -> DocumentSurvey:
    """Read all pages once and return the facts."""
    letters: Counter[Style] = Counter()
    headings: Counter[Style] = Counter()
    running: dict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    count = 0
    has_body = False
    words = DocumentWords()
    for page in pages:
        if isinstance(page, PageFailure):
            continue
        count += 1
        for block in page.blocks:
            words.add(block)
            for line in block.lines if block.type is not BlockType.CODE else ():
                letters[(round(line.size * 2) / 2, line.bold)] += len(line.text)
            zone = margin_of(page, block)
            has_body = has_body or (not zone and bool(block.text or block.cells))
            if zone:
                running[(zone, running_key(block))][round(_anchor(zone, page, block))] += 1
            # A heading at the top of a page counts once; a line repeated on every page does not.
            once = not zone or sum(running[(zone, running_key(block))].values()) == 1
            if once and may_be_heading(block):
                headings[style_of(block)] += 1
    # Headings are larger than the body, or as large and bold if the body is not; the largest has the highest level.
    size, bold = max(letters, key=lambda style: (letters[style], style), default=(0.0, False))
    found = [s for s in headings if s[0] >= 1.12 * size or (s[1] and not bold and s[0] >= 0.95 * size)]
    return DocumentSurvey(
        levels={style: min(6, level) for level, style in enumerate(sorted(found, reverse=True), 1)},
        running={key: sorted(heights.items()) for key, heights in running.items() if sum(heights.values()) > 1},
        page_count=count,
        has_body=has_body,
        words=words,
    )


def margin_of(page: Page, block: Block) -> str:
    """Return "header" or "footer" if the block is in that margin, "" elsewhere."""
    if not block.lines or len(block.lines) > 3:
        return ""
    if block.box.bottom <= MARGIN_SHARE * page.height:
        return "header"
    if block.box.top >= (1 - MARGIN_SHARE) * page.height:
        return "footer"
    return ""


def running_key(block: Block) -> str:
    """Return the text with numbers replaced by "#", so that "page 7" equals "page 8"."""
    return _DIGITS.sub("#", block_text(block))[:120]


def block_text(block: Block) -> str:
    return f"{block.marker} {block.text}" if block.marker else block.text


def _anchor(zone: str, page: Page, block: Block) -> float:
    return block.box.top if zone == "header" else page.height - block.box.bottom


def style_of(block: Block) -> Style:
    first = block.lines[0]
    return (round(first.size * 2) / 2, all(line.bold for line in block.lines))


def may_be_heading(block: Block) -> bool:
    """Return True if the text alone allows the block to be a heading."""
    if block.type is BlockType.LIST_ITEM:
        if not list_markers.is_ordered(block.marker) or block.marker.startswith(("(", "[")):
            return False
    elif block.type is not BlockType.PARAGRAPH and block.type is not BlockType.HEADING:
        return False
    text = block.text
    if not block.lines or len(block.lines) > MAX_HEADING_LINES or not 1 < len(text) <= MAX_HEADING_CHARACTERS:
        return False
    return text[-1] not in ".,;" and any(c.isalpha() for c in text)
