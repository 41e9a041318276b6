"""Collect the rows of an RTF table. Each row says itself where its cells end, so their edges are the columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import NO_BOX
from apps.pages.office.spanned_text import Spanned

MAX_COLUMNS, MAX_ROWS = 500, 5_000
TOLERANCE_TWIPS = 30
"""Edges this near to each other are one."""


@dataclass(slots=True)
class Edge:
    """The right edge of a cell. ``goes_on_right``, ``goes_on_below``: it is a part of the cell to its left or above."""

    twips: int
    goes_on_right: bool = False
    goes_on_below: bool = False


@dataclass(slots=True)
class RtfRow:
    edges: list[Edge]
    texts: list[Spanned]
    is_header: bool = False


@dataclass(slots=True)
class RtfTable:
    rows: list[RtfRow] = field(default_factory=list)

    def block(self) -> Block | None:
        """Return the table with merged cells, None if it has none."""
        columns = self._columns()
        cells: list[Cell] = []
        at: dict[tuple[int, int], int] = {}
        for index, row in enumerate(self.rows[:MAX_ROWS]):
            start = 0
            for place, (text, spans) in enumerate(row.texts):
                edge = row.edges[place] if place < len(row.edges) else None
                end = max(start, columns.get(edge.twips, start)) if edge else start
                if end >= MAX_COLUMNS:
                    break
                left, above = at.get((index, start - 1)), at.get((index - 1, start))
                if edge and edge.goes_on_right and left is not None:
                    cells[left] = msgspec.structs.replace(cells[left], column_span=end - cells[left].column + 1)
                    owner = left
                elif edge and edge.goes_on_below and above is not None:
                    cells[above] = msgspec.structs.replace(cells[above], row_span=index - cells[above].row + 1)
                    owner = above
                else:
                    owner = len(cells)
                    cells.append(
                        Cell(
                            row=index,
                            column=start,
                            text=text,
                            column_span=end - start + 1,
                            header=row.is_header,
                            spans=spans,
                        )
                    )
                at |= {(index, column): owner for column in range(start, end + 1)}
                start = end + 1
        return Block(BlockType.TABLE, NO_BOX, cells=tuple(cells)) if cells else None

    def _columns(self) -> dict[int, int]:
        """Return the column that each edge closes."""
        columns: dict[int, int] = {}
        last, column = None, -1
        for twips in sorted({edge.twips for row in self.rows for edge in row.edges}):
            if last is None or twips - last > TOLERANCE_TWIPS:
                column, last = column + 1, twips
            columns[twips] = column
        return columns
