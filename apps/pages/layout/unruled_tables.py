"""Tables without lines around their cells: rows of segments that keep the same gutters free."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from apps.pages.layout.columns import gaps_of
from apps.pages.layout.inline_spans import spans_of
from apps.pages.layout.lines import paragraph_text, split_at_gaps
from apps.pages.layout.rulings import Ruling
from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box
from apps.pages.model.segments import Band, Row, Segment

# A step to the next line this much wider than the narrowest is a step to the next row.
MIN_ROW_STEP_RATIO = 1.3
# A table of two columns looks like many other things, so it has to have this many rows.
MIN_ROWS_OF_TWO_COLUMNS = 3
MIN_PAIRED_SHARE = 0.5
MIN_GUTTER_POINTS = 3.5
MAX_COLUMNS = 500
# A grid of numbers with a smaller share of written cells is the scale of a chart.
MIN_WRITTEN_SHARE = 0.35
MAX_HEADER_ROWS = 3
MIN_BODY_ROWS = 3
# A line under a row covers at least this share of the table's width.
MIN_RULING_SHARE = 0.3
_NUMBER = re.compile(r"[(\[]?[-–−+<>≤≥~$€£¥]{0,2}\s?\d[\d.,' ]*\s?[%‰*†]?[)\]]?")


def aligned_table(band: Band, across: Sequence[Ruling], *, rtl: bool = False) -> Block | None:
    """Return the rows of a grid band as a table; None if they do not form a table."""
    rows = [[piece for segment in row for piece in split_at_gaps(segment)] for row in band.rows]
    gutters = gaps_of(rows, MIN_GUTTER_POINTS)
    # The first rows may be headings over several columns.
    for heads in range(1, min(MAX_HEADER_ROWS, len(rows) - MIN_BODY_ROWS) + 1):
        found = gaps_of(rows[heads:], MIN_GUTTER_POINTS)
        if len(found) > len(gutters):
            gutters = found
    if not gutters or len(gutters) >= MAX_COLUMNS:
        return None
    groups = _grouped(rows, gutters, across, rtl)
    if len(groups) < (MIN_ROWS_OF_TWO_COLUMNS if len(gutters) == 1 else 2):
        return None
    paired = sum(1 for group in groups if max(len(row) for row in group) > 1)
    if paired < MIN_PAIRED_SHARE * len(groups):
        return None
    cells = [cell for number, group in enumerate(groups) for cell in _row_cells(number, group, gutters)]
    if sum(1 for cell in cells if cell.text) < MIN_WRITTEN_SHARE * len(cells):
        return None
    segments = [segment for row in rows for segment in row]
    return Block(type=BlockType.TABLE, box=_box(segments), cells=tuple(cells))


def _row_cells(number: int, group: Sequence[Row], gutters: Sequence[tuple[float, float]]) -> list[Cell]:
    """Return the cells of one table row, from the left, including those without text."""
    spans: list[tuple[int, int, list[Segment]]] = []
    for segment in (segment for row in group for segment in row):
        first, last, parts = *_reach(segment, gutters), [segment]
        for span in [span for span in spans if span[0] <= last and first <= span[1]]:
            spans.remove(span)
            first, last, parts = min(first, span[0]), max(last, span[1]), span[2] + parts
        spans.append((first, last, parts))
    written = {column for first, last, _ in spans for column in range(first, last + 1)}
    empty = [column for column in range(len(gutters) + 1) if column not in written]
    cells = [Cell(number, column, header=number == 0) for column in empty]
    for first, last, parts in spans:
        lines = [parts[0].text]
        for previous, part in itertools.pairwise(parts):
            if abs(part.bottom - previous.bottom) < 0.3 * part.size:
                lines[-1] += " " + part.text
            else:
                lines.append(part.text)
        width, text = last - first + 1, paragraph_text(lines)
        marked = spans_of(text, [run for part in parts for run in part.runs or ()])
        cells.append(Cell(number, first, text, 1, width, number == 0, _box(parts), marked))
    return sorted(cells, key=lambda cell: cell.column)


def _reach(segment: Segment, gutters: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """Return the first and the last column that a segment covers."""
    first = sum(1 for gutter in gutters if segment.x0 >= gutter[0] + 0.1)
    return first, max(first, sum(1 for gutter in gutters if segment.x1 > gutter[1] - 0.1))


def _grouped(
    rows: Sequence[Row], gutters: Sequence[tuple[float, float]], across: Sequence[Ruling], rtl: bool
) -> list[list[Row]]:
    """Return the printed lines of each table row together."""
    steps = [below[0].bottom - above[0].bottom for above, below in itertools.pairwise(rows)]
    narrowest = min((step for step in steps if step > 0.6 * rows[0][0].size), default=0.0)
    wide = [step > MIN_ROW_STEP_RATIO * narrowest for step in steps]
    left, right = min(row[0].x0 for row in rows), max(row[-1].x1 for row in rows)
    ruled = []
    for above, below in itertools.pairwise(rows):
        low, high = (above[0].top + above[0].bottom) / 2, (below[0].top + below[0].bottom) / 2
        lines = [line for line in across if low < line.at < high]
        shared = [min(line.high, right) - max(line.low, left) for line in lines]
        ruled.append(any(width > MIN_RULING_SHARE * (right - left) for width in shared))
    rulings_decide = sum(ruled) >= 2
    steps_decide = any(wide) and not all(wide)
    first_column, last_column = gutters[0][0] + MIN_GUTTER_POINTS, gutters[-1][1] - MIN_GUTTER_POINTS
    groups: list[list[Row]] = [[rows[0]]]
    for row, is_wide, is_ruled in zip(rows[1:], wide, ruled, strict=True):
        starts = row[-1].x0 >= last_column if rtl else row[0].x1 <= first_column
        is_apart = not rulings_decide and (is_wide if steps_decide else starts)
        if is_ruled or is_apart or _repeats(groups[-1][-1], row, gutters):
            groups.append([row])
        else:
            groups[-1].append(row)
    return groups


def _repeats(above: Row, row: Row, gutters: Sequence[tuple[float, float]]) -> bool:
    """Return True if a column has numbers in both lines: a number never continues on the next line."""
    upper, lower = _columns(above, gutters), _columns(row, gutters)
    return any(
        one and two and all(_NUMBER.fullmatch(part.text) for part in one + two)
        for one, two in zip(upper, lower, strict=True)
    )


def _columns(row: Row, gutters: Sequence[tuple[float, float]]) -> list[list[Segment]]:
    columns: list[list[Segment]] = [[] for _ in range(len(gutters) + 1)]
    for segment in row:
        columns[_reach(segment, gutters)[0]].append(segment)
    return columns


def _box(parts: Sequence[Segment]) -> Box:
    return Box(
        round(min(part.x0 for part in parts), 2),
        round(min(part.top for part in parts), 2),
        round(max(part.x1 for part in parts), 2),
        round(max(part.bottom for part in parts), 2),
    )
