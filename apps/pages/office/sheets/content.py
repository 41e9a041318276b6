"""What a sheet has: its filled cells and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.pages.model.blocks import Block, Revision

MAX_CELLS = 2_000_000
"""How many filled cells of a workbook are read."""
ROWS_PER_PAGE = 5_000
# Tables are written as full rectangles, so this bounds the size of a page.
MAX_CELLS_PER_PAGE = 40_000
MAX_CHARACTERS_PER_PAGE = 1_500_000


class FilledCell(NamedTuple):
    """Rows and columns count from 0."""

    row: int
    column: int
    text: str


class Area(NamedTuple):
    """Merged cells; the last row and column belong to it."""

    row: int
    column: int
    last_row: int
    last_column: int


@dataclass
class SheetContent:
    """``cells``: row by row. ``links``: addresses by row and column. ``before`` and ``after``: blocks around the cells.

    ``comments``: what is written about cells, whose ``target`` is such as "B3". ``warnings`` are public codes.
    """

    cells: list[FilledCell] = field(default_factory=list)
    merged: list[Area] = field(default_factory=list)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    before: list[Block] = field(default_factory=list)
    after: list[Block] = field(default_factory=list)
    comments: list[Revision] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, code: str) -> None:
        if code not in self.warnings:
            self.warnings.append(code)


def page_slices(cells: Sequence[FilledCell]) -> Iterator[slice]:
    """Yield which cells each page of a sheet has: whole rows, and no more than a page may hold."""
    start = row_start = 0  # the first cells of the page and of its last row
    rows, columns, characters = 0, set[int](), 0
    last_row = -1
    for place, (row, column, text) in enumerate(cells):
        if row != last_row:
            if rows == ROWS_PER_PAGE:
                yield slice(start, place)
                start, rows, columns, characters = place, 0, set(), 0
            last_row, row_start = row, place
            rows += 1
        columns.add(column)
        characters += len(text)
        if (rows * len(columns) > MAX_CELLS_PER_PAGE or characters > MAX_CHARACTERS_PER_PAGE) and row_start > start:
            yield slice(start, row_start)
            start, rows = row_start, 1
            columns = {cell.column for cell in cells[start : place + 1]}
            characters = sum(len(cell.text) for cell in cells[start : place + 1])
    yield slice(start, len(cells))


def cell_name(row: int, column: int) -> str:
    """Return what a spreadsheet calls a cell: "B3"."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"
