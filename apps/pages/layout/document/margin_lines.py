"""The margins of one page: lines set apart at its top and bottom, and the rules that separate them from the text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from apps.pages.layout import rotated_pages
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage
from apps.pages.model.segments import Row

# Rows this near to the edge of the page, as a share of its height, may be running lines ...
MAX_EDGE_SHARE = 0.095
MAX_MARGIN_ROWS = 3
# ... when the white space to the text exceeds this many of their heights and the spaces inside the text.
MIN_SPACE_HEIGHTS = 1.0
MIN_SPACE_GROWTH = 1.3
# Larger letters, relative to most of the text, are headings.
MAX_SIZE_RATIO = 1.15
# Separators are this wide, and in these shares of the page height.
MIN_SEPARATOR_POINTS = 36.0
MAX_SEPARATOR_HEIGHT_POINTS = 3.0
MAX_SEPARATORS = 12
# Rows that are compared at each end of the page.
_LOOKED_AT = 8
_TOP_SHARE, _BOTTOM_SHARE = 0.2, 0.4


def margin_rows(rows: Sequence[Row], height: float) -> tuple[int, int]:
    """Return how many rows at the top and at the bottom are apart from the text and have parts side by side.

    Their parts, such as a title and a page number, are no columns and no table.
    """
    top = _apart([(*_edges(row), row) for row in rows[:_LOOKED_AT]], height)
    below = rows[max(top, len(rows) - _LOOKED_AT) :]
    edges = [(*_edges(row), row) for row in reversed(below)]
    return top, _apart([(height - far, height - near, row) for near, far, row in edges], height)


def _edges(row: Row) -> tuple[float, float]:
    return min(segment.top for segment in row), max(segment.bottom for segment in row)


def _apart(rows: Sequence[tuple[float, float, Row]], height: float) -> int:
    """Return the number of margin rows among ``rows``: each with the distances of its edges from that of the page."""
    found = 0
    spaces = [inner[0] - outer[1] for outer, inner in itertools.pairwise(rows)]
    for index, space in enumerate(spaces[:MAX_MARGIN_ROWS]):
        near, far, row = rows[index]
        if far > MAX_EDGE_SHARE * height or any(segment.block for segment in row):
            break
        inside = sorted(spaces[index + 1 :])
        usual = inside[len(inside) // 2] if inside else 0.0
        if space >= MIN_SPACE_HEIGHTS * (far - near) and space > MIN_SPACE_GROWTH * usual:
            found = index + 1
    parts = [segment for _near, _far, row in rows[:found] for segment in row if len(row) > 1]
    sizes = sorted(segment.size for _near, _far, row in rows[found:] for segment in row if segment.block is None)
    usual_size = sizes[len(sizes) // 2] if sizes else 0.0
    return found if parts and max(segment.size for segment in parts) <= MAX_SIZE_RATIO * usual_size else 0


def with_separators(page: Page, raw: RawPage) -> Page:
    """Return a page with the horizontal lines near its top and in its lower part that belong to no table.

    ``raw``: the page turned upright.
    """
    found = _separators(raw, rotated_pages.upright_page(page).blocks)
    if not found:
        return page
    boxes = [rotated_pages.box_laid_back(box, page.rotation, page.width, page.height) for box in found]
    rounded = (Box(*(round(edge, 1) for edge in msgspec.structs.astuple(box))) for box in boxes)
    return msgspec.structs.replace(page, separators=tuple(rounded))


def _separators(raw: RawPage, blocks: Sequence[Block]) -> list[Box]:
    upper, lower = _TOP_SHARE * raw.height, (1 - _BOTTOM_SHARE) * raw.height
    found = [
        rule
        for rule in raw.rulings
        if rule.x1 - rule.x0 >= MIN_SEPARATOR_POINTS
        and rule.bottom - rule.top <= MAX_SEPARATOR_HEIGHT_POINTS
        and (rule.bottom < upper or rule.top > lower)
    ]
    if not found:
        return []
    tables = [block.box for block in blocks if block.type is BlockType.TABLE]
    found = [rule for rule in found if not any(table.contains(rule, slack=4.0) for table in tables)]
    if len(found) > MAX_SEPARATORS:  # a drawing
        return []
    return found
