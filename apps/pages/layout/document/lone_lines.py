"""Running lines that are known by their place and look alone, as those of the only page of a document."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.pages.layout.document.page_counters import is_lone_counter, is_page_phrase
from apps.pages.layout.document.page_margins import compared_text, edge_distance, margin_of, space_to
from apps.pages.model.blocks import Block, Page

# Letters below this share of the size of the body are small type.
SMALL_TYPE = 0.93
# A line with a sign (small type, a rule, a page counter) is a running line if it is this near to the edge, as a share
# of the height of the page.
EDGE_SHARE = 0.065
# It is this far from the text, in heights of the line.
MIN_SPACE_HEIGHTS = 1.4
# A short line this near to the lower edge, and this far from the text, is a footer in letters of any size, ...
FOOT_SHARE, MIN_FOOT_SPACE_HEIGHTS = 0.04, 3.0
# ... and a line in small type this near to an edge, where browsers and printers write, is a running line of any length.
PRINT_EDGE_SHARE, MIN_PRINT_SPACE_HEIGHTS = 0.03, 0.6
MAX_LETTERS, MAX_LETTERS_OF_SHORT = 120, 80
# A line has a part at the left, in the middle and at the right; more are the cells of a row.
MAX_PARTS = 3
_ADDRESS = re.compile(
    r"https?://|www\.|\bdoi\b|\b10\.\d{4,}/|©|\(c\) ?\d{4}|\S+@\S+\.\w|\w\.(?:org|com|net|edu|gov)\b", re.I
)


def is_small(block: Block, body_size: float) -> bool:
    return 0 < block.lines[0].size <= SMALL_TYPE * body_size


def is_large(block: Block, body_size: float) -> bool:
    return block.lines[0].size > 1.15 * body_size


def stands_alone(
    page: Page,
    block: Block,
    zone: str,
    body: Sequence[Block],
    *,
    body_size: float,
    has_sign: bool,
    few_numbers: bool,
) -> bool:
    """Return True if a line of a margin is a running line by its place and look alone.

    ``body``: the blocks of the page outside the margins. ``has_sign``: small type, a rule or a page counter sets it
    apart. ``few_numbers``: the document has one or two lone numbers in this margin; more are values.
    """
    text = compared_text(block)
    row = [b for b in page.blocks if abs(b.box.middle - block.box.middle) <= 3.0 and margin_of(page, b) == zone]
    if any(b.box.bottom <= block.box.top if zone == "header" else b.box.top >= block.box.bottom for b in body):
        return False
    if len(row) > MAX_PARTS:
        return False
    if is_lone_counter(text):
        return few_numbers and block.lines[0].size <= 1.3 * max(body_size, 1.0)
    if is_page_phrase(text):
        return True
    if is_large(block, body_size):
        return False
    space = space_to(body, block) / block.lines[0].box.height
    if few_numbers and space >= MIN_SPACE_HEIGHTS and _is_beside_number(block, zone, row):
        return True
    return _is_far_out(page, block, zone, space, small=is_small(block, body_size), has_sign=has_sign)


def _is_beside_number(block: Block, zone: str, row: Sequence[Block]) -> bool:
    """Return True if a short line is on one line with a page number.

    At the head of a page a number alone may be that of an invoice.
    """
    text = compared_text(block)
    if len(text) > MAX_LETTERS_OF_SHORT or text.endswith(":") or (zone == "footer" and starts_like_note(text)):
        return False
    others = [compared_text(other) for other in row if other is not block]
    return any(
        is_page_phrase(number) or (zone == "footer" and number.isalnum() and is_lone_counter(number))
        for number in others
    )


def _is_far_out(page: Page, block: Block, zone: str, space: float, *, small: bool, has_sign: bool) -> bool:
    """Return True if a line, ``space`` heights from the text, is near enough to the edge of the page for its look."""
    edge, text = edge_distance(zone, page, block) / page.height, compared_text(block)
    if edge <= PRINT_EDGE_SHARE and small:
        return space >= MIN_PRINT_SPACE_HEIGHTS
    if len(block.lines) > 2 or space < MIN_SPACE_HEIGHTS or (zone == "footer" and starts_like_note(text)):
        return False
    has_address = _ADDRESS.search(text) is not None
    is_long = len(text) > MAX_LETTERS and (len(block.lines) > 1 or not small)
    if is_long or (text.endswith(".") and text.count(" ") > 7):
        # Long text is a citation of the article itself if it is small, at the very foot, and has an address.
        return has_address and zone == "footer" and edge <= EDGE_SHARE and small
    is_foot = zone == "footer" and edge <= FOOT_SHARE and len(text) <= MAX_LETTERS_OF_SHORT
    return (is_foot and space >= MIN_FOOT_SPACE_HEIGHTS) or (has_sign and (edge <= EDGE_SHARE or has_address))


def starts_like_note(text: str) -> bool:
    """Return True if a text begins as footnotes do, with a number or sign."""
    return re.match(r"(?:\d{1,3}\)?\.?|[*†‡§¶‖#a-z]\)?)\s*(?=\S)", text) is not None and not re.match(r"[a-z]{2}", text)
