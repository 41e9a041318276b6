"""Read the tables of slides (ECMA-376 part 1, 21.1.3)."""

from __future__ import annotations

from collections.abc import Mapping

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.office.drawing import texts
from apps.pages.office.xml_parts import Element, Relationship

MAX_ROWS, MAX_COLUMNS = 5_000, 500


def blocks_of_table(table: Element, links: Mapping[str, Relationship], box: Box = NO_BOX) -> list[Block]:
    """Return a table (a:tbl) with its merged cells; the first row is its header if the file says so."""
    properties = table.find("{*}tblPr")
    has_header = properties is not None and properties.get("firstRow") in ("1", "true")
    rows = table.findall("{*}tr")[:MAX_ROWS]
    cells = []
    for row, element in enumerate(rows):
        columns = element.findall("{*}tc")[:MAX_COLUMNS]
        for column, cell in enumerate(columns):
            if cell.get("hMerge") in ("1", "true") or cell.get("vMerge") in ("1", "true"):
                continue
            text, spans = texts.joined(texts.paragraphs_of(cell.find("{*}txBody"), links), "\n")
            cells.append(
                Cell(
                    row=row,
                    column=column,
                    text=text,
                    row_span=_span(cell, "rowSpan", len(rows) - row),
                    column_span=_span(cell, "gridSpan", len(columns) - column),
                    header=has_header and row == 0,
                    spans=spans,
                )
            )
    return [Block(type=BlockType.TABLE, box=box, cells=tuple(cells))] if cells else []


def _span(cell: Element, name: str, room: int) -> int:
    value = cell.get(name, "1")
    return max(1, min(int(value), room)) if value.isdigit() else 1
