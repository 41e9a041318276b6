"""Tables drawn with lines: grids of rulings -> table blocks, with the text in their cells."""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

import msgspec

from apps.pages.layout.rotated_pages import is_upright, parted
from apps.pages.layout.tables import rulings, table_titles, unruled_tables
from apps.pages.layout.tables.diagrams import Diagrams
from apps.pages.layout.tables.rulings import Grid, GridCell, Ruling
from apps.pages.layout.text.inline_spans import spans_of
from apps.pages.layout.text.lines import (
    box_around,
    joined,
    paragraph_text,
    rows_of,
    segment_of_runs,
    segments_of,
    split_at_gaps,
    words_of,
)
from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Band

# A grid with fewer written cells is a frame, a form field or a chart.
MIN_WRITTEN_CELLS = 2
MIN_WRITTEN_SHARE = 0.12
MAX_CELLS = 20_000
MAX_COLUMNS = 500
# A cell over at least this many columns may be a row without lines, if words are in this share of its columns.
MIN_OPEN_SPAN_COLUMNS = 4
MIN_OPEN_SHARE = 0.6
# A grid of one column with fewer rows is a frame around text.
MIN_ROWS_OF_ONE_COLUMN = 3
MAX_SINGLE_CELL_ROWS_SHARE = 0.75
# A step this much wider than the leading divides the text between two rulings in rows, ...
MIN_STRIP_STEP_RATIO = 1.3
MAX_LEADING_EMS = 1.7
# ... if this share of them has text in all columns.
MIN_FULL_STRIPS_SHARE = 0.6
HALF_TURN_DEGREES = 180.0
# This many lines of numbers in one cell are rows.
MIN_NUMBER_LINES = 3
MIN_NUMBER_LINES_SHARE = 0.8
_NUMBERS = re.compile(r"(?:[-–−+(<$€£]{0,2}\d[\d.,']*[%)*]{0,2}(?:\s+|$))+")


def ruled_tables(
    across: Sequence[Ruling], down: Sequence[Ruling], runs: Sequence[TextRun], drawn: Diagrams
) -> tuple[list[Block], list[TextRun]]:
    """Return the tables that lines on the page enclose, and the runs that are in none of them.

    Turned runs may be in the cells of a table, too.
    """
    tables: list[Block] = []
    left = list(runs)
    for grid in rulings.grids_of(across, down):
        if len(grid.grid_cells) < 2 or len(grid.grid_cells) > MAX_CELLS or len(grid.xs) > MAX_COLUMNS:
            continue
        grid = table_titles.without_title_and_notes(grid, _inside(grid.box, left))
        inside = _inside(grid.box, left)
        table = _table(grid, inside, across, down) if any(map(is_upright, inside)) else None
        if table is not None and not drawn.touch(table):
            tables.append(table)
            taken = set(map(id, inside))
            left = [run for run in left if id(run) not in taken]
    return tables, left


def _inside(box: Box, runs: Sequence[TextRun]) -> list[TextRun]:
    return [
        run
        for run in runs
        if box.x0 <= (run.x0 + run.x1) / 2 <= box.x1 and box.top <= (run.top + run.bottom) / 2 <= box.bottom
    ]


def _table(grid: Grid, runs: Sequence[TextRun], across: Sequence[Ruling], down: Sequence[Ruling]) -> Block | None:
    """Return the grid with these runs in its cells as a table; None if it is a frame, a form field or a chart."""
    upright, turned = parted(runs)
    grid = _opened(grid, upright)
    contents = _contents(grid, upright)
    written = sum(1 for content in contents if content)
    if written < MIN_WRITTEN_CELLS or written < MIN_WRITTEN_SHARE * len(contents):
        return None
    if _is_open(grid, contents):
        table = unruled_tables.aligned_table(Band(rows_of(segments_of(upright))), across, down=down)
        if table is not None and not turned:
            return table
    for content, in_cell in zip(contents, _contents(grid, turned), strict=True):
        content += in_cell
    is_column = len(grid.xs) == 2
    if is_column and written < MIN_ROWS_OF_ONE_COLUMN:
        return None  # a frame, perhaps with a title
    # Most rows are a single cell: lines of prose on coloured backgrounds.
    rows = Counter(grid_cell.row for grid_cell, content in zip(grid.grid_cells, contents, strict=True) if content)
    single = sum(1 for count in rows.values() if count == 1)
    if not is_column and len(rows) > 2 and single > MAX_SINGLE_CELL_ROWS_SHARE * len(rows):
        return None
    cells = [_cell(grid, grid_cell, content) for grid_cell, content in zip(grid.grid_cells, contents, strict=True)]
    box = Box(*(round(side, 2) for side in (grid.xs[0], grid.ys[0], grid.xs[-1], grid.ys[-1])))
    return Block(type=BlockType.TABLE, box=box, cells=merge_columns(without_empty_rows(cells)))


def _contents(grid: Grid, runs: Sequence[TextRun]) -> list[list[TextRun]]:
    """Return the runs in each cell of the grid."""
    owner = {
        (row, column): index
        for index, grid_cell in enumerate(grid.grid_cells)
        for row in range(grid_cell.row, grid_cell.row + grid_cell.row_span)
        for column in range(grid_cell.column, grid_cell.column + grid_cell.column_span)
    }
    contents: list[list[TextRun]] = [[] for _ in grid.grid_cells]
    for run in runs:
        row = _slot(grid.ys, (run.top + run.bottom) / 2)
        first, last = _slot(grid.xs, run.x0 + 1), _slot(grid.xs, run.x1 - 1)
        # A run that crosses the border of a cell is split into words.
        for piece in [run] if owner[row, first] == owner[row, last] else words_of(run):
            contents[owner[row, _slot(grid.xs, (piece.x0 + piece.x1) / 2)]].append(piece)
    return contents


def _lines_of(content: Sequence[TextRun]) -> list[list[TextRun]]:
    """Return the lines of a cell. Text that is turned to read downwards has its lines from the right."""
    lines = rows_of([run for run in content if is_upright(run)])
    for run in sorted(
        (run for run in content if not is_upright(run)),
        key=lambda run: (-run.x1, run.top) if run.angle < HALF_TURN_DEGREES else (run.x0, -run.bottom),
    ):
        last = lines[-1][-1] if lines else None
        if last is not None and not is_upright(last) and abs(last.x0 - run.x0) < 0.5 * run.size:
            lines[-1].append(run)
        else:
            lines.append([run])
    return lines


def _cell(grid: Grid, grid_cell: GridCell, content: Sequence[TextRun]) -> Cell:
    """Return a cell with its text and the box of its text; an empty cell has the box between its rulings."""
    row, column = grid_cell.row, grid_cell.column
    lines = _lines_of(content)
    if content:
        text = paragraph_text(
            [joined(line) if is_upright(line[0]) else " ".join(run.text.strip() for run in line) for line in lines]
        )
        box = union(Box(run.x0, run.top, run.x1, run.bottom) for run in content)
    else:
        text = ""
        box = Box(
            grid.xs[column], grid.ys[row], grid.xs[column + grid_cell.column_span], grid.ys[row + grid_cell.row_span]
        )
    sides = (round(side, 2) for side in (box.x0, box.top, box.x1, box.bottom))
    spans = spans_of(text, [run for line in lines for run in line])
    return Cell(row, column, text, grid_cell.row_span, grid_cell.column_span, box=Box(*sides), spans=spans)


def _steps(lines: Sequence[Sequence[TextRun]]) -> list[float]:
    return [below[0].bottom - above[0].bottom for above, below in itertools.pairwise(lines)]


def _opened(grid: Grid, runs: Sequence[TextRun]) -> Grid:
    """Return the grid with separate cells for rows that keep to its columns without lines drawn between them.

    The words of such a row are in most of the columns and cross no border.
    """
    grid_cells: list[GridCell] = []
    for grid_cell in grid.grid_cells:
        columns = set(range(grid_cell.column, grid_cell.column + grid_cell.column_span))
        if len(columns) < MIN_OPEN_SPAN_COLUMNS or grid_cell.row_span > 1:
            grid_cells.append(grid_cell)
            continue
        top, bottom = grid.ys[grid_cell.row], grid.ys[grid_cell.row + 1]
        inside = [run for run in runs if top <= (run.top + run.bottom) / 2 <= bottom]
        words = [word for run in inside for word in words_of(run)]
        slots = {_slot(grid.xs, word.x0 + 1) for word in words}
        crossing = any(_slot(grid.xs, word.x0 + 1) != _slot(grid.xs, word.x1 - 1) for word in words)
        if not crossing and len(slots & columns) >= MIN_OPEN_SHARE * len(columns):
            grid_cells += [GridCell(grid_cell.row, column, 1, 1) for column in sorted(columns)]
        else:
            grid_cells.append(grid_cell)
    return Grid(grid.xs, grid.ys, grid_cells)


def _is_open(grid: Grid, contents: Sequence[Sequence[TextRun]]) -> bool:
    """Return True if there are several rows between two rulings of the grid, at the same heights in its columns."""
    bands: dict[int, list[Sequence[TextRun]]] = {}
    for grid_cell, content in zip(grid.grid_cells, contents, strict=True):
        if content:
            bands.setdefault(grid_cell.row, []).append(content)
    return any(_holds_numbers(band) or _holds_strips(band) for band in bands.values())


def _holds_numbers(band: Sequence[Sequence[TextRun]]) -> bool:
    """Return True if a column has a number in most of many lines, and another column as many lines."""
    columns = [rows_of(content) for content in band if len(content) >= MIN_NUMBER_LINES]
    for lines in columns:
        if len(lines) < MIN_NUMBER_LINES:
            continue
        numbers = sum(1 for line in lines if _NUMBERS.fullmatch(split_at_gaps(segment_of_runs(line))[-1].text))
        if numbers < MIN_NUMBER_LINES_SHARE * len(lines):
            continue
        pieces = sum(1 for line in lines if len(split_at_gaps(segment_of_runs(line))) > 1)
        others = [
            other for other in columns if other is not lines and len(other) >= MIN_NUMBER_LINES_SHARE * len(lines)
        ]
        if others or pieces >= MIN_NUMBER_LINES_SHARE * len(lines):
            return True
    return False


def _holds_strips(band: Sequence[Sequence[TextRun]]) -> bool:
    """Return True if white strips across all columns divide the band in parts that have text in all of them."""
    if len(band) < 2 or max(map(len, band)) < MIN_NUMBER_LINES:
        return False
    lines = rows_of([run for content in band for run in content])
    steps = _steps(lines)
    # The lines of columns with other leadings are nearer to each other than those of one column.
    least = [min((step for step in _steps(rows_of(content)) if step > 0), default=0.0) for content in band]
    leading = max((step for step in least if step < MAX_LEADING_EMS * lines[0][0].size), default=0.0)
    bounds = [box_around(content) for content in band]
    full, parts = 0, 0
    for line, step in zip(lines, [math.inf, *steps], strict=True):
        if step > MIN_STRIP_STEP_RATIO * leading:
            parts += 1
            middles = [(run.x0 + run.x1) / 2 for run in line]
            full += all(any(box.x0 <= middle <= box.x1 for middle in middles) for box in bounds)
    return full >= 2 and full >= MIN_FULL_STRIPS_SHARE * parts


def _slot(places: Sequence[float], at: float) -> int:
    return max(0, min(len(places) - 2, bisect_right(places, at) - 1))


def without_empty_rows(cells: list[Cell]) -> tuple[Cell, ...]:
    """Return the cells without the rows and columns that have no text, and with the first row as header."""
    rows = sorted({cell.row for cell in cells if cell.text})
    columns = sorted({cell.column for cell in cells if cell.text})
    tidy = []
    for cell in cells:
        row, column = bisect_left(rows, cell.row), bisect_left(columns, cell.column)
        row_span = bisect_left(rows, cell.row + cell.row_span) - row
        column_span = bisect_left(columns, cell.column + cell.column_span) - column
        if not row_span or not column_span:
            continue
        tidy.append(Cell(row, column, cell.text, row_span, column_span, row == 0, cell.box, cell.spans))
    return tuple(tidy)


def merge_columns(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Merge neighbouring columns if no row has text on both sides of the border: the border frames a heading."""
    written: dict[int, dict[int, int]] = {}
    for index, cell in enumerate(cells):
        for column in range(cell.column, cell.column + cell.column_span if cell.text else cell.column):
            written.setdefault(column, {}).update(dict.fromkeys(range(cell.row, cell.row + cell.row_span), index))
    width = max((cell.column + cell.column_span for cell in cells), default=0)
    numbers = [0]
    together = dict(written.get(0, {}))
    for column in range(1, width):
        own = written.get(column, {})
        needed = any(together.get(row, index) != index for row, index in own.items())
        numbers.append(numbers[-1] + needed)
        together = dict(own) if needed else {**together, **own}
    return cells if numbers[-1] in (0, width - 1) else _renumbered(cells, numbers)


def _renumbered(cells: Sequence[Cell], numbers: Sequence[int]) -> tuple[Cell, ...]:
    """Return the cells with these column numbers; cells with text replace cells without text."""
    kept: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    for cell in sorted(cells, key=lambda cell: not cell.text):
        column, last = numbers[cell.column], numbers[cell.column + cell.column_span - 1]
        rows = range(cell.row, cell.row + cell.row_span)
        places = {(row, place) for row in rows for place in range(column, last + 1)}
        if not places & taken:
            kept.append(msgspec.structs.replace(cell, column=column, column_span=last - column + 1))
        else:
            kept += [Cell(row, place, header=cell.header) for row, place in sorted(places - taken)]
        taken |= places
    return tuple(sorted(kept, key=lambda cell: (cell.row, cell.column)))


def mirrored(table: Block) -> Block:
    """Return the table with its columns counted from the right, as on a right-to-left page."""
    width = max((cell.column + cell.column_span for cell in table.cells), default=0)
    cells = [
        msgspec.structs.replace(cell, column=width - cell.column - cell.column_span)
        for cell in sorted(table.cells, key=lambda cell: (cell.row, -cell.column))
    ]
    return msgspec.structs.replace(table, cells=tuple(cells))
