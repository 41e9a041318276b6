"""Headings and tables that models found, each on its page, fit together over the document."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.model.blocks import Block, BlockType, Bookmark, Cell, Page, Source
from apps.pages.model.geometry import Box
from tests.unit.pages.drawing import assembled, page, text_block
from tests.unit.pages.layout.test_survey import BODY, finished


def said(text: str, top: float, level: int = 0, *, size: float = 10.0, confidence: float | None = None) -> Block:
    """A heading or, without a level, a paragraph of a model."""
    block = text_block(text, top, size=size)
    lines = tuple(msgspec.structs.replace(line, confidence=confidence) for line in block.lines)
    kind = BlockType.HEADING if level else BlockType.PARAGRAPH
    return msgspec.structs.replace(block, type=kind, level=level, source=Source.MODEL, lines=lines)


def levels(*pages: Page) -> list[tuple[int, str]]:
    return [
        (block.level, block.text)
        for done in finished(*pages)
        for block in done.blocks
        if block.type is BlockType.HEADING
    ]


TITLE = said("Of Leaves", 150, 1, size=20), said("Oak", 200, 2, size=14), said(BODY, 230)


def test_alike_headings_have_one_level_on_all_pages() -> None:
    found = levels(page(*TITLE), page(said("Elm", 200, 1, size=14), said(BODY, 230), number=2))
    assert found == [(1, "Of Leaves"), (2, "Oak"), (2, "Elm")]


def test_smaller_headings_of_another_page_are_below_larger_ones() -> None:
    found = levels(page(*TITLE), page(said("Bark", 200, 1, size=12), said(BODY, 230), number=2))
    assert found == [(1, "Of Leaves"), (2, "Oak"), (3, "Bark")]


def test_levels_that_fit_together_stay() -> None:
    one = page(said("Of Leaves", 150, 2, size=14), said("Oak", 200, 2, size=20), said(BODY, 230))
    assert levels(one) == [(2, "Of Leaves"), (2, "Oak")]


def test_numbers_decide_for_headings_that_ocr_read() -> None:
    first = page(
        said("1 Leaves", 150, 1, confidence=0.9), said("1.1 Oak", 200, 2, size=11, confidence=0.9), said(BODY, 230)
    )
    second = page(said("1.2 Elm", 150, 1, size=12, confidence=0.9), said(BODY, 230), number=2)
    assert levels(first, second) == [(1, "1 Leaves"), (2, "1.1 Oak"), (2, "1.2 Elm")]


def test_the_outline_of_the_document_decides() -> None:
    outline = (Bookmark("Of Leaves", 1), Bookmark("Oak", 3))
    first = msgspec.structs.replace(page(*TITLE), outline=outline)
    assert levels(first) == [(1, "Of Leaves"), (3, "Oak")]


def test_headings_of_pages_without_a_model_decide() -> None:
    read = page(text_block("Of Leaves", 150, size=20), text_block("Oak", 200, size=14), text_block(BODY, 230))
    by_model = page(said("Elm", 200, 1, size=14), said(BODY, 230), number=2)
    assert levels(read, by_model) == [(1, "Of Leaves"), (2, "Oak"), (2, "Elm")]


def prices(rows: list[tuple[str, str]], top: float, *, header: bool, width: float) -> Block:
    """A table as a model gives it: its box is that of its words."""
    cells = tuple(
        Cell(row, column, text, header=header and row == 0, box=Box(x, top + 20 * row, x + width, top + 20 * row + 10))
        for row, texts in enumerate(rows)
        for column, (x, text) in enumerate(zip((72, 300), texts, strict=True))
    )
    box = Box(72, top, 300 + width, top + 20 * len(rows))
    return Block(BlockType.TABLE, box, cells=cells, source=Source.MODEL)


FIRST = prices([("Grain", "Price"), ("Oats", "30.00"), ("Barley", "28.70")], 700, header=True, width=60)


@pytest.mark.parametrize(
    "rows", [[("Rye", "15.75"), ("Spelt", "22.40")], [("Grain", "Price"), ("Rye", "15.75"), ("Spelt", "22.40")]]
)
def test_a_table_that_goes_on_is_one_table_in_the_markdown(rows: list[tuple[str, str]]) -> None:
    second = prices(rows, 80, header=len(rows) == 3, width=30)
    _, files = assembled([page(said(BODY, 100), FIRST), page(second, number=2)])
    markdown = files["markdown.md"].decode()
    assert (markdown.count("<table>"), markdown.count("Grain")) == (1, 1)
    assert markdown.index("28.70") < markdown.index("Rye") < markdown.index("22.40")


def test_a_table_with_another_header_is_another_table() -> None:
    second = prices([("Mill", "Year"), ("River mill", "1871")], 80, header=True, width=60)
    _, files = assembled([page(said(BODY, 100), FIRST), page(second, number=2)])
    assert files["markdown.md"].count(b"<table>") == 2
