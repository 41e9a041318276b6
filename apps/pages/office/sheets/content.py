"""What a sheet has: its filled cells and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.pages.model.blocks import Block, Revision

MAX_CELLS = 2_000_000
"""How many filled cells of a workbook are read."""
ROWS_PER_PAGE = 2_000
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
    start = place = 0
    rows, columns, characters = 0, set[int](), 0
    while place < len(cells):
        row_end = place
        while row_end < len(cells) and cells[row_end].row == cells[place].row:
            row_end += 1
        row = cells[place:row_end]
        size = sum(len(cell.text) for cell in row)
        new = columns.union(cell.column for cell in row)
        is_full = (rows + 1) * len(new) > MAX_CELLS_PER_PAGE or characters + size > MAX_CHARACTERS_PER_PAGE
        if rows and (is_full or rows == ROWS_PER_PAGE):
            yield slice(start, place)
            start, rows, characters, new = place, 0, 0, {cell.column for cell in row}
        rows, columns, characters = rows + 1, new, characters + size
        place = row_end
    yield slice(start, place)


def cell_name(row: int, column: int) -> str:
    """Return what a spreadsheet calls a cell: "B3"."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"
