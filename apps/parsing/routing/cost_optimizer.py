"""The cost optimizer: pages that need no agent, because their text layer and layout leave little to find out.

The decision uses the extracted page, before any model is asked. A page is easy if no check below objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from apps.pages.model.blocks import Block, BlockType, Page, Source
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
"""Words of a piece, and the share of such pieces."""
MIN_BLOCKS = 12
MIN_LETTER_SHARE = 0.45
MAX_RIGHT_TO_LEFT_SHARE = 0.3
_MATHS = re.compile("[\u2200-\u22ff\u2a00-\u2aff\u27c0-\u27ef\u03d5\U0001d400-\U0001d7ff=\u00b1\u00d7]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_LETTER = re.compile(r"[^\W\d_]")
_TEXT_TYPES = (BlockType.HEADING, BlockType.PARAGRAPH, BlockType.LIST_ITEM)

Objection = Callable[[PageFacts], str]


def is_easy(page: Page) -> tuple[bool, str]:
    """Return whether balanced mode parses the page in a job of agentic mode, and the reason."""
    facts = PageFacts(page)
    for objection in _OBJECTIONS:
        reason = objection(facts)
        if reason:
            return False, reason
    return True, "plain text with a good text layer" if facts.words else "an empty page"


def _text_layer(facts: PageFacts) -> str:
    if facts.page.needs_ocr:
        return "no usable text layer"
    if any(block.source is not Source.TEXT_LAYER for block in facts.page.blocks):
        return "text that was recognised"
    return f"a warning: {facts.page.warnings[0]}" if facts.page.warnings else ""


def _pictures(facts: PageFacts) -> str:
    shares = [facts.picture_share(block) for block in facts.page.blocks if block.type is BlockType.PICTURE]
    if any(share > MAX_PICTURE_SHARE for share in shares):
        return "a large picture"
    return "many pictures" if len(shares) > MAX_PICTURES else ""


def _tables(facts: PageFacts) -> str:
    for block in facts.page.blocks:
        if block.type is BlockType.TABLE and not _is_simple(block):
            return "a table that is not simple"
    return ""


def _is_simple(table: Block) -> bool:
    """Return whether a table has no spans, a usual size and few empty cells."""
    rows = 1 + max((cell.row for cell in table.cells), default=0)
    columns = 1 + max((cell.column for cell in table.cells), default=0)
    filled = sum(bool(cell.text.strip()) for cell in table.cells)
    return (
        all(cell.row_span == 1 and cell.column_span == 1 for cell in table.cells)
        and rows <= MAX_TABLE_ROWS
        and columns <= MAX_TABLE_COLUMNS
        and filled >= (1 - MAX_EMPTY_CELL_SHARE) * rows * columns
    )


def _maths(facts: PageFacts) -> str:
    return "formulas" if len(_MATHS.findall(facts.text)) > MAX_MATH_SYMBOLS else ""


def _words(facts: PageFacts) -> str:
    if facts.words > MAX_WORDS:
        return "an unusual amount of text"
    letters = len(_LETTER.findall(facts.text))
    signs = len("".join(facts.text.split()))
    if len(_RIGHT_TO_LEFT.findall(facts.text)) > MAX_RIGHT_TO_LEFT_SHARE * signs:
        return "text that runs to the left"
    return "more numbers and signs than words" if letters < MIN_LETTER_SHARE * signs else ""


def _layout(facts: PageFacts) -> str:
    blocks = [block for block in facts.page.blocks if block.type in _TEXT_TYPES and block.text.strip()]
    beside = sum(_stands_beside(block, blocks) for block in blocks)
    if beside > MAX_SIDE_BY_SIDE_SHARE * len(blocks):
        return "text in several columns"
    short = sum(count_words(block.text) < MIN_BLOCK_WORDS for block in blocks)
    if len(blocks) >= MIN_BLOCKS and short > MAX_SHORT_BLOCK_SHARE * len(blocks):
        return "text in many pieces"
    return ""


def _stands_beside(block: Block, blocks: Sequence[Block]) -> bool:
    """Return whether another block is beside this one, to its left or right."""
    return any(
        min(block.box.bottom, other.box.bottom) - max(block.box.top, other.box.top)
        > 0.5 * min(block.box.height, other.box.height)
        and (other.box.x0 >= block.box.x1 or other.box.x1 <= block.box.x0)
        for other in blocks
    )


_OBJECTIONS: tuple[Objection, ...] = (_text_layer, _pictures, _tables, _maths, _words, _layout)
