"""Quotations: paragraphs that are set in from both margins of the text around them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.model.blocks import Block, BlockType, Source

# A quotation has at least this many lines; fewer do not show where its right margin is.
MIN_LINES = 3
# It is set in by at least this much on both sides, and its lines begin at one place but for the first.
MIN_INDENT_EMS = 1.2
MAX_EDGE_SHIFT_EMS = 0.3
# A formula that is set apart has fewer letters among its signs.
MIN_LETTER_SHARE = 0.75
_MARGINS = (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER, BlockType.FOOTNOTE)
_TEXTS = (BlockType.PARAGRAPH, BlockType.HEADING, BlockType.LIST_ITEM)


def with_quotes(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks of a page; a paragraph that is set in on both sides of the text beside it has the level 1.

    Wider text is above it or below it. Where the page ends, or a heading, an item or a short line at the margin
    follows, the other side is enough.
    """
    result = list(blocks)
    body = [index for index, block in enumerate(blocks) if block.type not in _MARGINS]
    for before, index, after in zip([None, *body], body, [*body[1:], None], strict=False):
        block = blocks[index]
        if not _is_text(block, MIN_LINES) or has_caption_label(block.text):
            continue
        size = block.lines[0].size
        edges = [line.box.x0 for line in block.lines[1:]]
        above, below = (None if beside is None else blocks[beside] for beside in (before, after))
        follows = (above is None or above.box.bottom <= block.box.top + size) and (
            below is None or block.box.bottom <= below.box.top + size
        )
        if not follows or max(edges) - min(edges) > MAX_EDGE_SHIFT_EMS * size:
            continue
        indent = MIN_INDENT_EMS * size
        left, right = block.box.x0 - indent, block.box.x1 + indent
        texts = [other for other in (above, below) if other is not None and other.type in _TEXTS]
        at_margin = [other for other in texts if other.box.x0 <= left]
        is_wider = any(_is_text(other, 2) and other.box.x1 >= right for other in at_margin)
        if is_wider and len(at_margin) == 2 - (above, below).count(None):
            result[index] = msgspec.structs.replace(block, level=1)
    return result


def _is_text(block: Block, min_lines: int) -> bool:
    is_paragraph = block.type is BlockType.PARAGRAPH and block.source is not Source.MODEL
    letters, signs = sum(map(str.isalpha, block.text)), len(block.text) - block.text.count(" ")
    return is_paragraph and len(block.lines) >= min_lines and letters >= MIN_LETTER_SHARE * signs
