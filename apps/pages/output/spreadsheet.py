"""Write tables as an Excel workbook, a sheet for each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import BinaryIO

import xlsxwriter

from apps.pages.output.sheet_names import SheetTable

# Excel's limit: it reports a file with a longer text as damaged.
MAX_CELL_CHARACTERS = 32_767
_CUT = " [...]"
MAX_NUMBER_DIGITS = 15


def write_workbook(tables: Iterable[SheetTable], out: BinaryIO) -> int:
    """Write the tables, and return how many there are; nothing is written if there is none.

    A cell is a number if its text is exactly how a number is written, and text otherwise. It is never a formula.
    """
    workbook = None
    count = 0
    for table in tables:
        if workbook is None:
            options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
            workbook = xlsxwriter.Workbook(out, options)
        sheet = workbook.add_worksheet(table.sheet)
        for row, cells in enumerate(table.rows):
            for column, text in enumerate(cells):
                number = _number(text)
                if number is not None:
                    sheet.write_number(row, column, number)
                elif len(text) <= MAX_CELL_CHARACTERS:
                    sheet.write_string(row, column, text)
                else:
                    sheet.write_string(row, column, text[: MAX_CELL_CHARACTERS - len(_CUT)] + _CUT)
        count += 1
    if workbook is not None:
        workbook.close()
    return count


def _number(text: str) -> float | None:
    """Return the number that is written as exactly this text; None for "007", "1,000" and "2.50"."""
    if not text or len(text) > MAX_NUMBER_DIGITS or not text.isascii():
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    is_exact = text in (repr(number), repr(number).removesuffix(".0"))
    return number if is_exact and math.isfinite(number) else None
