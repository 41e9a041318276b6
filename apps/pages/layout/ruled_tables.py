"""Tables drawn with lines: grids of rulings -> table blocks, with the text that stands in their cells."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import msgspec

from apps.pages.layout import rulings
from apps.pages.layout.lines import joined, paragraph_text, rows_of, words_of
from apps.pages.layout.rulings import Grid, GridCell, Ruling
from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import TextRun

# A grid with fewer written cells is a frame, a form field or a chart.
MIN_WRITTEN_CELLS = 2
MIN_WRITTEN_SHARE = 0.12
MAX_CELLS = 5_000
MAX_COLUMNS = 500
# A cell over at least so many columns may be a row without lines, when words stand in this share of its columns.
MIN_OPEN_SPAN_COLUMNS = 4
MIN_OPEN_SHARE = 0.6
MAX_SINGLE_CELL_ROWS_SHARE = 0.75
# So many lines of numbers in one cell are rows.
MIN_NUMBER_LINES = 3
MIN_NUMBER_LINES_SHARE = 0.8
_NUMBERS = re.compile(r"(?:[-–−+(<$€£]{0,2}\d[\d.,']*[%)*]{0,2}(?:\s+|$))+")


def ruled_tables(
    across: Sequence[Ruling], down: Sequence[Ruling], runs: Sequence[TextRun]
) -> tuple[list[Block], list[TextRun]]:
    """The tables that lines on the page enclose, and the runs that stand in none of them."""
    tables: list[Block] = []
    left = list(runs)
    for grid in rulings.grids_of(across, down):
        if len(grid.grid_cells) < 2 or len(grid.grid_cells) > MAX_CELLS or len(grid.xs) > MAX_COLUMNS:
            continue
        inside = [run for run in left if _is_inside(run, grid.box)]
        table = _table(grid, inside) if inside else None
        if table is not None:
            tables.append(table)
            taken = set(map(id, inside))
            left = [run for run in left if id(run) not in taken]
    return tables, left


def _is_inside(run: TextRun, box: Box) -> bool:
    x, y = (run.x0 + run.x1) / 2, (run.top + run.bottom) / 2
    return box.x0 <= x <= box.x1 and box.top <= y <= box.bottom


def _table(grid: Grid, runs: Sequence[TextRun]) -> Block | None:
    grid = _opened(grid, runs)
    owner = {
        (row, column): index
        for index, grid_cell in enumerate(grid.grid_cells)
        for row in range(grid_cell.row, grid_cell.row + grid_cell.row_span)
        for column in range(grid_cell.column, grid_cell.column + grid_cell.column_span)
    }
    contents: list[list[TextRun]] = [[] for _ in grid.grid_cells]
    for run in runs:
        row = _slot(grid.ys, (run.top + run.bottom) / 2)
        for piece in _pieces(run, grid, owner, row):
            contents[owner[row, _slot(grid.xs, (piece.x0 + piece.x1) / 2)]].append(piece)
    written = sum(1 for content in contents if content)
    if written < MIN_WRITTEN_CELLS or written < MIN_WRITTEN_SHARE * len(contents):
        return None
    if len(grid.xs) == 2 or any(_holds_rows(content) for content in contents) or _is_one_column(grid, contents):
        return None
    cells = [_cell(grid, index, content) for index, content in enumerate(contents)]
    return Block(type=BlockType.TABLE, box=_rounded(grid.box), cells=_without_needless_borders(_tidied(cells)))


def _is_one_column(grid: Grid, contents: Sequence[Sequence[TextRun]]) -> bool:
    """Whether most rows are one cell: lines of prose on coloured grounds."""
    rows = Counter(grid_cell.row for grid_cell, content in zip(grid.grid_cells, contents, strict=True) if content)
    single = sum(1 for count in rows.values() if count == 1)
    return len(rows) > 2 and single > MAX_SINGLE_CELL_ROWS_SHARE * len(rows)


def _opened(grid: Grid, runs: Sequence[TextRun]) -> Grid:
    """The grid with cells for rows that keep to its columns though no lines are drawn between them."""
    if all(grid_cell.column_span < MIN_OPEN_SPAN_COLUMNS for grid_cell in grid.grid_cells):
        return grid
    grid_cells: list[GridCell] = []
    for grid_cell in grid.grid_cells:
        columns = range(grid_cell.column, grid_cell.column + grid_cell.column_span)
        if (
            len(columns) >= MIN_OPEN_SPAN_COLUMNS
            and grid_cell.row_span == 1
            and _keeps_to(columns, grid_cell.row, grid, runs)
        ):
            grid_cells += [GridCell(grid_cell.row, column, 1, 1) for column in columns]
        else:
            grid_cells.append(grid_cell)
    return Grid(grid.xs, grid.ys, grid_cells)


def _keeps_to(columns: range, row: int, grid: Grid, runs: Sequence[TextRun]) -> bool:
    """Whether the words of a row stand in most of these columns and cross no border of them."""
    inside = [run for run in runs if grid.ys[row] <= (run.top + run.bottom) / 2 <= grid.ys[row + 1]]
    words = [word for run in inside for word in words_of(run)]
    slots = {_slot(grid.xs, word.x0 + 1) for word in words}
    crossing = any(_slot(grid.xs, word.x0 + 1) != _slot(grid.xs, word.x1 - 1) for word in words)
    return not crossing and len(slots & set(columns)) >= MIN_OPEN_SHARE * len(columns)


def _holds_rows(content: Sequence[TextRun]) -> bool:
    """Whether a cell holds line after line of numbers: then its lines are rows, and what is drawn is a frame."""
    if len(content) < MIN_NUMBER_LINES:
        return False
    lines = [joined(row) for row in rows_of(content)]
    numbers = sum(1 for line in lines if _NUMBERS.fullmatch(line))
    return numbers >= MIN_NUMBER_LINES and numbers >= MIN_NUMBER_LINES_SHARE * len(lines)


def _slot(places: Sequence[float], at: float) -> int:
    return max(0, min(len(places) - 2, bisect_right(places, at) - 1))


def _pieces(run: TextRun, grid: Grid, owner: dict[tuple[int, int], int], row: int) -> list[TextRun]:
    """The run whole, or its words when it runs over the border of a cell."""
    first, last = _slot(grid.xs, run.x0 + 1), _slot(grid.xs, run.x1 - 1)
    if owner[row, first] == owner[row, last]:
        return [run]
    return words_of(run)


def _cell(grid: Grid, index: int, content: Sequence[TextRun]) -> Cell:
    grid_cell = grid.grid_cells[index]
    return Cell(
        row=grid_cell.row,
        column=grid_cell.column,
        text=paragraph_text([joined(row) for row in rows_of(content)]) if content else "",
        row_span=grid_cell.row_span,
        column_span=grid_cell.column_span,
        header=False,
        box=Box(
            round(grid.xs[grid_cell.column], 2),
            round(grid.ys[grid_cell.row], 2),
            round(grid.xs[grid_cell.column + grid_cell.column_span], 2),
            round(grid.ys[grid_cell.row + grid_cell.row_span], 2),
        ),
    )


def _rounded(box: Box) -> Box:
    return Box(round(box.x0, 2), round(box.top, 2), round(box.x1, 2), round(box.bottom, 2))


def _tidied(cells: list[Cell]) -> tuple[Cell, ...]:
    """The cells without rows and columns that hold nothing, and with the first row as header."""
    rows = sorted({cell.row for cell in cells if cell.text})
    columns = sorted({cell.column for cell in cells if cell.text})
    tidy = []
    for cell in cells:
        row_span = sum(1 for row in rows if cell.row <= row < cell.row + cell.row_span)
        column_span = sum(1 for column in columns if cell.column <= column < cell.column + cell.column_span)
        if not row_span or not column_span:
            continue
        row = sum(1 for place in rows if place < cell.row)
        column = sum(1 for place in columns if place < cell.column)
        tidy.append(Cell(row, column, cell.text, row_span, column_span, row == 0, cell.box))
    return tuple(tidy)


def _without_needless_borders(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Columns made one where no row has text on both sides of the border: it belongs to the frame of a heading."""
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
    """The cells with these column numbers; cells without text give way to the ones with text beside them."""
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
    """The table with its columns counted from the right, as a right-to-left page reads them."""
    width = max((cell.column + cell.column_span for cell in table.cells), default=0)
    cells = [
        msgspec.structs.replace(cell, column=width - cell.column - cell.column_span)
        for cell in sorted(table.cells, key=lambda cell: (cell.row, -cell.column))
    ]
    return msgspec.structs.replace(table, cells=tuple(cells))
