"""The header of a table: how many lines it has, and which columns each of its heads spans."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from apps.pages.layout.rulings import Ruling
from apps.pages.layout.table_columns import MAX_HEADER_LINES, reach
from apps.pages.layout.table_rows import is_number
from apps.pages.model.blocks import Cell
from apps.pages.model.segments import Gutters, Row, Segment

# The ruling under a header covers at least this share of the table's width.
MIN_HEADER_RULING_SHARE = 0.6
# A head is centred over its columns if its middle is off by less than this many points.
MAX_OFF_CENTRE_POINTS = 5.0

Spans = list[tuple[int, int, list[Segment]]]
"""First and last column, and the segments of each cell of a row."""


def header_lines(lines: Sequence[Row], across: Sequence[Ruling]) -> int:
    """Return the number of lines above the first ruling across the table; 0 if there is none."""
    left, right = min(line[0].x0 for line in lines), max(line[-1].x1 for line in lines)
    for index, (above, below) in enumerate(itertools.pairwise(lines[: MAX_HEADER_LINES + 1]), 1):
        low, high = (above[0].top + above[0].bottom) / 2, (below[0].top + below[0].bottom) / 2
        drawn = [(line.low, line.high) for line in across if low < line.at < high]
        covered = sum(max(0.0, min(end, right) - max(start, left)) for start, end in drawn)
        if covered > MIN_HEADER_RULING_SHARE * (right - left):
            has_numbers = any(is_number(segment.text) for segment in lines[index - 1][1:])
            return 0 if has_numbers and index > 1 and len(lines) - index < index else index
    return 0


def header_rows(lines: Sequence[Row], gutters: Gutters, across: Sequence[Ruling]) -> list[Spans]:
    """Return the rows of a header as cells; a line with a head over several columns is a row of its own."""
    rows: list[Spans] = []
    is_open = False  # the last row takes the next line
    for index, line in enumerate(lines):
        below = lines[index + 1] if index + 1 < len(lines) else None
        spans = [(*_head_reach(segment, line, below, gutters, across), [segment]) for segment in line]
        is_spanning = any(last > first for first, last, _ in spans)
        if is_open and not is_spanning:
            rows[-1] = united(rows[-1] + spans)
        else:
            rows.append(united(spans))
        is_open = not is_spanning
    return rows


def united(spans: Spans) -> Spans:
    """Return cells with those that share a column united."""
    result: Spans = []
    for first, last, parts in spans:
        for span in [span for span in result if span[0] <= last and first <= span[1]]:
            result.remove(span)
            first, last, parts = min(first, span[0]), max(last, span[1]), span[2] + parts
        result.append((first, last, parts))
    return sorted(result, key=lambda span: span[0])


def _head_reach(
    segment: Segment, line: Row, below: Row | None, gutters: Gutters, across: Sequence[Ruling]
) -> tuple[int, int]:
    """Return the columns of a head: those over the partial ruling under it, or those that it is centred over."""
    first, last = reach(segment, gutters)
    if below is None:
        return first, last
    middle, bottom = (segment.x0 + segment.x1) / 2, (segment.top + segment.bottom) / 2
    for rule in across:
        over = bottom < rule.at < (below[0].top + below[0].bottom) / 2 and rule.low - 2 <= middle <= rule.high + 2
        if over and not any(
            other is not segment and rule.low <= (other.x0 + other.x1) / 2 <= rule.high for other in line
        ):
            ends = Segment("", rule.low + 2, 0, rule.high - 2, 0, segment.size)
            low, high = reach(ends, gutters)
            return min(first, low), max(last, high)
    edges = [line[0].x0 - 1000.0, *((left + right) / 2 for left, right in gutters), line[-1].x1 + 1000.0]
    if first == last and edges[first] + 2 <= segment.x0 and segment.x1 <= edges[first + 1] - 2:
        own = [other for other in below if reach(other, gutters) == (first, first)]
        if (
            not own
            or abs((own[0].x0 + own[-1].x1) / 2 - middle) < 2 * MAX_OFF_CENTRE_POINTS
            or own[0].x0 - 2 <= segment.x0 <= own[0].x0 + 2
        ):
            return first, last
    return _centred_over(segment, line, below, gutters, (first, last))


def _centred_over(segment: Segment, line: Row, below: Row, gutters: Gutters, own: tuple[int, int]) -> tuple[int, int]:
    """Return the widest range of columns around ``own`` whose heads in the next line ``segment`` is centred over."""
    taken = {
        column
        for other in line
        if other is not segment
        for column in range(reach(other, gutters)[0], reach(other, gutters)[1] + 1)
    }
    heads = {reach(other, gutters)[0]: other for other in below}
    middle = (segment.x0 + segment.x1) / 2
    best = own
    for first in range(own[0], -1, -1):
        if first in taken or first not in heads:
            break
        for last in range(own[1], len(gutters) + 1):
            if last in taken or last not in heads:
                break
            centre = (heads[first].x0 + heads[last].x1) / 2
            if abs(centre - middle) < MAX_OFF_CENTRE_POINTS and last - first > best[1] - best[0]:
                best = first, last
    return best


def with_row_spans(cells: Sequence[Cell], rows: int, width: int) -> list[Cell]:
    """Return the header's cells with each head that is alone in its column spanning the empty cells above and below."""
    kept = [cell for cell in cells if cell.text or cell.column_span > 1]
    taken = {
        (row, column)
        for cell in kept
        for row in range(cell.row, cell.row + cell.row_span)
        for column in range(cell.column, cell.column + cell.column_span)
    }
    result = []
    for cell in kept:
        top, bottom = cell.row, cell.row
        if cell.column_span == 1:
            while top > 0 and (top - 1, cell.column) not in taken:
                top -= 1
            while bottom + 1 < rows and (bottom + 1, cell.column) not in taken:
                bottom += 1
            taken |= {(row, cell.column) for row in range(top, bottom + 1)}
        result.append(msgspec.structs.replace(cell, row=top, row_span=bottom - top + 1))
    empty = [(row, column) for row in range(rows) for column in range(width) if (row, column) not in taken]
    result += [Cell(row, column, header=True) for row, column in empty]
    return sorted(result, key=lambda cell: (cell.row, cell.column))
