"""The cost optimizer: pages that need no agent, because their text layer and layout leave little to find out.

The decision uses the extracted page, before any request to a model. A page is easy if there is no objection below.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from apps.pages.model.blocks import BlockType, Cell, Page, Source
from apps.pages.model.geometry import Box
from apps.parsing.routing.page_facts import PageFacts, count_words

# An agent is worth it for pictures and charts with at least this share of the page; logos are smaller.
MAX_PICTURE_SHARE = 0.05
MAX_PICTURES = 4
MAX_WORDS = 1_500
MAX_TABLE_COLUMNS, MAX_TABLE_ROWS = 8, 60
MAX_EMPTY_CELL_SHARE = 0.34
"""A table with a larger share of empty cells probably has spans or headers that extraction missed."""
MAX_MATH_SYMBOLS = 8
# Text in many columns, or in many short blocks, is a form, a slide or a drawing.
MAX_SIDE_BY_SIDE_SHARE = 0.5
MIN_BLOCK_WORDS, MAX_SHORT_BLOCK_SHARE = 5, 0.6
"""A block with fewer words is short; the share of short blocks."""
MIN_BLOCKS = 12
MIN_LETTER_SHARE = 0.45
MAX_RIGHT_TO_LEFT_SHARE = 0.3
_MATHS = re.compile("[\u2200-\u22ff\u2a00-\u2aff\u27c0-\u27ef\u03d5\U0001d400-\U0001d7ff=\u00b1\u00d7]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_LETTER = re.compile(r"[^\W\d_]")
_TEXT_TYPES = (BlockType.HEADING, BlockType.PARAGRAPH, BlockType.LIST_ITEM)


def is_easy(page: Page) -> tuple[bool, str]:
    """Return whether balanced mode parses the page in a job of agentic mode, and the reason."""
    facts = PageFacts(page)
    objection = next(itertools.chain(_objections_to_extraction(facts), _objections_to_text(facts)), None)
    if objection is not None:
        return False, objection
    return True, "plain text with a good text layer" if facts.words else "an empty page"


def _objections_to_extraction(facts: PageFacts) -> Iterator[str]:
    """Yield why the text layer, the pictures or the tables of a page need an agent."""
    page = facts.page
    if page.needs_ocr:
        yield "no usable text layer"
    if any(block.source is not Source.TEXT_LAYER for block in page.blocks):
        yield "text that was recognised"
    if page.warnings:
        yield f"a warning: {page.warnings[0]}"
    shares = [facts.picture_share(block) for block in page.blocks if block.type is BlockType.PICTURE]
    if any(share > MAX_PICTURE_SHARE for share in shares):
        yield "a large picture"
    if len(shares) > MAX_PICTURES:
        yield "many pictures"
    if not all(is_simple_table(block.cells) for block in page.blocks if block.type is BlockType.TABLE):
        yield "a table that is not simple"


def is_simple_table(cells: Sequence[Cell]) -> bool:
    """Return whether a table has no spans, a usual size and few empty cells."""
    rows = 1 + max((cell.row for cell in cells), default=0)
    columns = 1 + max((cell.column for cell in cells), default=0)
    filled = sum(bool(cell.text.strip()) for cell in cells)
    return (
        all(cell.row_span == 1 and cell.column_span == 1 for cell in cells)
        and rows <= MAX_TABLE_ROWS
        and columns <= MAX_TABLE_COLUMNS
        and filled >= (1 - MAX_EMPTY_CELL_SHARE) * rows * columns
    )


def is_beside(box: Box, other: Box) -> bool:
    """Return whether the other box is to the left or right of this one, at about the same height."""
    if other.x0 < box.x1 and other.x1 > box.x0:
        return False
    shared = min(box.bottom, other.bottom) - max(box.top, other.top)
    return shared > 0.5 * min(box.height, other.height)


def _objections_to_text(facts: PageFacts) -> Iterator[str]:
    """Yield why the text of a page or its layout need an agent."""
    if len(_MATHS.findall(facts.text)) > MAX_MATH_SYMBOLS:
        yield "formulas"
    if facts.words > MAX_WORDS:
        yield "an unusual amount of text"
    signs = len("".join(facts.text.split()))
    if len(_RIGHT_TO_LEFT.findall(facts.text)) > MAX_RIGHT_TO_LEFT_SHARE * signs:
        yield "text that runs to the left"
    if len(_LETTER.findall(facts.text)) < MIN_LETTER_SHARE * signs:
        yield "more numbers and signs than words"
    blocks = [block for block in facts.page.blocks if block.type in _TEXT_TYPES and block.text.strip()]
    beside = sum(any(is_beside(block.box, other.box) for other in blocks) for block in blocks)
    if beside > MAX_SIDE_BY_SIDE_SHARE * len(blocks):
        yield "text in several columns"
    short = sum(count_words(block.text) < MIN_BLOCK_WORDS for block in blocks)
    if len(blocks) >= MIN_BLOCKS and short > MAX_SHORT_BLOCK_SHARE * len(blocks):
        yield "text in many pieces"
