"""Tables as a workbook: no formula, no number that differs from its text."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from apps.pages.model.blocks import Cell
from apps.pages.output.cell_values import cell_value
from apps.pages.output.sheet_names import SheetNames, SheetTable
from apps.pages.output.spreadsheet import MAX_CELL_CHARACTERS, write_workbook


def parts_of(*tables: SheetTable) -> tuple[str, str]:
    """Return the XML of the first sheet and of the formats."""
    out = io.BytesIO()
    assert write_workbook(tables, out) == len(tables)
    with zipfile.ZipFile(out) as workbook:
        return workbook.read("xl/worksheets/sheet1.xml").decode(), workbook.read("xl/styles.xml").decode()


def sheet_of(*cells: str) -> str:
    return parts_of(SheetTable("Page 1, table 1", [cells]))[0]


@pytest.mark.parametrize("text", ["8", "-3", "6.3", "0", "123456789012345"])
def test_a_text_that_is_exactly_a_number_becomes_one(text: str) -> None:
    assert f"<v>{text}</v>" in sheet_of(text)


@pytest.mark.parametrize(
    ("text", "value", "number_format"),
    [
        ("2.50", 2.5, "0.00"),
        ("1,234.50", 1234.5, "#,##0.00"),
        ("-1,234,567", -1234567.0, "#,##0"),
        ("12%", 0.12, "0%"),
        ("12.5 %", 0.125, '0.0" "%'),
        ("$1,234.50", 1234.5, '"$"#,##0.00'),
        ("-€ 7.00", -7.0, '"€ "0.00'),
        ("12.00 EUR", 12.0, '0.00" EUR"'),
        ("2024-02-29", 45351.0, "yyyy-mm-dd"),
        ("2024-02-29 17:05", 45351 + (17 * 60 + 5) / 1440, "yyyy-mm-dd hh:mm"),
    ],
)
def test_other_numbers_and_dates_have_a_format_that_shows_their_text(
    text: str, value: float, number_format: str
) -> None:
    assert cell_value(text) == (value, number_format)
    sheet, styles = parts_of(SheetTable("Page 1, table 1", [[text]]))
    assert "<t>" not in sheet
    assert "<v>" in sheet
    if number_format not in ("0%", "0.00", "#,##0", "#,##0.00"):  # Excel knows these by number
        assert number_format.replace('"', "&quot;") in styles


@pytest.mark.parametrize("text", ["007", "1,000", "1e5", "nan", "inf", "١٢", "1234567890123456", "+1", "-0", "1.234,50",
    "(12.50)", "0049 30 1234567", "12-34", "2023-02-29", "1899-01-01", "$1.00 EUR", "1,23,456", "12,5", "1.2.3", "5 kg",
    "USD12"])  # fmt: skip
def test_any_other_text_stays_as_it_is(text: str) -> None:
    sheet = sheet_of(text)
    assert f"<t>{text}</t>" in sheet
    assert "<v>" not in sheet


def test_commas_are_read_as_the_other_numbers_of_the_table_show() -> None:
    assert sheet_of("1,000", "1,234.5").count("<v>") == 2
    for others in (("12,5", "1.234"), ("1.234,50", "1.234"), ("0,125", "1.234")):
        assert "<v>" not in sheet_of("1,000", *others)
    assert "<v>1.234</v>" in sheet_of("1.234")


def test_cells_are_merged_and_header_rows_stay_in_view() -> None:
    rows = [["Year", "Tons", ""], ["", "Coal", "Ore"], ["2024", "1", "2"], ["", "3", "4"]]
    cells = [
        Cell(0, 0, "Year", row_span=2, header=True),
        Cell(0, 1, "Tons", column_span=2, header=True),
        Cell(1, 1, "Coal", header=True),
        Cell(1, 2, "Ore", header=True),
        Cell(2, 0, "2024", row_span=2, header=True),
        Cell(3, 0, "overlaps", column_span=2),
    ]
    sheet, _ = parts_of(SheetTable("Freight", rows, cells))
    assert re.findall(r'<mergeCell ref="([^"]+)"', sheet) == ["A1:A2", "B1:C1", "A3:A4"]
    assert 'ySplit="2"' in sheet
    assert 'state="frozen"' in sheet
    assert sheet.count("<v>") == 5


def test_a_table_of_header_cells_alone_keeps_none_in_view() -> None:
    cells = [Cell(0, 0, "a", header=True), Cell(0, 1, "b", header=True)]
    assert "frozen" not in parts_of(SheetTable("Freight", [["a", "b"]], cells))[0]


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
