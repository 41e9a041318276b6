"""The grid of an HTML table: which row and column each of its cells has (HTML, 4.9.12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from apps.pages.office.xml_parts import Element, local_name

MAX_ROWS = 2_000
"""A longer table becomes several."""
MAX_COLUMNS = 500
_BLOCKS = ("table", "p", "div", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "img", "center")


class HtmlCell(NamedTuple):
    element: Element
    row: int
    column: int
    row_span: int
    column_span: int
    is_header: bool


def rows_of(table: Element) -> list[tuple[Element, bool]]:
    """Return the rows of a table, not those of tables inside, and whether each is in its head; its foot comes last."""
    rows: list[tuple[Element, bool]] = []
    last: list[tuple[Element, bool]] = []
    for child in table:
        name = _name(child)
        if name == "tr":
            rows.append((child, False))
        elif name in ("thead", "tbody", "tfoot"):
            section = [(row, name == "thead") for row in child if _name(row) == "tr"]
            (last if name == "tfoot" else rows).extend(section)
    return rows + last


def is_layout(table: Element, rows: list[tuple[Element, bool]]) -> bool:
    """Return whether a table only places other elements, as those of newsletters do."""
    if (table.get("role") or "").lower() in ("presentation", "none"):
        return True
    if any(_name(cell) == "th" for row, _is_head in rows for cell in row) or table.find("caption") is not None:
        return False
    if (
        table.get("border") == "0"
        and next(table.iter("table"), None) is not None
        and len(list(table.iter("table"))) > 1
    ):
        return True
    has_one_column = all(sum(_name(cell) == "td" for cell in row) <= 1 for row, _is_head in rows)
    return has_one_column and any(next(row.iter(*_BLOCKS), None) is not None for row, _is_head in rows)


def parts_of(rows: list[tuple[Element, bool]]) -> Iterator[tuple[list[HtmlCell], bool]]:
    """Yield the cells of at most ``MAX_ROWS`` rows, and whether cells beyond ``MAX_COLUMNS`` are missing."""
    for first in range(0, len(rows), MAX_ROWS):
        yield _grid(rows[first : first + MAX_ROWS])


def _grid(rows: list[tuple[Element, bool]]) -> tuple[list[HtmlCell], bool]:
    cells, is_cut = [], False
    taken = [0] * MAX_COLUMNS  # for how many further rows a cell above covers each column
    for index, (row, is_head) in enumerate(rows):
        column = 0
        taken_here = [count > 0 for count in taken]
        taken = [max(0, count - 1) for count in taken]
        for element in row:
            name = _name(element)
            if name not in ("td", "th"):
                continue
            while column < MAX_COLUMNS and taken_here[column]:
                column += 1
            if column >= MAX_COLUMNS:
                is_cut = True
                break
            row_span = min(_number(element, "rowspan") or len(rows), len(rows) - index)
            column_span = 1
            wanted = min(_number(element, "colspan") or 1, MAX_COLUMNS - column)
            while column_span < wanted and not taken_here[column + column_span]:
                column_span += 1
            for covered in range(column, column + column_span):
                taken[covered] = row_span - 1
            cells.append(HtmlCell(element, index, column, row_span, column_span, is_head or name == "th"))
            column += column_span
    return cells, is_cut


def _number(element: Element, attribute: str) -> int:
    text = (element.get(attribute) or "").strip()[:6]
    return int(text) if text.isascii() and text.isdigit() else 1


def _name(element: Element) -> str:
    return local_name(element).lower()
