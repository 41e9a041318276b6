"""Text layers that are not the text of their page: what they say is not taken for it, and nothing is lost silently."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

LINES = [
    "The river mill has stood at the weir for three hundred years and its",
    "wheel still turns every working day of the week although the miller",
    "now sells most of the flour to the bakers of the town.",
]


def read(path: str) -> Page:
    (page,) = read_pages(path, [1])
    assert isinstance(page, Page)
    return page


def text_of(page: Page) -> str:
    return " ".join(block.text for block in page.blocks)


def recognized(*texts: str) -> Recognition:
    lines = []
    for number, text in enumerate(texts):
        top = 100.0 + 16 * number
        places = range(50, 650, 60)
        words = tuple(
            RecognizedWord(word, x, top, x + 50, top + 12, 0.9) for x, word in zip(places, text.split(), strict=False)
        )
        lines.append(RecognizedLine(words, Box(50, top, words[-1].x1, top + 12), 0.9))
    return Recognition(tuple(lines), (), 612.0, 792.0, 0, 0.0, "test", "1", ("en",), 0.9, 0.1, ())


def test_a_line_of_control_characters_does_not_cost_the_page(tmp_path: Path) -> None:
    sheet = Sheet().text(72, 100, LINES[0])
    sheet.raw(rb"BT /F0 11 Tf 72 670 Td (\004\005\010) Tj ET")
    sheet.lines(72, 130, LINES[1:])

    page = read(write_pdf(tmp_path / "a.pdf", sheet))

    assert text_of(page).split() == " ".join(LINES).split()
    assert page.needs_ocr == ""
    assert "text_cleaned" in page.warnings


def test_a_page_of_control_characters_goes_to_ocr(tmp_path: Path) -> None:
    sheet = Sheet()
    for number in range(20):
        codes = b"".join(rb"\%03o" % (1 + (7 * number + 3 * at) % 31) for at in range(40))
        sheet.raw(b"BT /F0 11 Tf 72 %d Td (%s) Tj ET" % (700 - 14 * number, codes))

    page = read(write_pdf(tmp_path / "a.pdf", sheet))

    assert page.needs_ocr == "garbled_text"
    assert "text_unreliable" in page.warnings


def suspected() -> Page:
    box = Box(50, 100, 500, 150)
    block = Block(BlockType.PARAGRAPH, box, " ".join(LINES))
    return Page(1, 612.0, 792.0, (block,), needs_ocr="garbled_text", warnings=("text_unreliable",))


def test_a_suspected_text_layer_is_kept_when_the_picture_says_the_same() -> None:
    page = apply_recognition(suspected(), recognized(*LINES[:2], "now seIls most of the fIour to"))

    assert text_of(page) == " ".join(LINES)
    assert (page.needs_ocr, page.warnings) == ("", ())


def test_a_text_layer_that_contradicts_the_picture_is_replaced() -> None:
    page = apply_recognition(suspected(), recognized("Payment is due within thirty days of the delivery."))

    assert text_of(page) == "Payment is due within thirty days of the delivery."
    assert (page.needs_ocr, page.warnings) == ("", ())


@pytest.mark.parametrize("text", ["", "\N{REPLACEMENT CHARACTER}"])
def test_a_suspected_text_layer_keeps_its_warning_when_ocr_reads_nothing(text: str) -> None:
    page = msgspec.structs.replace(suspected(), blocks=(Block(BlockType.PARAGRAPH, Box(50, 100, 500, 150), text),))

    found = apply_recognition(page, msgspec.structs.replace(recognized("x"), lines=()))

    assert (text_of(found), found.needs_ocr, found.warnings) == (text, "", ("text_unreliable",))
