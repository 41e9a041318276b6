"""Tables without lines around their cells: rows of segments that keep the same gutters free."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.layout import table_columns, table_headers, table_rows
from apps.pages.layout.inline_spans import spans_of
from apps.pages.layout.lines import paragraph_text
from apps.pages.layout.rulings import Ruling
from apps.pages.layout.table_headers import Spans
from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box
from apps.pages.model.segments import Band, Gutters, Row, Segment

# A table of two columns looks like many other things, so it has to have this many rows.
MIN_ROWS_OF_TWO_COLUMNS = 3
MIN_PAIRED_SHARE = 0.5
MAX_COLUMNS = 500
# A grid of numbers with a smaller share of written cells is the scale of a chart.
MIN_WRITTEN_SHARE = 0.35


def aligned_table(band: Band, across: Sequence[Ruling], *, rtl: bool = False) -> Block | None:
    """Return the rows of a grid band as a table; None if they do not form a table."""
    lines = table_columns.table_lines(band.rows)
    heads = table_headers.header_lines(lines, across)
    gutters = table_columns.gutters_of(lines, heads)
    if not gutters or len(gutters) >= MAX_COLUMNS:
        return None
    head, body = _header_and_body(lines, heads, gutters, across, rtl)
    rows = head + body
    if len(rows) < (MIN_ROWS_OF_TWO_COLUMNS if len(gutters) == 1 else 2):
        return None
    if sum(1 for row in rows if len(row) > 1) < MIN_PAIRED_SHARE * len(rows):
        return None
    cells = _cells(head, body, len(gutters) + 1)
    if sum(1 for cell in cells if cell.text) < MIN_WRITTEN_SHARE * len(cells):
        return None
    return Block(type=BlockType.TABLE, box=_box([segment for line in lines for segment in line]), cells=cells)


def _header_and_body(
    lines: Sequence[Row], heads: int, gutters: Gutters, across: Sequence[Ruling], rtl: bool
) -> tuple[list[Spans], list[Spans]]:
    """Return the rows of the header and those of the body.

    Without a ruling the header is the first row, and the second if the first has heads over several columns.
    """
    groups = table_rows.grouped(lines[heads:], gutters, across, rtl=rtl)
    head = list(lines[:heads])
    while groups and not head:
        head += groups.pop(0)
        below = groups[0][:1] if groups else []
        spans = table_headers.header_rows([*head, *below], gutters, across)
        if len(groups) > 1 and any(last > first for first, last, _ in spans[0]):
            head += groups.pop(0)
    return table_headers.header_rows(head, gutters, across), [_body_row(group, gutters, rtl) for group in groups]


def _body_row(group: Sequence[Row], gutters: Gutters, rtl: bool) -> Spans:
    if all(table_columns.is_note(line, gutters, rtl=rtl) for line in group):
        return [(0, len(gutters), [segment for line in group for segment in line])]
    return table_headers.united(
        [(*table_columns.reach(segment, gutters), [segment]) for line in group for segment in line]
    )


def _cells(head: Sequence[Spans], body: Sequence[Spans], width: int) -> tuple[Cell, ...]:
    """Return the cells of all rows, including those without text."""
    heads = [cell for number, spans in enumerate(head) for cell in _row_cells(number, spans, width, header=True)]
    cells = table_headers.with_row_spans(heads, len(head), width) if len(head) > 1 else heads
    for number, spans in enumerate(body, len(head)):
        cells += _row_cells(number, spans, width, header=False)
    return tuple(cells)


def _row_cells(number: int, spans: Spans, width: int, *, header: bool) -> list[Cell]:
    """Return the cells of one row, from the left."""
    written = {column for first, last, _ in spans for column in range(first, last + 1)}
    cells = [Cell(number, column, header=header) for column in range(width) if column not in written]
    for first, last, parts in spans:
        text = paragraph_text(_lines_of(parts))
        marked = spans_of(text, [run for part in parts for run in part.runs or ()])
        cells.append(Cell(number, first, text, 1, last - first + 1, header, _box(parts), marked))
    return sorted(cells, key=lambda cell: cell.column)


def _lines_of(parts: Sequence[Segment]) -> list[str]:
    """Return the texts of a cell's segments, those on one baseline joined."""
    ordered = sorted(parts, key=lambda part: part.bottom)
    lines = [ordered[0].text]
    for previous, part in itertools.pairwise(ordered):
        if abs(part.bottom - previous.bottom) < 0.3 * part.size:
            lines[-1] += " " + part.text
        else:
            lines.append(part.text)
    return lines


def _box(parts: Sequence[Segment]) -> Box:
    return Box(
        round(min(part.x0 for part in parts), 2),
        round(min(part.top for part in parts), 2),
        round(max(part.x1 for part in parts), 2),
        round(max(part.bottom for part in parts), 2),
    )
