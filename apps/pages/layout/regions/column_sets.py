"""Sets of columns one below the other: where one ends and the next begins."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.layout.regions import flows
from apps.pages.layout.regions.sides import has_columns, sides_of
from apps.pages.model.segments import Segment
from apps.pages.model.text import list_markers

# White space across the page, in line heights, above columns that begin again at the same height.
MIN_SPACE_BETWEEN_SETS = 1.5
# The same below tables that end both columns above.
MIN_SPACE_BELOW_TABLES = 2.0
# At most this many lines before the end of a column are looked at for the last row of a table.
MAX_CELLS = 8
# White space between two lines of a paragraph is less, in line heights.
MAX_LINE_SPACE = 0.5
# Size of a headline between two sets of columns, relative to the text.
MIN_HEADLINE_SIZE_RATIO = 1.15


def first_set(
    segments: Sequence[Segment],
    gaps: Sequence[tuple[int, float]],
    bounds: tuple[int, int],
    x: float,
    line_height: float,
    *,
    rtl: bool,
) -> tuple[int, int]:
    """Return the bounds of the first set of columns beside a gutter at ``x``, without other columns above."""
    start, end = bounds
    before = start
    # Lines that are close to the line that crosses the gutter belong to what is above.
    continues = start > 0 and segments[start].top - segments[start - 1].bottom < MAX_LINE_SPACE * line_height
    crossing = [(min(s.top for s in segments[at:end]) - space, space) for at, space in gaps if at < end]
    inner = max((_widest_inner_space(side, crossing) for side in sides_of(segments[start:end], x)), default=0.0)
    for at, space in gaps:
        if start < at < end and space > inner and _begins_set(segments, (start, at, end), x, space, line_height):
            if continues and _is_under_headline(segments[at:end]):
                start = at  # above is the end of columns that other gutters part
            elif has_columns(segments[start:at], x, line_height):
                if _counts_down(segments[start:at], segments[at:end], x, rtl=rtl):
                    continue
                return start, before if before > start and is_headline(segments[before:at], segments[at:end]) else at
            elif not any(s.x0 < x if rtl else s.x0 >= x for s in segments[start:at]):
                start = at  # the same without a headline
            continues = False
        before = at
    return start, end


def _widest_inner_space(column: Sequence[Segment], crossing: Sequence[tuple[float, float]]) -> float:
    """Return the widest white space inside a column, apart from those that cross the page.

    ``crossing``: where these begin, and their heights. A space that both columns have by chance is not the widest.
    """
    widest, bottom = 0.0, column[0].bottom if column else 0.0
    for segment in column:
        space = segment.top - bottom
        if space > widest and not any(top < segment.top and top + height > bottom for top, height in crossing):
            widest = space
        bottom = max(bottom, segment.bottom)
    return widest


def _counts_down(above: Sequence[Segment], below: Sequence[Segment], x: float, *, rtl: bool) -> bool:
    """Return True if the numbered lines of the first column go on below: 1 over 2, beside 3 over 4."""
    before, after = (
        [marker for s in sides_of(part, x)[rtl] if list_markers.is_ordered(marker := list_markers.split(s.text)[0])]
        for part in (above, below)
    )
    return bool(before and after) and list_markers.follows(before[-1], after[0])


def is_headline(lines: Sequence[Segment], below: Sequence[Segment]) -> bool:
    """Return True for a single line in letters that are larger than those of the text below."""
    return len(lines) == 1 and bool(lines[0].text) and lines[0].size > MIN_HEADLINE_SIZE_RATIO * flows.usual_size(below)


def _begins_set(
    segments: Sequence[Segment], bounds: tuple[int, int, int], x: float, space: float, line_height: float
) -> bool:
    """Return True if columns begin again: under a headline, or both at one height after wide white space.

    ``bounds``: where the columns above begin, those below, and the end. ``space``: the height of that between them.
    """
    start, at, end = bounds
    left, right = sides_of(segments[at:end], x)
    if not left or not right:
        return False
    if _is_under_headline(segments[at:end]):
        return has_columns(segments[at + 1 : end], x, line_height)
    at_one_height = abs(left[0].top - right[0].top) < 0.3 * line_height
    # Space is around tables too, so two that end at one height end no columns.
    are_tables = all(map(_ends_in_table, sides_of(segments[start:at], x)))
    least = MIN_SPACE_BELOW_TABLES if are_tables else MIN_SPACE_BETWEEN_SETS
    return at_one_height and space >= least * line_height


def _ends_in_table(column: Sequence[Segment]) -> bool:
    """Return True if the last line of a column is that of a table, with or without rulings."""
    row = [s for s in column[-MAX_CELLS:] if abs(s.bottom - column[-1].bottom) < 1.0]
    return len(row) > 1 or any(s.block is not None and bool(s.block.cells) for s in row)


def _is_under_headline(segments: Sequence[Segment]) -> bool:
    """Return True if the first line is a headline with nothing beside it."""
    return is_headline(segments[:1], segments) and all(s.top >= segments[0].bottom for s in segments[1:])
