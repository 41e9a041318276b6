"""Tables without lines around their cells: rows of segments that keep the same gutters free."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from apps.pages.layout.columns import gaps_of
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
# With fewer of its cells written, a grid of numbers is the scale of a chart.
MIN_WRITTEN_SHARE = 0.35
MAX_HEADER_ROWS = 3
MIN_BODY_ROWS = 3
# A line under a row covers at least this share of the table's width.
MIN_RULING_SHARE = 0.3
_NUMBER = re.compile(r"[(\[]?[-–−+<>≤≥~$€£¥]{0,2}\s?\d[\d.,' ]*\s?[%‰*†]?[)\]]?")


def aligned_table(band: Band, across: Sequence[Ruling], *, rtl: bool = False) -> Block | None:
    """The rows of a grid band as a table; None when they are no table after all."""
    rows = [[piece for segment in row for piece in split_at_gaps(segment)] for row in band.rows]
    gutters = _gutters(rows)
    if not gutters or len(gutters) >= MAX_COLUMNS:
        return None
    groups = _grouped(rows, gutters, across, rtl)
    if not _convincing(groups, len(gutters) + 1):
        return None
    cells = [cell for number, group in enumerate(groups) for cell in _row_cells(number, group, gutters)]
    if sum(1 for cell in cells if cell.text) < MIN_WRITTEN_SHARE * len(cells):
        return None
    segments = [segment for row in rows for segment in row]
    return Block(type=BlockType.TABLE, box=_box(segments), cells=tuple(cells))


def _gutters(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """The gutters of the table; the first rows may be headings that stand over several columns."""
    best = gaps_of(rows, MIN_GUTTER_POINTS)
    for heads in range(1, min(MAX_HEADER_ROWS, len(rows) - MIN_BODY_ROWS) + 1):
        found = gaps_of(rows[heads:], MIN_GUTTER_POINTS)
        if len(found) > len(best):
            best = found
    return best


def _row_cells(number: int, group: Sequence[Row], gutters: Sequence[tuple[float, float]]) -> list[Cell]:
    """The cells of one table row, from the left, those without text too."""
    spans: list[tuple[int, int, list[Segment]]] = []
    for segment in (segment for row in group for segment in row):
        first, last, parts = *_reach(segment, gutters), [segment]
        for span in [span for span in spans if span[0] <= last and first <= span[1]]:
            spans.remove(span)
            first, last, parts = min(first, span[0]), max(last, span[1]), span[2] + parts
        spans.append((first, last, parts))
    taken = {column for first, last, _ in spans for column in range(first, last + 1)}
    spans += [(column, column, []) for column in range(len(gutters) + 1) if column not in taken]
    return [_cell(number, first, last, parts) for first, last, parts in sorted(spans, key=lambda span: span[0])]


def _reach(segment: Segment, gutters: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """The first and the last column over which a segment stands."""
    first = sum(1 for gutter in gutters if segment.x0 >= gutter[0] + 0.1)
    return first, max(first, sum(1 for gutter in gutters if segment.x1 > gutter[1] - 0.1))


def _grouped(
    rows: Sequence[Row], gutters: Sequence[tuple[float, float]], across: Sequence[Ruling], rtl: bool
) -> list[list[Row]]:
    """The printed lines of each table row together."""
    steps = [below[0].bottom - above[0].bottom for above, below in itertools.pairwise(rows)]
    narrowest = min((step for step in steps if step > 0.6 * rows[0][0].size), default=0.0)
    uneven = any(step > MIN_ROW_STEP_RATIO * narrowest for step in steps) and any(
        step <= MIN_ROW_STEP_RATIO * narrowest for step in steps
    )
    ruled = [_rule_between(above, below, across, rows) for above, below in itertools.pairwise(rows)]
    rules_decide = sum(ruled) >= 2
    left, right = gutters[0][0] + MIN_GUTTER_POINTS, gutters[-1][1] - MIN_GUTTER_POINTS
    groups: list[list[Row]] = [[rows[0]]]
    for row, step, rule in zip(rows[1:], steps, ruled, strict=True):
        starts = row[-1].x0 >= right if rtl else row[0].x1 <= left
        apart = not rules_decide and (step > MIN_ROW_STEP_RATIO * narrowest if uneven else starts)
        if rule or apart or _repeats(groups[-1][-1], row, gutters):
            groups.append([row])
        else:
            groups[-1].append(row)
    return groups


def _repeats(above: Row, row: Row, gutters: Sequence[tuple[float, float]]) -> bool:
    """Whether a column has a number in both lines: a number never goes on in the next line, so each is a row."""
    upper, lower = _columns([above], gutters), _columns([row], gutters)
    return any(one and two and _is_number(one) and _is_number(two) for one, two in zip(upper, lower, strict=True))


def _is_number(parts: Sequence[Segment]) -> bool:
    return all(_NUMBER.fullmatch(part.text) for part in parts)


def _rule_between(above: Row, below: Row, across: Sequence[Ruling], rows: Sequence[Row]) -> bool:
    low, high = (above[0].top + above[0].bottom) / 2, (below[0].top + below[0].bottom) / 2
    left, right = min(row[0].x0 for row in rows), max(row[-1].x1 for row in rows)
    return any(
        low < line.at < high and min(line.high, right) - max(line.low, left) > MIN_RULING_SHARE * (right - left)
        for line in across
    )


def _columns(group: Sequence[Row], gutters: Sequence[tuple[float, float]]) -> list[list[Segment]]:
    columns: list[list[Segment]] = [[] for _ in range(len(gutters) + 1)]
    for row in group:
        for segment in row:
            columns[_reach(segment, gutters)[0]].append(segment)
    return columns


def _convincing(groups: Sequence[Sequence[Row]], width: int) -> bool:
    if len(groups) < (MIN_ROWS_OF_TWO_COLUMNS if width == 2 else 2):
        return False
    paired = sum(1 for group in groups if sum(len(row) for row in group) > 1 and max(len(row) for row in group) > 1)
    return paired >= MIN_PAIRED_SHARE * len(groups)


def _cell(row: int, column: int, last_column: int, parts: Sequence[Segment]) -> Cell:
    if not parts:
        return Cell(row=row, column=column, header=row == 0)
    lines: list[str] = []
    last: Segment | None = None
    for part in parts:
        if last is not None and abs(part.bottom - last.bottom) < 0.3 * part.size:
            lines[-1] += " " + part.text
        else:
            lines.append(part.text)
        last = part
    span = last_column - column + 1
    return Cell(row, column, paragraph_text(lines), column_span=span, header=row == 0, box=_box(parts))


def _box(parts: Sequence[Segment]) -> Box:
    return Box(
        round(min(part.x0 for part in parts), 2),
        round(min(part.top for part in parts), 2),
        round(max(part.x1 for part in parts), 2),
        round(max(part.bottom for part in parts), 2),
    )
