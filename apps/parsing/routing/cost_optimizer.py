"""The cost optimizer: pages that need no agent, because their text layer and layout leave little to find out.

Judged by the page that extraction made, before any model is asked. A page is easy when each question below says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.parsing.routing.page_facts import PageFacts, count_words

# Pictures and charts are what an agent looks at: one of this share of the page is looked at, logos are not.
LARGE_PICTURE = 0.05
MOST_PICTURES = 4
MOST_WORDS = 1_500
MOST_COLUMNS_OF_A_TABLE, MOST_ROWS_OF_A_TABLE = 8, 60
EMPTY_CELLS = 0.34
"""A table with a larger share of empty cells has spans or headers that were not understood."""
MOST_SIGNS_OF_MATHS = 8
# Text in many columns, or in pieces all over the page, is a form, a slide or a drawing.
MOST_SIDE_BY_SIDE = 0.5
SHORT_PIECE, SHORT_PIECES = 5, 0.6
"""Words of a piece, and the share of such pieces."""
FEW_PIECES = 12
LEAST_LETTERS = 0.45
MOST_RIGHT_TO_LEFT = 0.3
_MATHS = re.compile("[\u2200-\u22ff\u2a00-\u2aff\u27c0-\u27ef\u03d5\U0001d400-\U0001d7ff=\u00b1\u00d7]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_LETTER = re.compile(r"[^\W\d_]")
_TEXT_TYPES = (BlockType.HEADING, BlockType.PARAGRAPH, BlockType.LIST_ITEM)

Objection = Callable[[PageFacts], str]


def is_easy(page: Page) -> tuple[bool, str]:
    """Whether the page goes to balanced mode in a job of agentic mode, and why, or why not."""
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
    if any(share > LARGE_PICTURE for share in shares):
        return "a large picture"
    return "many pictures" if len(shares) > MOST_PICTURES else ""


def _tables(facts: PageFacts) -> str:
    for block in facts.page.blocks:
        if block.type is BlockType.TABLE and not _is_simple(block):
            return "a table that is not simple"
    return ""


def _is_simple(table: Block) -> bool:
    """No spans, of a usual size, and hardly an empty cell."""
    rows = 1 + max((cell.row for cell in table.cells), default=0)
    columns = 1 + max((cell.column for cell in table.cells), default=0)
    filled = sum(bool(cell.text.strip()) for cell in table.cells)
    return (
        all(cell.row_span == 1 and cell.column_span == 1 for cell in table.cells)
        and rows <= MOST_ROWS_OF_A_TABLE
        and columns <= MOST_COLUMNS_OF_A_TABLE
        and filled >= (1 - EMPTY_CELLS) * rows * columns
    )


def _maths(facts: PageFacts) -> str:
    return "formulas" if len(_MATHS.findall(facts.text)) > MOST_SIGNS_OF_MATHS else ""


def _words(facts: PageFacts) -> str:
    if facts.words > MOST_WORDS:
        return "an unusual amount of text"
    letters = len(_LETTER.findall(facts.text))
    signs = len("".join(facts.text.split()))
    if len(_RIGHT_TO_LEFT.findall(facts.text)) > MOST_RIGHT_TO_LEFT * signs:
        return "text that runs to the left"
    return "more numbers and signs than words" if letters < LEAST_LETTERS * signs else ""


def _layout(facts: PageFacts) -> str:
    blocks = [block for block in facts.page.blocks if block.type in _TEXT_TYPES and block.text.strip()]
    beside = sum(_stands_beside(block, blocks) for block in blocks)
    if beside > MOST_SIDE_BY_SIDE * len(blocks):
        return "text in several columns"
    short = sum(count_words(block.text) < SHORT_PIECE for block in blocks)
    if len(blocks) >= FEW_PIECES and short > SHORT_PIECES * len(blocks):
        return "text in many pieces"
    return ""


def _stands_beside(block: Block, blocks: Sequence[Block]) -> bool:
    """Whether another block has the same height on the page and another place across."""
    return any(
        min(block.box.bottom, other.box.bottom) - max(block.box.top, other.box.top)
        > 0.5 * min(block.box.height, other.box.height)
        and (other.box.x0 >= block.box.x1 or other.box.x1 <= block.box.x0)
        for other in blocks
    )


_OBJECTIONS: tuple[Objection, ...] = (_text_layer, _pictures, _tables, _maths, _words, _layout)
