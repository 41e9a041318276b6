"""The margins of a page, where running headers and footers are."""

from __future__ import annotations

from apps.pages.model.blocks import Block, Page
from apps.pages.model.text import scripts

# Running headers and footers are in this share of the page height, at the top and the bottom.
MARGIN_SHARE = 0.12
# On a page printed smaller than its paper, whose margins are empty, they are in this share.
INNER_MARGIN_SHARE = 0.22
MAX_RUNNING_LINES = 3


def margin_of(page: Page, block: Block) -> str:
    """Return "header" or "footer" if the block is in that margin, "" elsewhere."""
    is_header = block.box.bottom <= MARGIN_SHARE * page.height
    if not is_header and block.box.top < (1 - MARGIN_SHARE) * page.height:
        return ""
    if not block.lines or len(block.lines) > MAX_RUNNING_LINES or is_turned(block):
        return ""
    return "header" if is_header else "footer"


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
