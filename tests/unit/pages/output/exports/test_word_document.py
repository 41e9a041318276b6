"""The document as a Word file, read back by python-docx."""

from __future__ import annotations

import io
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn
from PIL import Image

from apps.pages.model.blocks import Block, BlockType, Cell, Page, PageFailure, TextSpan
from apps.pages.model.errors import PageTimeout
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output.exports import word_document
from apps.pages.output.exports.word_document import MAX_COLUMNS, write_docx
from tests.unit.pages.drawing import page, text_block

PLACE = Box(72, 100, 272, 200)
ITEM = BlockType.LIST_ITEM


def read(*pages: Page | PageFailure, **options: Any) -> Any:
    out = io.BytesIO()
    write_docx(pages, out, title="report.pdf", **options)
    return docx.Document(out)


def test_blocks_have_words_own_styles_and_keep_their_numbers() -> None:
    document = read(
        page(
            text_block("Annual report", kind=BlockType.PAGE_HEADER),
            text_block("Of Leaves", kind=BlockType.HEADING, level=2, marker="2.1"),
            text_block("Green \x0bleaves."),
            text_block("oak", kind=ITEM, marker="•", level=1),
            text_block("acorn", kind=ITEM, marker="•", level=2),
            text_block("fourth", kind=ITEM, marker="4.", level=1),
            text_block("open", kind=ITEM, marker="☐", level=1),
            text_block("Quoted", level=1),
            text_block("A leaf", kind=BlockType.CAPTION),
        ),
        PageFailure(2, "page_timeout", "Too slow."),
    )
    assert [(each.style.name, each.text) for each in document.paragraphs] == [
        ("Heading 2", "2.1 Of Leaves"),
        ("Normal", "Green leaves."),
        ("List Bullet", "oak"),
        ("List Bullet 2", "acorn"),
        ("List", "4. fourth"),
        ("List", "☐ open"),
        ("Quote", "Quoted"),
        ("Intense Quote", "Page 2 could not be read: page_timeout. Too slow."),
        ("Caption", "A leaf"),
    ]
    assert document.core_properties.title == "report.pdf"


def test_parts_of_a_text_are_set_apart_and_links_lead_somewhere() -> None:
    spans = (TextSpan(0, 4, bold=True), TextSpan(6, 7, level=-1), TextSpan(9, 13, url="https://a.example/"))
    document = read(page(Block(BlockType.PARAGRAPH, PLACE, "Bold H2O link.", spans=spans)))
    (paragraph,) = document.paragraphs
    assert paragraph.text == "Bold H2O link."
    assert [(run.text, run.bold, run.font.subscript) for run in paragraph.runs] == [
        ("Bold", True, None),
        (" H", None, None),
        ("2", None, True),
        ("O ", None, None),
        (".", None, None),
    ]
    assert [(link.text, link.address) for link in paragraph.hyperlinks] == [("link", "https://a.example/")]
    hebrew = read(page(text_block("שלום"))).paragraphs[0]
    assert hebrew._p.pPr.find(qn("w:bidi")) is not None


def test_tables_have_merged_cells_and_header_rows() -> None:
    cells = (
        Cell(0, 0, "Cargo", header=True), Cell(0, 1, "Tons", column_span=2, header=True),
        Cell(1, 0, "Coal", row_span=2), Cell(1, 1, "1"), Cell(1, 2, "2\nlines"), Cell(2, 1, "3"), Cell(2, 2, "4"),
    )  # fmt: skip
    (table,) = read(page(Block(BlockType.TABLE, PLACE, cells=cells))).tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["Cargo", "Tons", "Tons"],
        ["Coal", "1", "2\nlines"],
        ["Coal", "3", "4"],
    ]
    assert [row._tr.trPr is not None for row in table.rows] == [True, False, False]


def test_a_table_that_is_too_wide_for_word_is_text_with_a_note() -> None:
    cells = tuple(Cell(0, column, f"c{column}") for column in range(MAX_COLUMNS + 1))
    document = read(page(Block(BlockType.TABLE, PLACE, cells=cells)))
    assert not document.tables
    note, row = document.paragraphs
    assert "64 columns" in note.text
    assert row.text.split("\t") == [cell.text for cell in cells]


def test_a_paragraph_over_two_pages_is_one_and_pictures_stay_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_document, "MAX_EMBEDDED_PICTURES", 2)
    jpeg = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(jpeg, "JPEG")

    def picture_of(shown: Page, _box: Box) -> bytes:
        if shown.number == 2:
            raise PageTimeout
        return jpeg.getvalue()

    def picture(text: str, box: Box = PLACE) -> Block:
        return Block(BlockType.PICTURE, box, description=text)

    first = page(text_block("Before."), picture("A ship"), text_block("The captain of the", 700))
    second = page(text_block("ship went on.", 50), picture("A port"), number=2)
    third = page(picture("Not shown"), picture("No place", NO_BOX), number=3)
    document = read(first, second, third, picture_of=picture_of)
    texts = [each.text for each in document.paragraphs if each.text]
    assert texts == [
        "Before.", "A ship", "The captain of the ship went on.", "A port", "Not shown", "No place",
        "2 more pictures are not shown.",
    ]  # fmt: skip
    (shown,) = document.inline_shapes
    assert shown._inline.docPr.get("descr") == "A ship"
    assert shown.width.pt == 200
