"""Check the cells of a table in an answer against the places of their words on the page.

Cells of one row are beside each other on the page, cells of one column below each other. A cell that is printed in
another row or column of the same table is misplaced, and so is a row that is printed above the one before it.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from statistics import median

import msgspec

from apps.pages.model.blocks import Block, Cell
from apps.pages.model.geometry import Box, union
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.normalized_words import PageWords, is_number, is_sign, repeated_cells

# A cell is placed if at least this share of its words was found.
MIN_FOUND_SHARE = 0.6
# A place is a cell's own if it has at least this share of the words of its line or cell on the page.
MIN_OWN_SHARE = 0.8
# Centres of cells of one row differ by less than this share of their height.
MAX_SHIFT_HEIGHTS = 0.6
# The boxes of two rows, with the leading of their lines, overlap by up to this share of the lower one's height.
MAX_OVERLAP_HEIGHTS = 0.3


class _PlacedCell(msgspec.Struct, gc=False):
    """A cell and where its words are printed. ``is_own``: nothing else is printed in these places, so that their left
    and right edges are the cell's. ``is_line``: its top and bottom are those of printed lines. ``rows`` and
    ``columns``: those that it may cover on the page; without spans, a merged cell is one with empty ones after it."""

    cell: Cell
    rows: range
    columns: range
    words: tuple[str, ...]
    places: list[int]
    box: Box
    is_own: bool
    is_line: bool

    @property
    def centre(self) -> float:
        return (self.box.x0 + self.box.x1) / 2


def misplaced_cells(
    table: Block | Draft, first_unit: int, page: PageWords, answer: PageWords, places: Sequence[int]
) -> list[str]:
    """Return the texts of the cells that are in a wrong row or column. ``first_unit``: of the table in the answer."""
    placed = list(_placed_cells(table, first_unit, page, answer, places))
    if len(placed) < 4:
        return []
    flat = [one for one in placed if one.cell.row_span == 1]
    single = [one for one in flat if one.cell.column_span == 1]
    times = Counter(page.tokens)
    # Of each row, first the cells that cover no row below, and the words that occur least often.
    bands: dict[int, list[_PlacedCell]] = defaultdict(list)
    for one in sorted(flat, key=lambda one: (len(one.rows) > 1, min(times[word] for word in one.words))):
        if one.is_line:
            bands[one.cell.row].append(one)
    columns: dict[int, list[_PlacedCell]] = defaultdict(list)
    for one in single:
        if one.is_own:
            columns[one.cell.column].append(one)
    straight = frozenset(
        number
        for number, column in columns.items()
        if max(one.box.x0 for one in column) < min(one.box.x1 for one in column)
    )
    found = [one.cell.text for one in single if _is_misplaced(one, bands, columns, straight, page)]
    filled = {(cell.row, cell.column) for cell in table.cells if cell.text}
    found += [one.cell.text for one in _in_empty_columns(columns, filled)]
    found += [one.cell.text for one in _beside_their_columns(columns, page)]
    found += [one.cell.text for one in _out_of_order(single, page)]
    found += [one.cell.text for one in _out_of_row_order(flat, page)]
    found += _rows_out_of_order(bands)
    return list(dict.fromkeys(text.replace("\n", " ") for text in found))


def _placed_cells(
    table: Block | Draft, first_unit: int, page: PageWords, answer: PageWords, places: Sequence[int]
) -> Iterator[_PlacedCell]:
    start = sum(answer.sizes[:first_unit])
    filled = {(cell.row, cell.column) for cell in table.cells if cell.text}
    height = 1 + max(cell.row for cell in table.cells)
    width = 1 + max(cell.column for cell in table.cells)
    repeating = {table.cells[number].text for number in repeated_cells(table.cells)}
    for unit, cell in enumerate(table.cells, first_unit):
        end = start + answer.sizes[unit]
        found = [place for place in places[start:end] if place >= 0]
        if found and len(found) >= MIN_FOUND_SHARE * (end - start):
            counts = Counter(page.units[place] for place in found)
            is_own = all(count >= MIN_OWN_SHARE * page.sizes[one] for one, count in counts.items())
            down, right = cell.row + cell.row_span, cell.column + cell.column_span
            if not all(is_number(word) or is_sign(word) for word in answer.tokens[start:end]):
                while down < height and (down, cell.column) not in filled:
                    down += 1
                while right < width and (cell.row, right) not in filled:
                    right += 1
            # A merged cell may be repeated in each row and column that it covers.
            same = [other for other in table.cells if other.text == cell.text] if cell.text in repeating else [cell]
            yield _PlacedCell(
                cell,
                range(min(other.row for other in same), max(down, 1 + max(other.row for other in same))),
                range(min(other.column for other in same), max(right, 1 + max(other.column for other in same))),
                tuple(answer.tokens[start:end]),
                found,
                union(page.all_units[one].box for one in counts),
                is_own,
                is_own or all(page.all_units[one].line is not None for one in counts),
            )
        start = end


def _is_misplaced(
    one: _PlacedCell,
    rows: dict[int, list[_PlacedCell]],
    columns: dict[int, list[_PlacedCell]],
    straight: Container[int],
    page: PageWords,
) -> bool:
    """Return whether a cell is printed in another row or column. ``straight``: columns whose cells overlap."""
    is_in_column = not one.is_own or one.cell.column in straight or one.cell.column not in columns
    if is_in_column and (not one.is_line or _is_beside_first(one, rows.get(one.cell.row, ()))):
        return False
    row = _band_of(one, rows[one.cell.row]) if one.is_line and one.cell.row in rows else None
    column = _extent_of(one, columns[one.cell.column]) if one.is_own and one.cell.column in columns else None
    is_down = row is not None and not _is_level(one.box, row)
    is_aside = column is not None and not _overlap(one.box.x0, one.box.x1, column.x0, column.x1)
    if is_down:
        assert row is not None
        others = (_band_of(one, cells) for number, cells in rows.items() if number not in one.rows)
        is_down = any(other is not None and _is_level(one.box, other) for other in others)
    if is_aside:
        extents = (_extent_of(one, cells) for number, cells in columns.items() if number not in one.columns)
        is_aside = any(other is not None and other.x0 <= one.centre <= other.x1 for other in extents)
    if not is_down and not is_aside:
        return False
    # The same words may be printed in the right place, too, and have been matched with another cell.
    return not any(
        (row is None or _is_level(box, row))
        and (column is None or not one.is_own or _overlap(box.x0, box.x1, column.x0, column.x1))
        for box in _other_places(one, page)
    )


def _is_beside_first(one: _PlacedCell, row: Sequence[_PlacedCell]) -> bool:
    """Return whether a cell is on the height of the first other one in its row, and not higher than it."""
    other = next((other for other in row if other is not one), None)
    return other is None or (one.box.height <= other.box.height and _is_level(one.box, other.box))


def _in_empty_columns(
    columns: dict[int, list[_PlacedCell]], filled: Container[tuple[int, int]]
) -> Iterator[_PlacedCell]:
    """Yield numbers alone in their column that are printed in a column which has nothing in their row."""
    for one, *others_below in columns.values():
        if others_below or not is_number(one.words[0]) or not all(is_number(w) or is_sign(w) for w in one.words):
            continue
        extents = (
            _extent_of(one, others) for column, others in columns.items() if (one.cell.row, column) not in filled
        )
        if any(extent is not None and extent.x0 <= one.centre <= extent.x1 for extent in extents):
            yield one


def _beside_their_columns(columns: dict[int, list[_PlacedCell]], page: PageWords) -> Iterator[_PlacedCell]:
    """Yield headers that are printed beside the cells below them, which are below another header that has none."""
    first_row = min((one.cell.row for column in columns.values() for one in column), default=0)
    headers = [(column[0], _extent_of(column[0], column)) for column in columns.values()]
    for one, extent in headers:
        if one.cell.row != first_row or len(one.columns) > 1 or extent is None or _is_above(one.box, extent):
            continue
        is_swapped = any(
            other.cell.row == first_row and _is_above(other.box, extent) and not (own and _is_above(other.box, own))
            for other, own in headers
        )
        if is_swapped and not any(_is_above(box, extent) for box in _other_places(one, page)):
            yield one


def _is_above(header: Box, column: Box) -> bool:
    return _overlap(header.x0, header.x1, column.x0, column.x1)


def _other_places(one: _PlacedCell, page: PageWords) -> Iterator[Box]:
    size = len(one.words)
    for place, word in enumerate(page.tokens):
        if word == one.words[0] and place != one.places[0] and tuple(page.tokens[place : place + size]) == one.words:
            yield page.all_units[page.units[place]].box


def _band_of(one: _PlacedCell, row: Sequence[_PlacedCell]) -> Box | None:
    """Return the box of the other cells of a row, of those on the height of the rarest text among them."""
    others = [other for other in row if other is not one]
    if not others:
        return None
    return union(other.box for other in others if other is others[0] or _is_level(other.box, others[0].box))


def _extent_of(one: _PlacedCell, column: Sequence[_PlacedCell]) -> Box | None:
    """Return the box of the other cells of a column, without those that are beside most of them."""
    others = [other.box for other in column if other is not one]
    if not others:
        return None
    middle = median((box.x0 + box.x1) / 2 for box in others)
    inner = [box for box in others if box.x0 <= middle <= box.x1]
    return union(inner) if 2 * len(inner) >= len(others) else None


def _is_level(box: Box, band: Box) -> bool:
    """Return whether the box is on the height of the band."""
    lower = min(box.height, band.height)
    return min(box.bottom, band.bottom) - max(box.top, band.top) > (1 - MAX_SHIFT_HEIGHTS) * lower


def _overlap(start: float, end: float, other_start: float, other_end: float) -> bool:
    return start < other_end and other_start < end


def _out_of_order(cells: Sequence[_PlacedCell], page: PageWords) -> Iterator[_PlacedCell]:
    """Yield cells that follow another one in the table but precede it in the same printed line or cell."""
    by_unit: dict[tuple[str, int, int], list[_PlacedCell]] = defaultdict(list)
    for one in cells:
        units = {page.units[place] for place in one.places}
        if len(units) == 1:
            unit = units.pop()
            by_unit["row", one.cell.row, unit].append(one)
            by_unit["column", one.cell.column, unit].append(one)
    for group in by_unit.values():
        if len(group) < 2:
            continue
        in_table = [place for one in group for place in one.places]
        if in_table != sorted(in_table) and [page.tokens[p] for p in in_table] != [
            page.tokens[p] for p in sorted(in_table)
        ]:
            yield from (after for before, after in itertools.pairwise(group) if after.places[0] < before.places[0])


def _out_of_row_order(cells: Sequence[_PlacedCell], page: PageWords) -> Iterator[_PlacedCell]:
    """Yield cells that are printed on the wrong side of the cell before them in their row."""
    rows: dict[int, list[_PlacedCell]] = defaultdict(list)
    for one in cells:
        if one.is_own:
            rows[one.cell.row].append(one)
    pairs = [pair for row in rows.values() for pair in itertools.pairwise(row)]
    apart = [(one, other) for one, other in pairs if one.box.x1 <= other.box.x0 or other.box.x1 <= one.box.x0]
    rightwards = sum(one.box.x0 < other.box.x0 for one, other in apart)
    is_rtl = 2 * rightwards < len(apart)
    for one, other in apart:
        if (one.box.x0 < other.box.x0) != is_rtl:
            continue
        # The same words may be printed elsewhere in the row, too, and have been matched with another cell.
        before, after = (
            [place.box, *(box for box in _other_places(place, page) if _is_level(box, place.box))]
            for place in (one, other)
        )
        if all((box.x0 < beside.x0) == is_rtl for box in before for beside in after):
            yield other


def _rows_out_of_order(rows: dict[int, list[_PlacedCell]]) -> list[str]:
    """Return the first texts of rows that are printed wholly above the row before them, in the same columns."""
    found = []
    before: Box | None = None
    for number in sorted(rows):
        row = rows[number]
        box = union(one.box for one in row if one is row[0] or _is_level(one.box, row[0].box))
        slack = MAX_OVERLAP_HEIGHTS * min(box.height, before.height) if before is not None else 0.0
        if before is not None and box.bottom <= before.top + slack and _overlap(box.x0, box.x1, before.x0, before.x1):
            found.append(min(row, key=lambda one: one.cell.column).cell.text)
        before = box
    return found
