"""What is drawn on the sheets of an xls workbook is read: text boxes, charts, pictures."""

from __future__ import annotations

import struct
from pathlib import Path

from apps.pages.model.blocks import BlockType
from tests.unit.pages.office.office_files import markdown, read
from tests.unit.pages.office.older_workbooks import record, write_xls
from tests.unit.pages.office.xls_shapes import CHART, NOTE, PICTURE, TEXT_BOX, chart, shape

DUCKS = chart("Birds", {"Ducks": [80, 64.5], "Geese": [7, 9]}, ["2023", "2024"])
CELL = "|a|\n|-|"
TABLE = "Birds\n\n||Ducks|Geese|\n|-|-|-|\n|2023|80|7|\n|2024|64.5|9|"


def drawn_on_a_sheet(path: Path, drawn: bytes) -> tuple[str, tuple[str, ...]]:
    facts, [page] = read(write_xls(path / "old.xls", {"S": [["a"]]}, drawn=drawn))
    return markdown(page), (*facts.warnings, *page.warnings)


def test_text_boxes_come_after_the_cells_from_the_top(tmp_path: Path) -> None:
    boxes = shape(TEXT_BOX, row=9, text="Below") + shape(TEXT_BOX, row=1, text="Above the table\rTwo lines, größer")
    note = shape(NOTE, row=1, text="Ann: is a comment of a cell")

    text, warnings = drawn_on_a_sheet(tmp_path, boxes + note)

    assert text == f"## S\n\n{CELL}\n\nAbove the table\n\nTwo lines, größer\n\nBelow"
    assert warnings == ()


def test_a_chart_is_a_table_of_its_data(tmp_path: Path) -> None:
    text, warnings = drawn_on_a_sheet(tmp_path, shape(CHART, chart=DUCKS) + shape(TEXT_BOX, row=9, text="Below"))

    assert text == f"## S\n\n{CELL}\n\n{TABLE}\n\nBelow"
    assert warnings == ()


def test_a_sheet_that_is_a_chart_is_a_page(tmp_path: Path) -> None:
    facts, pages = read(write_xls(tmp_path / "old.xls", {"S": [["a"]]}, charts={"Plot": DUCKS}))

    assert [page.sheet_name for page in pages] == ["S", "Plot"]
    assert markdown(pages[1]) == f"## Plot\n\n{TABLE}"
    assert facts.warnings == ()


def test_a_picture_has_its_description_and_its_place(tmp_path: Path) -> None:
    drawn = shape(TEXT_BOX, row=9, text="Below") + shape(PICTURE, row=2, blip=1, description="A mill")
    [page] = read(write_xls(tmp_path / "old.xls", {"S": [["a"]]}, drawn=drawn))[1]

    assert [block.type for block in page.blocks[-2:]] == [BlockType.PICTURE, BlockType.PARAGRAPH]
    assert page.blocks[-2].description == "A mill"


def test_a_file_inside_a_sheet_is_announced(tmp_path: Path) -> None:
    described = struct.pack("<HHHHI", 0x15, 0x12, PICTURE, 1, 0) + bytes(10) + struct.pack("<HH", 0x09, 2) + bytes(2)

    assert drawn_on_a_sheet(tmp_path, record(0x5D, described))[1] == ("embedded_files_not_read",)


def test_drawings_that_make_no_sense_leave_the_cells(tmp_path: Path) -> None:
    broken = DUCKS[:24] + record(0x1065, b"\1\0") + record(0x203, bytes(3)) + record(0x0A)
    text, warnings = drawn_on_a_sheet(tmp_path, shape(CHART, chart=broken))

    assert text == f"## S\n\n{CELL}"
    assert warnings == ("drawings_not_read",)
