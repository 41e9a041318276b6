"""Join a table with its continuation on the next page or in the next column.

The continuation may repeat the header, lack columns that are empty there, and begin with the rest of the row that the
page end cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from apps.pages.layout.tables.table_rows import is_number
from apps.pages.layout.text import hyphenation
from apps.pages.layout.text.hyphenation import DocumentWords
from apps.pages.layout.text.inline_spans import moved
from apps.pages.model.blocks import Block, Cell, Source

# Stop joining a table at this size: a document that is one table must not fill the memory.
MAX_TABLE_CELLS = 50_000
MAX_WIDTH_DIFFERENCE_POINTS = 12.0
_ENDED = re.compile(r"[.!?:;。！？：؟]['\")\]”’»*†\d]*$")


def joined_tables(first: Block, second: Block, words: DocumentWords) -> Block | None:
    """Return the two tables as one if the second continues the first, else None."""
    if len(first.cells) + len(second.cells) > MAX_TABLE_CELLS:
        return None
    second = msgspec.structs.replace(second, cells=_with_header_apart(first.cells, second.cells))
    repeated = _repeated_rows(first.cells, second.cells)
    if not repeated and _has_own_heads(first.cells, second.cells):
        return None
    if not repeated and _has_another_header(first, second):
        return None
    is_as_wide = abs(first.box.width - second.box.width) <= MAX_WIDTH_DIFFERENCE_POINTS
    if second.source is Source.MODEL:  # its box is that of its words
        is_as_wide = is_as_wide or _has_same_columns(first, second)
    continuation: Sequence[Cell] | None = second.cells
    if _width(first.cells) != _width(second.cells):
        continuation = None if repeated else _in_columns_of(first, second)
    elif not repeated and not is_as_wide:
        continuation = None
    if continuation is None:
        return None
    cells = list(first.cells)
    rest = [cell for cell in continuation if cell.row >= repeated]
    last = max(cell.row + cell.row_span for cell in cells) - 1
    if _is_cut(_cells_of(cells, last), _cells_of(rest, repeated)):
        cells = _with_rest(cells, last, _cells_of(rest, repeated), words)
        rest = [cell for cell in rest if cell.row > repeated]
        repeated += 1
    shift = last + 1 - repeated
    cells += [msgspec.structs.replace(cell, row=cell.row + shift, header=False) for cell in rest]
    return msgspec.structs.replace(first, cells=tuple(cells))


def _has_own_heads(first: Sequence[Cell], second: Sequence[Cell]) -> bool:
    """Return True if the first row of the second table has words over columns of numbers, in both tables."""
    numbers: dict[int, list[bool]] = {}
    for cell in (*first, *second):
        if cell.row and cell.column and cell.text:
            numbers.setdefault(cell.column, []).append(is_number(cell.text))
    heads = {cell.column: cell.text for cell in _cells_of(second, 0) if cell.text}
    numeric = [column for column, found in numbers.items() if len(found) > 2 and sum(found) > 0.8 * len(found)]
    return bool(numeric) and all(column in heads and not is_number(heads[column]) for column in numeric)


def _has_another_header(first: Block, second: Block) -> bool:
    """Return True if a model gives both tables a header, and they differ; the row of a header has no numbers."""
    heads = [cell for cell in _cells_of(second.cells, 0) if cell.text]
    return (
        second.source is Source.MODEL
        and any(cell.header for cell in _cells_of(first.cells, 0))
        and bool(heads)
        and all(cell.header and not is_number(cell.text) for cell in heads)
    )


def _has_same_columns(first: Block, second: Block) -> bool:
    """Return True if each column of the second table is below the same column of the first, and below no other."""
    places, lower = _extents(first.cells), _extents(second.cells)
    shared = places.keys() & lower.keys()
    return len(shared) > 1 and all(
        [place for place, (low, high) in places.items() if lower[column][0] < high and low < lower[column][1]]
        == [column]
        for column in shared
    )


def _repeated_rows(first: Sequence[Cell], second: Sequence[Cell]) -> int:
    """Return the number of header rows that the second table repeats."""
    count = 0
    while True:
        above = _cells_of(first, count)
        if not above or not any(cell.header for cell in above):
            return count
        if [(c.column, c.text) for c in above] != [(c.column, c.text) for c in _cells_of(second, count)]:
            return 0
        count += 1


def _with_header_apart(first: Sequence[Cell], second: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the second table's cells; where its header took up the rest of a cut row, that is a row of its own."""
    heads = {cell.column: cell.text for cell in _cells_of(first, 0)}
    own = _cells_of(second, 0)
    rest = {cell.column: cell.text.removeprefix(heads.get(cell.column, "")).strip() for cell in own}
    is_grown = any(rest.values()) and any(heads.values()) and len(heads) == len(own)
    if not is_grown or not all(cell.text.startswith(heads.get(cell.column, "\0")) for cell in own):
        return tuple(second)
    if any(not text and rest[column] for column, text in heads.items()) or any(cell.row_span > 1 for cell in own):
        return tuple(second)
    cells = [msgspec.structs.replace(cell, text=heads[cell.column], spans=()) for cell in own]
    cells += [msgspec.structs.replace(cell, row=1, text=rest[cell.column], header=False, spans=()) for cell in own]
    cells += [msgspec.structs.replace(cell, row=cell.row + 1) for cell in second if cell.row]
    return tuple(cells)


def _in_columns_of(first: Block, second: Block) -> list[Cell] | None:
    """Return the second table's cells in the columns of the first that they are below, with the missing ones empty."""
    places, lower = _extents(first.cells), _extents(second.cells)
    if len(lower) >= len(places) or len(lower) < 2 or abs(first.box.x0 - second.box.x0) > MAX_WIDTH_DIFFERENCE_POINTS:
        return None
    numbers: dict[int, int] = {}
    for column, (left, right) in lower.items():
        under = [place for place, (low, high) in places.items() if left < high and low < right]
        if len(under) != 1 or under[0] in numbers.values():
            return None
        numbers[column] = under[0]
    if len(numbers) < _width(second.cells) or any(cell.column_span > 1 for cell in second.cells):
        return None
    cells = [msgspec.structs.replace(cell, column=numbers[cell.column]) for cell in second.cells]
    taken = {(row, cell.column) for cell in cells for row in range(cell.row, cell.row + cell.row_span)}
    rows, width = max(row for row, _ in taken) + 1, _width(first.cells)
    cells += [Cell(row, column) for row in range(rows) for column in range(width) if (row, column) not in taken]
    return sorted(cells, key=lambda cell: (cell.row, cell.column))


def _extents(cells: Sequence[Cell]) -> dict[int, tuple[float, float]]:
    """Return the left and right edge of the text of each column."""
    edges: dict[int, tuple[float, float]] = {}
    for cell in cells:
        if cell.box is not None and cell.text and cell.column_span == 1:
            low, high = edges.get(cell.column, (cell.box.x0, cell.box.x1))
            edges[cell.column] = min(low, cell.box.x0), max(high, cell.box.x1)
    return edges


def _is_cut(above: Sequence[Cell], below: Sequence[Cell]) -> bool:
    """Return True if the texts of a row continue those of the row above: all begin in lower case, or there is one."""
    written = {cell.column: cell.text for cell in above if cell.text}
    rest = [cell for cell in below if cell.text]
    if not rest or any(cell.row_span > 1 or cell.column_span > 1 for cell in (*above, *below)):
        return False
    if any(cell.column not in written or _ENDED.search(written[cell.column]) for cell in rest):
        return False
    if all(cell.text[0].islower() for cell in rest):
        return True
    return len(rest) == 1 and rest[0].column > 0 and rest[0].text[0].isalpha()


def _with_rest(cells: Sequence[Cell], row: int, rest: Sequence[Cell], words: DocumentWords) -> list[Cell]:
    """Return the cells with the texts of ``rest`` after those of a row."""
    added = {cell.column: cell for cell in rest if cell.text}
    result = []
    for cell in cells:
        if cell.row == row and cell.column in added:
            below = added[cell.column]
            text = hyphenation.joined_lines(cell.text, below.text, words)
            spans = (*cell.spans, *moved(below.spans, len(text) - len(below.text)))
            cell = msgspec.structs.replace(cell, text=text, spans=spans)
        result.append(cell)
    return result


def _cells_of(cells: Sequence[Cell], row: int) -> list[Cell]:
    return [cell for cell in cells if cell.row == row]


def _width(cells: Sequence[Cell]) -> int:
    return max((cell.column + cell.column_span for cell in cells), default=0)
