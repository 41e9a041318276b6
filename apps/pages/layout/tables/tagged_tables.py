"""Tables from the tags of a PDF, where these agree with what is on the page.

Tags may be wrong, so a table is taken only if its rows follow each other down the page, its columns across it, and no
other text is inside its box. Everything else is left to geometry, so no text is lost.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from apps.pages.layout.text.inline_spans import spans_of
from apps.pages.layout.text.lines import box_around, joined, paragraph_text, rows_of
from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box, union
from apps.pages.model.page_tags import ARTIFACT, PageTags, Tag
from apps.pages.model.raw_page import TextRun

# Tags that cover less of a page's letters, or leave out more of them as artefacts, are not used.
MIN_COVERED_SHARE = 0.9
MAX_ARTIFACT_SHARE = 0.35
MIN_IN_ORDER_SHARE = 0.9
MAX_CELL_CHARACTERS = 1_500
MAX_CELLS, MAX_COLUMNS = 20_000, 500
MAX_SHIFT_POINTS = 2.5
_TABLE = frozenset({"Table"})
_ROW = frozenset({"TR"})
_CELL = frozenset({"TD", "TH"})
_HEAD = frozenset({"THead"})

Grid = dict[int, dict[int, list[TextRun]]]
"""Place of a row -> place of a cell in it -> the runs of the cell."""


def trusted_tags(tags: PageTags | None, runs: Sequence[TextRun]) -> PageTags | None:
    """Return the tags if they cover the text of the page, None if they do not."""
    if tags is None:
        return None
    total = covered = artifacts = 0
    for run in runs:
        letters = len(run.text)
        total += letters
        if run.content_id == ARTIFACT:
            artifacts += letters
        elif run.content_id in tags.owners:
            covered += letters
    if not covered or artifacts > MAX_ARTIFACT_SHARE * total:
        return None
    return tags if covered >= MIN_COVERED_SHARE * (total - artifacts) else None


def tagged_tables(
    tags: PageTags, runs: Sequence[TextRun], drawn: Sequence[Box] = ()
) -> tuple[list[Block], list[TextRun]]:
    """Return the tables that trusted tags name, and the runs that are in none of them.

    ``drawn``: rulings and filled areas; a table is as wide as those around its text.
    """
    if not any(tag.role in _TABLE for tag in tags.tags):
        return [], list(runs)
    tables: dict[int, Grid] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for run in runs:
        outermost = [tags.enclosing(run.content_id, roles)[-1:] for roles in (_TABLE, _ROW, _CELL)]
        if all(outermost):
            (table,), (row,), (cell,) = outermost
            tables[table][row][cell].append(run)
    cells: dict[int, list[int]] = defaultdict(list)  # place of a row -> places of its cells, those without text too
    for place, tag in enumerate(tags.tags):
        if tag.role in _CELL:
            cells[tag.parent].append(place)
    blocks: list[Block] = []
    taken: set[int] = set()
    for grid in tables.values():
        inside = {id(run) for row in grid.values() for cell in row.values() for run in cell}
        block = _table(tags, grid, cells)
        if block is not None and not _holds_others(block.box, runs, inside):
            blocks.append(msgspec.structs.replace(block, box=_widened(block.box, drawn)))
            taken |= inside
    return blocks, [run for run in runs if id(run) not in taken]


def _widened(box: Box, drawn: Sequence[Box]) -> Box:
    """Return the box with the sides of the cells that are drawn around its text, each beside the one before it."""
    near = [
        each
        for each in drawn
        if box.top - MAX_SHIFT_POINTS <= each.middle <= box.bottom + MAX_SHIFT_POINTS and each.height < 1.5 * box.height
    ]
    x0, x1 = box.x0, box.x1
    for each in sorted(near, key=lambda each: each.x0):
        if each.x0 <= x1 + MAX_SHIFT_POINTS and each.x1 >= x0 - MAX_SHIFT_POINTS:
            x0, x1 = min(x0, round(each.x0, 2)), max(x1, round(each.x1, 2))
    return Box(x0, box.top, x1, box.bottom)


def _holds_others(box: Box, runs: Sequence[TextRun], inside: set[int]) -> bool:
    """Return True if text that is not of the table is in its box."""
    return any(
        id(run) not in inside
        and box.x0 < (run.x0 + run.x1) / 2 < box.x1
        and box.top < (run.top + run.bottom) / 2 < box.bottom
        for run in runs
    )


def _table(tags: PageTags, grid: Grid, cells_of: dict[int, list[int]]) -> Block | None:
    """Return the runs of a tagged table as a block; None if it is no table on the page."""
    cells: list[Cell] = []
    taken: dict[int, int] = {}  # column -> first row that is free in it
    for row, place in enumerate(sorted(grid)):
        column = 0
        any_content = next(run.content_id for cell in grid[place].values() for run in cell)
        is_head = bool(tags.enclosing(any_content, _HEAD))
        for tag_place in cells_of[place]:
            while taken.get(column, 0) > row:
                column += 1
            tag = tags.tags[tag_place]
            if column + tag.column_span > MAX_COLUMNS or len(cells) >= MAX_CELLS:
                return None
            is_header = is_head or tag.role == "TH"
            cells.append(_cell(row, column, tag, grid[place].get(tag_place, ()), is_header=is_header))
            for covered in range(column, column + tag.column_span):
                taken[covered] = row + tag.row_span
            column += tag.column_span
    cells = _filled(cells)
    if not _is_drawn_as_table(cells, len(grid)):
        return None
    if not any(cell.header for cell in cells):
        cells = [msgspec.structs.replace(cell, header=cell.row == 0) for cell in cells]
    # A cell may have more rows on the next page.
    cells = [msgspec.structs.replace(cell, row_span=min(cell.row_span, len(grid) - cell.row)) for cell in cells]
    return Block(type=BlockType.TABLE, box=union(cell.box for cell in cells if cell.box), cells=tuple(cells))


def _cell(row: int, column: int, tag: Tag, runs: Sequence[TextRun], *, is_header: bool) -> Cell:
    lines = rows_of(runs)
    text = paragraph_text([joined(line) for line in lines]) if lines else ""
    return Cell(
        row=row,
        column=column,
        text=text,
        row_span=tag.row_span,
        column_span=tag.column_span,
        header=is_header,
        box=box_around(runs) if runs else None,
        spans=spans_of(text, [run for line in lines for run in line]),
    )


def _filled(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells; a cell that is alone in its row covers all columns."""
    width = max((cell.column + cell.column_span for cell in cells), default=0)
    alone = {row for row, count in Counter(cell.row for cell in cells).items() if count == 1}
    covered = {row for cell in cells for row in range(cell.row + 1, cell.row + cell.row_span)}
    return [
        msgspec.structs.replace(cell, column_span=width) if cell.row in alone - covered and cell.column == 0 else cell
        for cell in cells
    ]


def _is_drawn_as_table(cells: Sequence[Cell], rows: int) -> bool:
    """Return True if written cells are in several columns, and in the order of their rows and columns on the page."""
    boxes = {(cell.row, cell.column): cell.box for cell in cells if cell.box is not None}
    if rows < 2 or len({column for _, column in boxes}) < 2 or any(len(c.text) > MAX_CELL_CHARACTERS for c in cells):
        return False
    by_row: dict[int, list[Box]] = defaultdict(list)
    for (row, _), box in sorted(boxes.items()):
        by_row[row].append(box)
    neighbours = [pair for row_boxes in by_row.values() for pair in itertools.pairwise(row_boxes)]
    rightward = sum(left.x1 <= right.x0 + MAX_SHIFT_POINTS for left, right in neighbours)
    leftward = sum(right.x1 <= left.x0 + MAX_SHIFT_POINTS for left, right in neighbours)
    tops = [min(box.top for box in row_boxes) for _, row_boxes in sorted(by_row.items())]
    downward = sum(above < below + MAX_SHIFT_POINTS for above, below in itertools.pairwise(tops))
    is_across = max(rightward, leftward) >= MIN_IN_ORDER_SHARE * len(neighbours)
    return is_across and downward >= MIN_IN_ORDER_SHARE * (len(tops) - 1)
