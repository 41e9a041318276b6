"""Tables without lines around their cells: rows of segments that keep the same gutters free."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from apps.pages.layout.regions import flows
from apps.pages.layout.tables import table_columns, table_headers, table_rows
from apps.pages.layout.tables.rulings import Ruling
from apps.pages.layout.tables.table_headers import HeadCell, Shape, Spans
from apps.pages.layout.text.inline_spans import spans_of
from apps.pages.layout.text.lines import box_around, paragraph_text
from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.segments import Band, Row, Segment

# A table of two columns looks like many other things, so it has to have this many rows.
MIN_ROWS_OF_TWO_COLUMNS = 3
MIN_PAIRED_SHARE = 0.5
# Two grids are one if the step between them is at most this many line heights.
MAX_JOIN_STEP_RATIO = 1.6
# Rows below a grid with text in this many of its columns belong to it if they are about as far apart as its own.
MIN_JOINED_COLUMNS = 3
MAX_STEP_RATIO = 1.1
MAX_COLUMNS = 500
MIN_CONTENTS_LINES = 3
_PAGE_NUMBER = re.compile(r"[0-9]{1,4}")
# A grid of numbers with a smaller share of written cells is the scale of a chart.
MIN_WRITTEN_SHARE = 0.35


def aligned_table(
    band: Band, across: Sequence[Ruling], *, rtl: bool = False, down: Sequence[Ruling] = ()
) -> Block | None:
    """Return the rows of a grid band as a table; None if they do not form a table.

    ``across`` and ``down``: the rulings in and around it.
    """
    if any(segment.block is not None for row in band.rows for segment in row):
        return None
    borders = table_columns.borders_of(band.rows, down)
    lines = table_columns.table_lines(band.rows, borders)
    heads = table_headers.header_lines(lines, across) or table_headers.lines_above_numbers(lines)
    heads = heads or int(bool(table_columns.gutters_of_numbers(lines)))
    gutters = table_columns.with_borders(table_columns.gutters_of(lines, heads), borders)
    if not gutters or len(gutters) >= MAX_COLUMNS or (len(gutters) == 1 and _is_contents(lines)):
        return None
    if len(gutters) == 1 and not borders and flows.are_columns_beside(lines, gutters[0][1]):
        return None
    lines = table_columns.split_at_gutters(lines, gutters)
    shape = table_headers.Shape(gutters, across, down)
    head, body = _header_and_body(lines, heads, shape, rtl)
    count = 1 + len(body)
    if count < (MIN_ROWS_OF_TWO_COLUMNS if len(gutters) == 1 else 2):
        return None
    if (len(head) > 1) + sum(1 for row in body if len(row) > 1) < MIN_PAIRED_SHARE * count:
        return None
    cells = _cells(head, body, len(gutters) + 1)
    if sum(1 for cell in cells if cell.text) < MIN_WRITTEN_SHARE * len(cells):
        return None
    return Block(type=BlockType.TABLE, box=box_around([segment for line in lines for segment in line]), cells=cells)


def _is_contents(lines: Sequence[Row]) -> bool:
    """Return True for titles with page numbers that never fall, from the first line on."""
    numbers = [line[-1].text for line in lines if len(line) > 1]
    if len(numbers) < MIN_CONTENTS_LINES or not all(map(_PAGE_NUMBER.fullmatch, numbers)):
        return False
    return all(int(above) <= int(below) for above, below in itertools.pairwise(numbers))


def joined_grids(bands: Sequence[Band]) -> list[Band]:
    """Return the bands with grids that follow each other in one column without a space between them joined.

    A wide cell narrows a gutter, and so divides a table in two grids; rows that leave other cells empty do too, and
    too few of them are no grid.
    """
    result: list[Band] = []
    for band in bands:
        last = result[-1] if result else None
        if last is None or not last.is_grid or not band.continues:
            result.append(band)
            continue
        if band.is_grid and _touches(last, band):
            count = len(band.rows)
        else:
            count = _rows_in_columns(last, band)
            if band.is_grid and count < len(band.rows):
                count = 0
        if count:
            result[-1] = Band([*last.rows, *band.rows[:count]], is_grid=True, continues=last.continues)
        if count < len(band.rows):
            result.append(Band(band.rows[count:], is_grid=band.is_grid) if count else band)
    return result


def _touches(above: Band, below: Band) -> bool:
    last, first = above.rows[-1][0], below.rows[0][0]
    is_near = 0 <= first.bottom - last.bottom < MAX_JOIN_STEP_RATIO * (last.bottom - last.top)
    left = max(band.rows[0][0].x0 for band in (above, below))
    right = min(max(row[-1].x1 for row in band.rows) for band in (above, below))
    return is_near and abs(last.size - first.size) < 0.15 * last.size and left < right


def _rows_in_columns(above: Band, below: Band) -> int:
    """Return how many rows of a band keep to the columns of the grid above it, no further apart than its rows."""
    if any(segment.block is not None for row in above.rows for segment in row):
        return 0
    steps = [row[0].bottom - before[0].bottom for before, row in itertools.pairwise(above.rows)]
    widest = MAX_STEP_RATIO * max(steps, default=0.0)
    if below.rows[0][0].bottom - above.rows[-1][0].bottom > widest:
        return 0
    lines = table_columns.table_lines(above.rows)
    gutters = table_columns.gutters_of(lines, table_headers.lines_above_numbers(lines))
    if len(gutters) + 1 < MIN_JOINED_COLUMNS:
        return 0
    size, last = above.rows[-1][0].size, above.rows[-1][0].bottom
    begins = 0
    for count, row in enumerate(below.rows):
        is_foreign = any(part.block is not None or abs(part.size - size) > 0.15 * size for part in row)
        if is_foreign or row[0].bottom - last > widest:
            return count
        [line] = table_columns.split_at_gutters(table_columns.table_lines([row]), gutters)
        places = [table_columns.reach(part, gutters) for part in line]
        written = {first for first, _ in places}
        if any(first < end for first, end in places) or (len(row) > 1 and len(written) < MIN_JOINED_COLUMNS):
            return count
        if not count and len(written) < 2:
            return 0
        begins += len(written) > 1
        last = row[0].bottom
    return len(below.rows) if begins else 0


def _header_and_body(lines: Sequence[Row], heads: int, shape: Shape, rtl: bool) -> tuple[list[HeadCell], list[Spans]]:
    """Return the heads and the rows of the body.

    Without a sign of a header it is the first row, and the second if the first has heads over several columns.
    """
    gutters = shape.gutters
    groups = table_rows.grouped(lines[heads:], gutters, shape.across, rtl=rtl)
    head = list(lines[:heads])
    if not head:
        head += groups.pop(0)
        found = table_headers.header_cells([*head, *(groups[0][:1] if groups else [])], shape)
        if len(groups) > 1 and any(cell.last > cell.first for cell in found if cell.top == 0):
            head += groups.pop(0)
    body: list[Spans] = []
    for group in groups:
        segments = [segment for line in group for segment in line]
        if all(table_columns.is_note(line, gutters, rtl=rtl) for line in group):
            body.append([(0, len(gutters), segments)])
        else:
            spans = [(*table_columns.reach(segment, gutters), [segment]) for segment in segments]
            body.append(table_headers.united(spans))
    return table_headers.header_cells(head, shape), body


def _cells(heads: Sequence[HeadCell], body: Sequence[Spans], width: int) -> tuple[Cell, ...]:
    """Return the cells of all rows, including those without text."""
    count = 1 + max(head.bottom for head in heads)
    cells = [
        _cell(head.top, head.first, head.parts, (head.bottom - head.top + 1, head.last - head.first + 1), header=True)
        for head in heads
    ]
    taken = {
        (row, column)
        for head in heads
        for row in range(head.top, head.bottom + 1)
        for column in range(head.first, head.last + 1)
    }
    places = [(row, column) for row in range(count) for column in range(width)]
    cells += [Cell(row, column, header=True) for row, column in places if (row, column) not in taken]
    cells.sort(key=lambda cell: (cell.row, cell.column))
    for number, spans in enumerate(body, count):
        written = {column for first, last, _ in spans for column in range(first, last + 1)}
        row = [Cell(number, column) for column in range(width) if column not in written]
        row += [_cell(number, first, parts, (1, last - first + 1)) for first, last, parts in spans]
        cells += sorted(row, key=lambda cell: cell.column)
    return tuple(cells)


def _cell(row: int, column: int, parts: Sequence[Segment], spans: tuple[int, int], *, header: bool = False) -> Cell:
    """Return a cell with its text and the box of its text; ``spans``: its number of rows and of columns."""
    text = paragraph_text(_lines_of(parts))
    marked = spans_of(text, [run for part in parts for run in part.runs or ()])
    return Cell(row, column, text, *spans, header, box_around(parts), marked)


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
