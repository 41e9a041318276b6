"""Workbooks of older programs and of LibreOffice give what workbooks of today's programs give."""

from __future__ import annotations

import struct
import time
import zipfile
from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType
from apps.pages.model.errors import DamagedDocument
from apps.pages.model.office_options import AS_USUAL
from apps.pages.office.sheets.binary import xlsb
from tests.unit.pages.office.office_files import markdown, read
from tests.unit.pages.office.older_workbooks import (
    SECTOR,
    binary,
    compound,
    wide,
    write_early_xls,
    write_xls,
    write_xlsb,
)

ROWS: list[list[float | str]] = [["Product", "Share"], ["Tea & milk", 0.125]]
SHOWN = "## Sales\n\n|Product|Share|\n|-|-|\n|Tea & milk|12.5%|"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("draw", "drawing"),
        ("svg", "svg-compatible"),
        ("chart", "chart"),
    )
)


def ods(path: Path, tables: str, styles: str = "", **parts: str) -> Path:
    body = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>{tables}</office:body>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", ODS)
        archive.writestr("content.xml", f"<office:document-content {NAMES}>{body}</office:document-content>")
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def cell(text: str = "", attributes: str = "", more: str = "") -> str:
    lines = "".join(f"<text:p>{line}</text:p>" for line in text.split("|")) if text else ""
    return f"<table:table-cell {attributes}>{more}{lines}</table:table-cell>"


def row(*cells: str, attributes: str = "") -> str:
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def table(name: str, *rows: str, attributes: str = "") -> str:
    return f'<table:table table:name="{name}" {attributes}>{"".join(rows)}</table:table>'


def test_xls_has_its_values_as_they_are_shown(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "old.xls", {"Sales": ROWS, "Secret": [["x"]]}, code="0.0%", hidden="Secret")

    facts, [page] = read(path)
    assert (facts.media_type, facts.warnings) == ("application/vnd.ms-excel", ("hidden_sheets_left_out",))
    assert markdown(page) == SHOWN
    assert [page.sheet_name for page in read(path, hidden_sheets=True)[1]] == ["Sales", "Secret"]


def test_xls_whose_records_make_no_sense_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "broken.xls"
    path.write_bytes(compound("Workbook", b"\x09\x08\xff\xff" * 2_000))
    with pytest.raises(DamagedDocument):
        read(path)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_workbooks_of_excel_2_to_4_are_read(tmp_path: Path, version: int) -> None:
    facts, [page] = read(write_early_xls(tmp_path / "early.xls", ["Einnahmen", "früher"], version))

    assert facts.media_type == "application/vnd.ms-excel"
    assert [cell.text for cell in page.blocks[-1].cells] == ["Einnahmen", "früher"]


def test_empty_cells_of_xls_cost_nothing(tmp_path: Path) -> None:
    rows: list[list[float | str]] = [["first"], *[[] for _ in range(60_000)], [*[""] * 250, "last"]]
    path = write_xls(tmp_path / "far.xls", {"Sales": rows})
    started = time.process_time()
    [page] = read(path)[1]

    assert {"first", "last"} <= {cell.text for block in page.blocks for cell in block.cells} | {
        block.text for block in page.blocks
    }
    assert time.process_time() - started < 3


def test_xls_whose_streams_share_sectors_is_read(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "shared.xls", {"Sales": ROWS}, code="0.0%")
    content = bytearray(path.read_bytes())
    root = 2 * SECTOR + 116  # where the stream of short sectors begins, and its size
    content[root : root + 8] = struct.pack("<II", 2, SECTOR)
    path.write_bytes(bytes(content))

    assert markdown(read(path)[1][0]) == SHOWN


def test_xls_with_a_name_that_makes_no_sense_is_read(tmp_path: Path) -> None:
    area_that_is_only_in_cells = b"\x2d" + bytes(8)
    path = write_xls(tmp_path / "named.xls", {"Sales": [["a", 1.5]]}, names=(area_that_is_only_in_cells,))

    facts, [page] = read(path)
    assert "document_repaired" in facts.warnings
    assert [cell.text for cell in page.blocks[-1].cells] == ["a", "1.5"]


def test_xlsb_has_its_values_as_they_are_shown(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "binary.xlsb", "Sales", ROWS, code="0.0%")

    facts, [page] = read(path)
    assert facts.media_type == "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
    assert facts.warnings == ("hidden_sheets_left_out",)
    assert markdown(page) == SHOWN
    assert [page.sheet_name for page in read(path, hidden_sheets=True)[1]] == ["Sales", "Secret"]


def test_every_kind_of_cell_of_xlsb_is_read(tmp_path: Path) -> None:
    def cell(kind: int, column: int, value: bytes) -> bytes:
        return binary(kind, struct.pack("<II", column, 0) + value)

    row = binary(0, struct.pack("<I", 1) + bytes(13))
    packed = (1_234 << 2 | 3, -5 << 2 & 0xFFFFFFFF | 2, struct.unpack("<2I", struct.pack("<d", 2.5))[1])
    cells = b"".join(cell(2, column, struct.pack("<I", number)) for column, number in enumerate(packed))
    cells += cell(3, 3, b"\x2a") + cell(4, 4, b"\x01") + cell(62, 5, b"\x00" + wide("rich"))
    cells += cell(8, 6, wide("made") + bytes(8)) + cell(9, 7, struct.pack("<d", 7) + bytes(8))
    cells += cell(10, 8, b"\x00" + bytes(8)) + cell(11, 9, b"\x07" + bytes(8))
    cells += binary(17, bytes(4) + wide("next"))  # without a column
    path = write_xlsb(tmp_path / "binary.xlsb", "Kinds", [["first"]], more=row + cells)

    cells_of_page = read(path)[1][0].blocks[-1].cells
    expected = "12.34 -5 2.5 #N/A TRUE rich made 7 FALSE #DIV/0! next"
    assert " ".join(cell.text for cell in cells_of_page if cell.text != "first") == expected


def test_spans_links_comments_and_running_lines_of_xlsb_are_read(tmp_path: Path) -> None:
    area = struct.pack("<4I", 0, 0, 0, 1)
    more = binary(176, area) + binary(494, struct.pack("<4I", 1, 1, 0, 0) + wide("rId9") + wide("") * 3)
    more += binary(479, bytes(2) + wide("&LDraft of &D") + wide("Page &P"))
    comments = binary(632, wide("Ann")) + binary(635, bytes(4) + struct.pack("<4I", 1, 1, 1, 1) + bytes(16))
    comments += binary(637, b"\0" + wide("Counted twice"))
    rows: list[list[float | str]] = [["Both", "", "Other"], ["more", 1.0, 2.0]]
    [page] = read(write_xlsb(tmp_path / "binary.xlsb", "S", rows, more=more, comments=comments))[1]

    table = next(block for block in page.blocks if block.cells)
    assert table.cells[0].column_span == 2
    assert "[more](https://example.org)" in markdown(page)
    assert markdown(page).endswith("B2 (Ann): Counted twice")
    assert [block.text for block in page.blocks if block.type is BlockType.PAGE_HEADER] == ["Draft of"]


def test_xlsb_whose_records_end_too_early_is_damaged(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "binary.xlsb", "S", [["a"]], more=binary(494, bytes(17)))

    with pytest.raises(DamagedDocument):
        xlsb.open_file(str(path), None, AS_USUAL).page(1)


def test_ods_has_the_text_of_its_cells(tmp_path: Path) -> None:
    note = "<office:annotation><text:p>Counted twice</text:p></office:annotation>"
    rows = (
        row(cell("Product"), cell("Share")),
        row(cell("Tea &amp;<text:s/>milk"), cell("12.5%", 'office:value-type="percentage"', note)),
    )
    _facts, [page] = read(ods(tmp_path / "free.ods", table("Sales", *rows)))

    assert markdown(page) == f"{SHOWN}\n\nB2: Counted twice"


def test_cells_of_ods_without_text_have_their_values(tmp_path: Path) -> None:
    values = (
        'string-value="Item" office:value-type="string"', 'value="2.50" office:value-type="float"',
        'value="0.125" office:value-type="percentage"', 'boolean-value="true" office:value-type="boolean"',
        'date-value="2026-12-01" office:value-type="date"',
        'value="3" office:value-type="currency" office:currency="EUR"',
    )  # fmt: skip
    cells = [f"<table:table-cell office:{value}/>" for value in values]
    [page] = read(ods(tmp_path / "values.ods", table("S", row(*cells))))[1]

    assert [cell.text for cell in page.blocks[-1].cells] == ["Item", "2.5", "12.5%", "TRUE", "2026-12-01", "3 EUR"]


def test_repeated_rows_and_cells_are_there_as_often_and_empty_ones_cost_nothing(tmp_path: Path) -> None:
    rows = (
        row(cell("a", 'table:number-columns-repeated="2"'), attributes='table:number-rows-repeated="2"'),
        row(
            cell(attributes='table:number-columns-repeated="16384"'), attributes='table:number-rows-repeated="1048573"'
        ),
        row(cell("end")),
    )
    [page] = read(ods(tmp_path / "free.ods", table("T", *rows)))[1]

    assert markdown(page) == "## T\n\n|a|a|\n|-|-|\n|a|a|\n\nend"


def test_spans_links_hidden_sheets_and_charts_of_ods_are_read(tmp_path: Path) -> None:
    link = '<text:p><text:a xmlns:x="http://www.w3.org/1999/xlink" x:href="https://example.org">more</text:a></text:p>'
    address = 'xmlns:x="http://www.w3.org/1999/xlink" x:href="./Object 1"'
    frame = f"<draw:frame><draw:object {address}/><draw:image/></draw:frame>"
    chart = table("local-table", row(cell(), cell("Ducks")), row(cell("2023"), cell("80")))
    style = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    shown = table(
        "One",
        f"<table:shapes>{frame}</table:shapes>",
        row(cell("Both", 'table:number-columns-spanned="2"'), "<table:covered-table-cell/>", cell("Other")),
        row(cell(more=link), cell("1"), cell("2")),
    )
    hidden = table("Two", row(cell("x")), attributes='table:style-name="ta2"')
    parts = {"Object 1__content.xml": f"<office:d {NAMES}><chart:chart>{chart}</chart:chart></office:d>"}
    facts, [page] = read(ods(tmp_path / "free.ods", shown + hidden, style, **parts))

    assert facts.warnings == ("hidden_sheets_left_out",)
    assert page.blocks[1].cells[0].column_span == 2
    assert "[more](https://example.org)" in markdown(page)
    assert markdown(page).endswith("||Ducks|\n|-|-|\n|2023|80|")
    assert page.warnings == ()
