"""Write tables as an Excel workbook, a sheet for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import xlsxwriter

from apps.pages.output.cell_values import cell_value, separators_of
from apps.pages.output.sheet_names import SheetTable

# Excel's limit: it reports a file with a longer text as damaged.
MAX_CELL_CHARACTERS = 32_767
MAX_HEADER_ROWS = 20
_CUT = " [...]"


def write_workbook(tables: Iterable[SheetTable], out: BinaryIO) -> int:
    """Write the tables, and return how many there are; nothing is written if there is none.

    A cell is a number or a date if that shows exactly its text (``cell_values``), and text otherwise. It is never a
    formula. Cells over several rows or columns are merged, and header rows stay in view.
    """
    workbook: _Workbook | None = None
    count = 0
    for table in tables:
        workbook = workbook or _Workbook(out)
        workbook.add(table)
        count += 1
    if workbook is not None:
        workbook.close()
    return count


class _Workbook:
    def __init__(self, out: BinaryIO) -> None:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(out, options)
        self._formats: dict[tuple[str, bool], Any] = {}

    def add(self, table: SheetTable) -> None:
        sheet = self._book.add_worksheet(table.sheet)
        header_rows = _header_rows(table)
        if header_rows:
            sheet.freeze_panes(header_rows, 0)
            sheet.repeat_rows(0, header_rows - 1)
        separators = separators_of(text for row in table.rows for text in row)
        for row, cells in enumerate(table.rows):
            is_header = row < header_rows
            for column, text in enumerate(cells):
                value = None if is_header else cell_value(text, separators)
                if value is not None:
                    number_format = self._format(value.number_format, is_bold=False)
                    sheet.write_number(row, column, value.value, number_format)
                    continue
                if len(text) > MAX_CELL_CHARACTERS:
                    text = text[: MAX_CELL_CHARACTERS - len(_CUT)] + _CUT
                sheet.write_string(row, column, text, self._format("General", is_bold=is_header))
        # ``merge_range`` would go back to rows that are already written.
        sheet.merge.extend(_merged(table))

    def close(self) -> None:
        self._book.close()

    def _format(self, number_format: str, *, is_bold: bool) -> Any:
        if number_format == "General" and not is_bold:
            return None
        key = number_format, is_bold
        if key not in self._formats:
            self._formats[key] = self._book.add_format({"num_format": number_format, "bold": is_bold})
        return self._formats[key]


def _header_rows(table: SheetTable) -> int:
    """Return how many rows at the top have header cells; 0 if all rows have, or too many to stay in view."""
    rows = {cell.row for cell in table.cells if cell.header and cell.column + cell.column_span > 1}
    count = next(number for number in range(len(table.rows) + 1) if number not in rows)
    return count if count < len(table.rows) and count <= MAX_HEADER_ROWS else 0


def _merged(table: SheetTable) -> Iterator[list[int]]:
    """Yield first row, first column, last row and last column of each merged cell. None overlaps another."""
    taken: set[tuple[int, int]] = set()
    for cell in table.cells:
        if cell.row_span == cell.column_span == 1:
            continue
        rows, columns = range(cell.row, cell.row + cell.row_span), range(cell.column, cell.column + cell.column_span)
        places = {(row, column) for row in rows for column in columns}
        if taken.isdisjoint(places):
            taken |= places
            yield [rows[0], columns[0], rows[-1], columns[-1]]
