"""Paragraphs that are set in on both sides are quotations in Markdown."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.model.blocks import Block, BlockType, Line
from apps.pages.model.geometry import Box
from tests.unit.pages.drawing import assembled, page

TEXT = "The leaves of the oak are larger than those of the elm, as everybody knows."


def paragraph(top: float, left: float, right: float, lines: int = 3, text: str = TEXT) -> Block:
    boxes = [Box(left, top + 12 * number, right, top + 12 * number + 10) for number in range(lines)]
    lines_ = tuple(Line(text, box, 10.0) for box in boxes)
    return Block(BlockType.PARAGRAPH, Box(left, top, right, boxes[-1].bottom), " ".join([text] * lines), lines_)


@pytest.mark.parametrize(
    ("left", "right", "lines", "is_quote"),
    [
        (100, 472, 3, True),
        (100, 540, 3, False),  # set in on the left alone
        (72, 472, 3, False),
        (80, 532, 3, False),
        (100, 472, 2, False),
    ],
)
def test_a_paragraph_set_in_on_both_sides_is_a_quotation(left: float, right: float, lines: int, is_quote: bool) -> None:
    quote = paragraph(160, left, right, lines)

    _, files = assembled([page(paragraph(100, 72, 540), quote, paragraph(220, 72, 540))])

    markdown = files["markdown.md"].decode().split("\n\n")
    assert [text.startswith("> ") for text in markdown] == [False, is_quote, False]
    assert ">" not in files["text.txt"].decode()


def test_a_narrow_paragraph_higher_on_the_page_is_no_quotation() -> None:
    columns = [paragraph(400, 72, 540), paragraph(100, 100, 472), paragraph(220, 72, 540)]

    _, files = assembled([page(*columns)])

    assert "> " not in files["markdown.md"].decode()


def test_formulas_between_paragraphs_are_no_quotation() -> None:
    formulas = paragraph(160, 100, 472, text="d(A, B) = d(A′, B′) + 2")

    _, files = assembled([page(paragraph(100, 72, 540), formulas, paragraph(220, 72, 540))])

    assert "> " not in files["markdown.md"].decode()


SHORT = paragraph(220, 72, 180, lines=1, text="The oaks are old.")
HEADING = msgspec.structs.replace(paragraph(220, 72, 200, lines=1, text="Elms"), type=BlockType.HEADING, level=2)
QUOTE = paragraph(160, 100, 472)


@pytest.mark.parametrize(
    ("blocks", "is_quote"),
    [
        ([QUOTE, paragraph(220, 72, 540)], True),  # the text before is on another page
        ([paragraph(100, 72, 540), QUOTE], True),
        ([paragraph(100, 72, 540), QUOTE, SHORT], True),
        ([paragraph(100, 72, 540), QUOTE, HEADING], True),
        ([QUOTE], False),
        ([QUOTE, SHORT], False),
        ([paragraph(160, 100, 472, text=f"Table 3. {TEXT}"), paragraph(220, 72, 540)], False),
        ([Block(BlockType.PICTURE, Box(72, 20, 540, 150)), QUOTE, paragraph(220, 72, 540)], False),
    ],
)
def test_a_quotation_at_a_page_end_or_beside_a_short_line(blocks: list[Block], is_quote: bool) -> None:
    _, files = assembled([page(*blocks)])

    assert ("> The leaves" in files["markdown.md"].decode()) is is_quote
