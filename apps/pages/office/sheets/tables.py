"""Make tables of the cells of a sheet, or of the fields of a text file."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from apps.pages.model.blocks import Block, BlockType, Cell, TextSpan
from apps.pages.model.geometry import NO_BOX
from apps.pages.office.sheets.content import Area, FilledCell

MAX_COLUMNS = 500
"""A wider table is given as several, side by side."""
MAX_TITLE_ROWS = 5
MAX_HEADER_ROWS = 3
MAX_NAME_CHARACTERS = 100
"""Names of columns are not longer."""
MAX_NOTE_ROWS = 20
MAX_ISLANDS = 2_000
_NUMBER = re.compile(r"[-+(]?\s?[$€£¥]?\s?[-+]?\d[\d.,' \u00a0]*(?:[eE][-+]?\d+)?\s?[%$€£¥]?\)?")
_DIGITS = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")


def blocks_of(
    cells: Sequence[FilledCell],
    merged: Sequence[Area] = (),
    links: Mapping[tuple[int, int], str] | None = None,
    *,
    has_start: bool = True,
    has_end: bool = True,
    parted: bool = False,
) -> list[Block]:
    """Return the cells as tables, with the titles above them; empty rows and columns are left out.

    ``has_start`` and ``has_end``: whether the sheet begins and ends with these cells. Tables side by side, or one above
    the other, are parted if all of them have their own names of columns. ``parted``: also if they have none.
    """
    links = links or {}
    islands = _islands(cells, merged) if parted or (has_start and has_end) else []
    if len(islands) < 2 or not (parted or _are_tables(islands)):
        islands = [list(cells)]
    blocks = []
    for island in islands:
        if len(islands) > 1 and _is_note(island):
            titles, rest = island, list[FilledCell]()
        else:
            titles, rest = _without_titles(island) if has_start or parted else ([], island)
        kind = BlockType.CAPTION if rest else BlockType.PARAGRAPH
        blocks += [Block(type=kind, box=NO_BOX, text=cell.text, spans=_link(cell, links)) for cell in titles]
        if rest:
            blocks += tables_of(rest, merged, links, has_header=has_start or parted)
    return blocks


def _are_tables(islands: Sequence[Sequence[FilledCell]]) -> bool:
    """Return whether groups of cells are tables with names of columns, and notes above and below them."""
    taken: set[int] = set()
    notes: set[int] = set()
    for island in islands:
        rows = {cell.row for cell in island}
        if len({cell.column for cell in island}) == 1:
            notes |= rows
            continue
        _titles, rest = _without_titles(list(island))
        names = [cell for cell in rest if cell.row == rest[0].row]
        if len(rest) == len(names) or any(is_number(cell.text) and not _YEAR.fullmatch(cell.text) for cell in names):
            return False
        taken |= rows
    return bool(taken) and taken.isdisjoint(notes)


def _is_note(island: Sequence[FilledCell]) -> bool:
    """Return whether cells are lines of text below each other."""
    is_column = len({cell.column for cell in island}) == 1
    return is_column and len(island) <= MAX_NOTE_ROWS and not any(is_number(cell.text) for cell in island)


def _link(cell: FilledCell, links: Mapping[tuple[int, int], str]) -> tuple[TextSpan, ...]:
    url = links.get((cell.row, cell.column), "")
    return (TextSpan(0, len(cell.text), url=url),) if url else ()


def _without_titles(cells: list[FilledCell]) -> tuple[list[FilledCell], list[FilledCell]]:
    """Return the cells that stand alone in the first rows, above rows of several cells, and the rest."""
    for place, cell in enumerate(cells[: MAX_TITLE_ROWS + 1]):
        is_alone = place + 1 == len(cells) or cells[place + 1].row != cell.row
        if not is_alone:
            return cells[:place], cells[place:]
    return [], cells


def tables_of(
    cells: Sequence[FilledCell], merged: Sequence[Area], links: Mapping[tuple[int, int], str], *, has_header: bool
) -> list[Block]:
    """Return cells as one table, or as several side by side if it is too wide."""
    rows = sorted({cell.row for cell in cells})
    columns = sorted({cell.column for cell in cells})
    texts = {(cell.row, cell.column): cell for cell in cells}
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    covered: set[tuple[int, int]] = set()
    for area in merged:
        top, bottom = bisect_left(rows, area.row), bisect_right(rows, area.last_row)
        left, right = bisect_left(columns, area.column), bisect_right(columns, area.last_column)
        if (bottom - top) * (right - left) > 1 and (area.row, area.column) in texts:
            places = [(row, column) for row in range(top, bottom) for column in range(left, right)][1:]
            # A cell that has text of its own although it is merged keeps it, and so nothing is merged.
            if not any((rows[row], columns[column]) in texts for row, column in places) and covered.isdisjoint(places):
                spans[area.row, area.column] = bottom - top, right - left
                covered.update(places)
    headers = _header_rows(rows, texts, spans) if has_header else 0
    tables = []
    for first in range(0, len(columns), MAX_COLUMNS):
        last = min(first + MAX_COLUMNS, len(columns))
        found = []
        for row, sheet_row in enumerate(rows):
            for column in range(first, last):
                cell = texts.get((sheet_row, columns[column]))
                if (row, column) in covered:
                    continue
                row_span, column_span = spans.get((sheet_row, columns[column]), (1, 1))
                found.append(
                    Cell(
                        row=row,
                        column=column - first,
                        text=cell.text if cell else "",
                        row_span=row_span,
                        column_span=min(column_span, last - column),
                        header=row < headers,
                        spans=_link(cell, links) if cell else (),
                    )
                )
        tables.append(Block(type=BlockType.TABLE, box=NO_BOX, cells=tuple(found)))
    return tables


def _header_rows(
    rows: Sequence[int], texts: Mapping[tuple[int, int], FilledCell], spans: Mapping[tuple[int, int], tuple[int, int]]
) -> int:
    """Return how many of the first rows are names of columns; more than one if names have others below them."""
    by_row: dict[int, list[FilledCell]] = {row: [] for row in rows[: MAX_HEADER_ROWS + 1]}
    for cell in texts.values():
        if cell.row in by_row:
            by_row[cell.row].append(cell)
    headers = 0
    for place, row in enumerate(rows[: min(MAX_HEADER_ROWS, len(rows) - 1)]):
        if not _are_names(by_row[row], by_row.get(rows[place + 1], ())):
            break
        headers += 1
        below = by_row.get(rows[place + 1], [])
        is_above_names = any(spans.get((cell.row, cell.column), (1, 1))[1] > 1 for cell in by_row[row])
        # A row that begins further right, over numbers, names parts of the columns above it.
        begins_further_right = bool(below) and below[0].column > by_row[row][0].column
        after = by_row.get(rows[place + 2], []) if place + 2 < len(rows) else []
        if not is_above_names and not (begins_further_right and any(is_number(cell.text) for cell in after)):
            break
    return headers


def _are_names(row: Sequence[FilledCell], below: Sequence[FilledCell]) -> bool:
    """Return whether a row has names of columns: short, no numbers, and not in a series with what is below them."""
    names = [cell for cell in row if not _YEAR.fullmatch(cell.text)]
    if not names and len(row) < 2:
        return False
    texts_below = {cell.column: cell.text for cell in below}
    for cell in names:
        # Numbers are names only above what is no number.
        if len(cell.text) > MAX_NAME_CHARACTERS or (
            is_number(cell.text) and is_number(texts_below.get(cell.column, "0"))
        ):
            return False
    patterns = {(cell.column, _DIGITS.sub("9", cell.text)) for cell in below}
    return not any(
        _DIGITS.search(cell.text) and (cell.column, _DIGITS.sub("9", cell.text)) in patterns for cell in names
    )


def is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text.strip()))


def _islands(cells: Sequence[FilledCell], merged: Sequence[Area]) -> list[list[FilledCell]]:
    """Part cells into groups whose members touch. Groups are one if their boxes overlap or have a side in common."""
    places = {(cell.row, cell.column): place for place, cell in enumerate(cells)}
    groups = list(range(len(cells)))

    def first_of(place: int) -> int:
        while groups[place] != place:
            groups[place] = groups[groups[place]]
            place = groups[place]
        return place

    for cell, place in zip(cells, range(len(cells)), strict=True):
        for neighbour in ((-1, 0), (0, -1)):
            other = places.get((cell.row + neighbour[0], cell.column + neighbour[1]))
            if other is not None:
                groups[first_of(place)] = first_of(other)
    edges = {(area.row, area.column): area for area in merged}
    boxes: dict[int, list[int]] = {}
    for place, cell in enumerate(cells):
        area = edges.get((cell.row, cell.column), Area(cell.row, cell.column, cell.row, cell.column))
        box = boxes.setdefault(first_of(place), list(area))
        box[:] = [*map(min, box[:2], area[:2]), *map(max, box[2:], area[2:])]
    joined = _joined(list(boxes.items()))
    parts: dict[int, list[FilledCell]] = {}
    for place, cell in enumerate(cells):
        parts.setdefault(joined[first_of(place)], []).append(cell)
    return list(parts.values())


def _joined(boxes: list[tuple[int, list[int]]]) -> dict[int, int]:
    """Return for each group the one whose box its own touches or overlaps. With very many groups, all are one."""
    if len(boxes) > MAX_ISLANDS:
        return {group: boxes[0][0] for group, _box in boxes}
    merged: list[tuple[list[int], list[int]]] = []  # groups, box
    for group, box in boxes:
        mine = ([group], list(box))
        grows = True
        while grows:
            grows = False
            for other in merged:
                if _are_near(mine[1], other[1]):
                    merged.remove(other)
                    bounds = [*map(min, mine[1][:2], other[1][:2]), *map(max, mine[1][2:], other[1][2:])]
                    mine = ([*other[0], *mine[0]], bounds)
                    grows = True
                    break
        merged.append(mine)
    return {group: groups[0] for groups, _box in merged for group in groups}


def _are_near(first: Sequence[int], second: Sequence[int]) -> bool:
    """Return whether two boxes (first row, first column, last row, last column) overlap or have a side in common."""
    rows = min(first[2], second[2]) - max(first[0], second[0])
    columns = min(first[3], second[3]) - max(first[1], second[1])
    return (rows >= 0 and columns >= -1) or (columns >= 0 and rows >= -1)
