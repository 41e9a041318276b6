"""Quotations: paragraphs that are set in from both margins of the text around them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType, Source

# A quotation has at least this many lines; fewer do not show where its right margin is.
MIN_LINES = 3
# It is set in by at least this much on both sides, and its lines begin at one place but for the first.
MIN_INDENT_EMS = 1.2
MAX_EDGE_SHIFT_EMS = 0.3
# A formula that is set apart has fewer letters among its signs.
MIN_LETTER_SHARE = 0.75


def with_quotes(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks of a page; a paragraph between two wider ones that is set in on both sides has the level 1."""
    result = list(blocks)
    for index in range(1, len(result) - 1):
        above, block, below = blocks[index - 1 : index + 2]
        if _is_text(block, MIN_LINES) and _is_set_in(block, above) and _is_set_in(block, below):
            size = block.lines[0].size
            edges = [line.box.x0 for line in block.lines[1:]]
            follows = above.box.bottom <= block.box.top + size and block.box.bottom <= below.box.top + size
            if follows and max(edges) - min(edges) <= MAX_EDGE_SHIFT_EMS * size:
                result[index] = msgspec.structs.replace(block, level=1)
    return result


def _is_text(block: Block, min_lines: int) -> bool:
    is_paragraph = block.type is BlockType.PARAGRAPH and block.source is not Source.MODEL
    letters, signs = sum(map(str.isalpha, block.text)), len(block.text) - block.text.count(" ")
    return is_paragraph and len(block.lines) >= min_lines and letters >= MIN_LETTER_SHARE * signs


def _is_set_in(block: Block, other: Block) -> bool:
    """Return True if ``other`` is text and reaches beyond a block on both sides."""
    indent = MIN_INDENT_EMS * block.lines[0].size
    return _is_text(other, 2) and other.box.x0 <= block.box.x0 - indent and other.box.x1 >= block.box.x1 + indent
