"""The margins of a page, where running headers and footers are."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.blocks import Block, Page
from apps.pages.model.text import scripts

# Running headers and footers are in this share of the page height, at the top and the bottom.
MARGIN_SHARE = 0.12
# On a page printed smaller than its paper, whose margins are empty, they are in this share.
INNER_MARGIN_SHARE = 0.22
MAX_RUNNING_LINES = 3
MAX_COMPARED_CHARACTERS = 400


def margin_of(page: Page, block: Block) -> str:
    """Return "header" or "footer" if the block is in that margin, "" elsewhere."""
    is_header = block.box.bottom <= MARGIN_SHARE * page.height
    if not is_header and block.box.top < (1 - MARGIN_SHARE) * page.height:
        return ""
    if not block.lines or len(block.lines) > MAX_RUNNING_LINES or is_turned(block):
        return ""
    return "header" if is_header else "footer"


def is_in_margin(page: Page, block: Block) -> bool:
    """Return True if a block, such as a logo, is in the margin at the top or bottom of the page."""
    return block.box.bottom <= MARGIN_SHARE * page.height or block.box.top >= (1 - MARGIN_SHARE) * page.height


def has_inner_margins(page: Page) -> bool:
    """Return True if nothing is in the margins of a page, as if it were printed smaller than its paper."""
    top, bottom = MARGIN_SHARE * page.height, (1 - MARGIN_SHARE) * page.height
    return all(block.box.bottom > top and block.box.top < bottom for block in page.blocks)


def inner_margin_of(page: Page, block: Block) -> str:
    """Return "header" or "footer" if the block is in that margin of the printed area, "" elsewhere."""
    if not block.lines or len(block.lines) > MAX_RUNNING_LINES or is_turned(block):
        return ""
    if block.box.bottom <= INNER_MARGIN_SHARE * page.height:
        return "header"
    return "footer" if block.box.top >= (1 - INNER_MARGIN_SHARE) * page.height else ""


def is_turned(block: Block) -> bool:
    """Return True for turned text, such as stamps and watermarks: its lines are much higher than its letters.

    A column of Chinese or Japanese is not turned.
    """
    if not block.lines:
        return False
    line = block.lines[0]
    if line.size <= 0 or line.box.bottom - line.box.top <= 2.5 * line.size:
        return False
    return not (scripts.is_unspaced(line.text[:1] or " ") and line.box.width < 1.6 * line.size)


def size_of(block: Block) -> float:
    """Return the size of a block's letters, to half a point."""
    return round(block.lines[0].size * 2) / 2


def edge_distance(zone: str, page: Page, block: Block) -> float:
    """Return the distance from the edge of the page that a header or footer is near."""
    return block.box.top if zone == "header" else page.height - block.box.bottom


def space_to(body: Sequence[Block], block: Block) -> float:
    """Return the white space between a line of a margin and the nearest block of the text."""
    box = block.box
    return min((max(other.box.top - box.bottom, box.top - other.box.bottom) for other in body), default=1000.0)


def has_separator(page: Page, block: Block, zone: str) -> bool:
    """Return True if a ruling is between a line of the margin and the text."""
    box = block.box
    return any(
        (box.bottom - 2 <= rule.top <= box.bottom + 14 if zone == "header" else box.top - 14 <= rule.top <= box.top + 2)
        and rule.x0 < box.x1
        and rule.x1 > box.x0
        for rule in page.separators
    )


def block_text(block: Block) -> str:
    return f"{block.marker} {block.text}" if block.marker else block.text


def compared_text(block: Block) -> str:
    """Return the lines of a block, one below the other, as far as they are compared."""
    text = block.lines[0].text if len(block.lines) == 1 else "\n".join([line.text for line in block.lines])
    return text[:MAX_COMPARED_CHARACTERS]
