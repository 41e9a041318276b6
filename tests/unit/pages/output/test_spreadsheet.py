"""Tables as a workbook: no formula, no number that differs from its text."""

from __future__ import annotations

import io
import zipfile

import pytest

from apps.pages.output.sheet_names import SheetNames, SheetTable
from apps.pages.output.spreadsheet import MAX_CELL_CHARACTERS, write_workbook


def sheet_of(*cells: str) -> str:
    out = io.BytesIO()
    assert write_workbook([SheetTable("Page 1, table 1", [cells])], out) == 1
    with zipfile.ZipFile(out) as workbook:
        return workbook.read("xl/worksheets/sheet1.xml").decode()


@pytest.mark.parametrize("text", ["8", "-3", "6.3", "0", "123456789012345"])
def test_a_text_that_is_exactly_a_number_becomes_one(text: str) -> None:
    assert f"<v>{text}</v>" in sheet_of(text)


@pytest.mark.parametrize("text", ["007", "1,000", "2.50", "1e5", "nan", "inf", "١٢", "1234567890123456", "3 %", "+1"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    sheet = sheet_of(text)
    assert f"<t>{text}</t>" in sheet
    assert "<v>" not in sheet


@pytest.mark.parametrize("text", ["=1+1", "=HYPERLINK(A1)", "@SUM(A1)", "{=1}", "https://example.org"])
def test_a_text_never_becomes_a_formula_or_a_link(text: str) -> None:
    sheet = sheet_of(text)
    assert f"<t>{text}</t>" in sheet
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet.lower().replace(text.lower(), "")


def test_a_text_that_excel_does_not_take_is_cut_visibly() -> None:
    assert "x [...]</t>" in sheet_of("x" * (MAX_CELL_CHARACTERS + 1))


def test_without_tables_nothing_is_written() -> None:
    out = io.BytesIO()
    assert write_workbook([], out) == 0
    assert out.getvalue() == b""


def test_names_of_sheets_are_unique_short_and_allowed() -> None:
    names = SheetNames()
    assert names.unique("Sales: 2025/2026") == "Sales 2025 2026"
    assert names.unique("SALES 2025 2026") == "SALES 2025 2026 2"
    assert names.unique("History") == "History 2"
    assert names.unique("'[]'") == "Table"
    long = [names.unique("A heading that is far too long for a sheet") for _ in range(2)]
    assert max(len(name) for name in long) == 31
    assert len(set(long)) == 2
