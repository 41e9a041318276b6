"""The header of a table: how many lines it has, and which columns each of its heads spans."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from apps.pages.layout.tables.rulings import Ruling
from apps.pages.layout.tables.table_columns import MAX_HEADER_LINES, reach
from apps.pages.layout.tables.table_rows import is_number
from apps.pages.model.segments import Gutters, Row, Segment

# The ruling under a header covers at least this share of the table's width.
MIN_HEADER_RULING_SHARE = 0.6
# It ends at most this far from the table's text.
MAX_SHORT_POINTS = 12.0
# A head is centred over its columns if its middle is off by less than this many points.
MAX_OFF_CENTRE_POINTS = 5.0


class Shape(msgspec.Struct, frozen=True, gc=False):
    """The evidence for the cells of a table: the gutters between its columns and the rulings in and around it."""

    gutters: Gutters
    across: Sequence[Ruling]
    down: Sequence[Ruling]


Spans = list[tuple[int, int, list[Segment]]]
"""First and last column, and the segments of each cell of a row."""


class HeadCell(msgspec.Struct, gc=False):
    """A head: the lines of the header and the columns that it takes, and its text."""

    top: int
    bottom: int
    first: int
    last: int
    parts: list[Segment]


def header_lines(lines: Sequence[Row], across: Sequence[Ruling]) -> int:
    """Return the number of lines above the first ruling across the table; 0 if there is none."""
    left, right = min(line[0].x0 for line in lines), max(line[-1].x1 for line in lines)
    for index, (above, below) in enumerate(itertools.pairwise(lines[: MAX_HEADER_LINES + 1]), 1):
        low, high = (above[0].top + above[0].bottom) / 2, (below[0].top + below[0].bottom) / 2
        drawn = [(line.low, line.high) for line in across if low < line.at < high]
        covered = sum(max(0.0, min(end, right) - max(start, left)) for start, end in drawn)
        # A ruling that leaves out the labels is drawn under heads of several columns.
        is_whole = bool(drawn) and min(drawn)[0] < left + MAX_SHORT_POINTS
        is_whole = is_whole and max(end for _, end in drawn) > right - MAX_SHORT_POINTS
        if is_whole and covered > MIN_HEADER_RULING_SHARE * (right - left):
            has_numbers = any(is_number(segment.text) for segment in lines[index - 1][1:])
            return 0 if has_numbers and index > 1 and len(lines) - index < index else index
    return 0


def lines_above_numbers(lines: Sequence[Row]) -> int:
    """Return the number of lines above the first row of numbers in a table that has mostly such rows, else 0."""
    left = min(line[0].x0 for line in lines)
    numeric = [
        len(line) > 1
        and line[0].x0 < left + 3 * line[0].size
        and 2 * sum(1 for segment in line[1:] if is_number(segment.text)) >= len(line) - 1
        for line in lines
    ]
    if sum(numeric) < max(3, 0.5 * len(lines)) or numeric[0]:
        return 0
    first = numeric.index(True)
    while first and len(lines[first - 1]) == 1:
        first -= 1
    return first if first <= MAX_HEADER_LINES else 0


def header_cells(lines: Sequence[Row], shape: Shape) -> list[HeadCell]:
    """Return the heads of a table: the lines of each together, and the lines of the header that it takes."""
    heads: list[HeadCell] = []
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else None
        spans = united([(*_head_reach(segment, line, below, shape), [segment]) for segment in line])
        for first, last, parts in spans:
            above = next((head for head in reversed(heads) if head.first <= last and first <= head.last), None)
            if above is not None and (above.first, above.last) == (first, last) and not _is_ruled(above, parts, shape):
                above.bottom = number
                above.parts += parts
            else:
                heads.append(HeadCell(number, number, first, last, parts))
    return _without_empty_lines(_stretched(heads, len(lines)))


def _is_ruled(above: HeadCell, parts: Sequence[Segment], shape: Shape) -> bool:
    """Return True if a ruling, no mere underline, is drawn between a head and the text below it."""
    low = max((part.top + part.bottom) / 2 for part in above.parts)
    high = min((part.top + part.bottom) / 2 for part in parts)
    left, right = min(part.x0 for part in above.parts), max(part.x1 for part in above.parts)
    return any(
        low < ruling.at < high
        and ruling.low < (left + right) / 2 < ruling.high
        and not (left - 2 <= ruling.low and ruling.high <= right + 2)
        for ruling in shape.across
    )


def _stretched(heads: list[HeadCell], lines: int) -> list[HeadCell]:
    """Let each head take the empty places above and below it."""
    taken = {
        (line, column)
        for head in heads
        for line in range(head.top, head.bottom + 1)
        for column in range(head.first, head.last + 1)
    }
    for head in heads:
        if head.first != head.last:
            continue
        while head.top > 0 and (head.top - 1, head.first) not in taken:
            head.top -= 1
            taken.add((head.top, head.first))
        while head.bottom + 1 < lines and (head.bottom + 1, head.first) not in taken:
            head.bottom += 1
            taken.add((head.bottom, head.first))
    return heads


def _without_empty_lines(heads: list[HeadCell]) -> list[HeadCell]:
    """Number the lines of the heads anew, without those at which no head begins."""
    begun = sorted({head.top for head in heads})
    for head in heads:
        head.bottom = bisect_right(begun, head.bottom) - 1
        head.top = begun.index(head.top)
    return heads


def united(spans: Spans) -> Spans:
    """Return cells with those that share a column united."""
    result: Spans = []
    for first, last, parts in spans:
        for span in [span for span in result if span[0] <= last and first <= span[1]]:
            result.remove(span)
            first, last, parts = min(first, span[0]), max(last, span[1]), span[2] + parts
        result.append((first, last, parts))
    return sorted(result, key=lambda span: span[0])


def _head_reach(segment: Segment, line: Row, below: Row | None, shape: Shape) -> tuple[int, int]:
    """Return the columns of a head: those between vertical rulings beside it, those over the partial ruling under it,
    or those that it is centred over.
    """
    gutters = shape.gutters
    first, last = reach(segment, gutters)
    if below is None:
        return first, last
    middle, bottom = (segment.x0 + segment.x1) / 2, (segment.top + segment.bottom) / 2
    beside = [ruling.at for ruling in shape.down if ruling.low - 1 < bottom < ruling.high]
    if beside:
        low = max((at for at in beside if at <= middle), default=-math.inf)
        high = min((at for at in beside if at > middle), default=math.inf)
        if math.isfinite(low) or math.isfinite(high):
            return _between(low, high, (first, last), line, segment, gutters)
    lower = (below[0].top + below[0].bottom) / 2
    for rule in shape.across:
        if bottom < rule.at < lower and rule.low - 2 <= middle <= rule.high + 2:
            return _between(rule.low, rule.high, (first, last), line, segment, gutters)
    return _centred_over(segment, line, below, gutters, (first, last))


def _between(
    low: float, high: float, own: tuple[int, int], line: Row, segment: Segment, gutters: Gutters
) -> tuple[int, int]:
    """Return the columns between two places, or ``own`` if another head is there too."""
    if any(other is not segment and low <= (other.x0 + other.x1) / 2 <= high for other in line):
        return own
    first, last = reach(Segment("", low + 2, 0, high - 2, 0, segment.size), gutters)
    return min(first, own[0]), max(last, own[1])


def _centred_over(segment: Segment, line: Row, below: Row, gutters: Gutters, own: tuple[int, int]) -> tuple[int, int]:
    """Return the columns around ``own`` whose heads in the next line ``segment`` is centred over.

    The columns nearest to a head are its own. It may be centred over a part of them, but not over the middle one of
    three: then it may belong to that alone.
    """
    middles = [(other.x0 + other.x1) / 2 for other in line]
    middle = (segment.x0 + segment.x1) / 2
    heads = {}
    for other in below:
        at = (other.x0 + other.x1) / 2
        if min(middles, key=lambda place: abs(place - at)) == middle:
            heads[reach(other, gutters)[0]] = other
    nearest = [column for column in sorted(heads) if column or own == (0, 0)]
    if len(nearest) < 2:
        return own
    edges = [-math.inf, *(edge for gutter in gutters for edge in gutter), math.inf]
    overflows = segment.x0 < edges[2 * own[0]] - 1 or segment.x1 > edges[2 * own[1] + 1] + 1
    under = heads.get(own[0])
    if under is not None and not overflows and abs(under.x0 + under.x1 - 2 * middle) < MAX_OFF_CENTRE_POINTS:
        return own
    best = own
    for first, last in itertools.combinations(nearest, 2):
        is_unbroken = last - first + 1 == sum(1 for column in nearest if first <= column <= last)
        is_clear = (
            (last - first) % 2 == 1 or overflows or (len(line) > 1 and (first, last) == (nearest[0], nearest[-1]))
        )
        if not is_unbroken or not is_clear or first > own[1] or last < own[0]:
            continue
        centre = (heads[first].x0 + heads[last].x1) / 2
        if abs(centre - middle) < MAX_OFF_CENTRE_POINTS and last - first > best[1] - best[0]:
            best = min(first, own[0]), max(last, own[1])
    return best
