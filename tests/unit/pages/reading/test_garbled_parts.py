"""Garbled parts of a page are read by OCR; the rest of its text layer stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Block, BlockType, Cell, Line, Page, Source
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

CLEAR = [
    "The river mill has stood at the weir for three hundred years and its",
    "wheel still turns every working day of the week although the miller",
    "now sells most of the flour to the bakers of the town.",
    "The mill keeps a record of every sack that leaves the yard.",
]
TOP, BOTTOM = Box(50, 100, 500, 112), Box(50, 140, 500, 152)


def rotated(text: str) -> str:
    """Return the text with the next letter in place of each."""
    small = "abcdefghijklmnopqrstuvwxyz"
    return text.translate(str.maketrans(small + small.upper(), small[1:] + "a" + small[1:].upper() + "A"))


def read(path: Path, garbled: list[str]) -> Page:
    """Return a page of clear lines, and garbled ones in another font."""
    sheet = Sheet().lines(72, 100, CLEAR * 3)
    for number, text in enumerate(garbled):
        sheet.text(72, 300 + 14 * number, text, bold=True)
    (page,) = read_pages(write_pdf(path, sheet), [1])
    assert isinstance(page, Page)
    return page


@pytest.mark.parametrize("garbled", [[rotated(line) for line in CLEAR[:2]], ["Die MÃ¼hle zahlt fÃ¼r das GetrÃ¤nk"]])
def test_the_places_of_garbled_text_go_to_ocr(tmp_path: Path, garbled: list[str]) -> None:
    page = read(tmp_path / "a.pdf", garbled)

    assert (page.needs_ocr, page.warnings) == ("garbled_parts", ("text_unreliable",))
    assert [round(box.top, -1) for box in page.garbled] == [300, 310][: len(garbled)]


def recognition(*texts: tuple[str, Box], confidence: float = 0.9) -> Recognition:
    lines = []
    for text, box in texts:
        step = box.width / len(text)
        words, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            x0, x1 = box.x0 + step * at, box.x0 + step * (at + len(word))
            words.append(RecognizedWord(word, x0, box.top, x1, box.bottom, confidence))
            at += len(word)
        lines.append(RecognizedLine(tuple(words), box, confidence))
    return Recognition(tuple(lines), (), 612.0, 792.0, 0, 0.0, "test", "1", ("en",), confidence, 0.1, ())


def paragraph(text: str, box: Box) -> Block:
    return Block(BlockType.PARAGRAPH, box, text, (Line(text, box),))


def suspected(*blocks: Block, garbled: Box = BOTTOM) -> Page:
    warnings = ("text_unreliable",)
    return Page(1, 612.0, 792.0, blocks, needs_ocr="garbled_parts", warnings=warnings, garbled=(garbled,))


def test_only_the_garbled_block_is_replaced() -> None:
    page = suspected(paragraph(CLEAR[0], TOP), paragraph(rotated(CLEAR[1]), BOTTOM))

    found = apply_recognition(page, recognition(("The rlver mlll", TOP), (CLEAR[1], BOTTOM)))

    assert [(block.text, block.source) for block in found.blocks] == [
        (CLEAR[0], Source.TEXT_LAYER),
        (CLEAR[1], Source.OCR),
    ]
    assert (found.needs_ocr, found.garbled, found.warnings) == ("", (), ("parts_recognized",))


def test_a_suspected_part_that_ocr_confirms_is_kept() -> None:
    page = suspected(paragraph(CLEAR[0], BOTTOM))

    found = apply_recognition(page, recognition((CLEAR[0].replace("three", "thrce"), BOTTOM)))

    assert [(block.text, block.source) for block in found.blocks] == [(CLEAR[0], Source.TEXT_LAYER)]
    assert found.warnings == ()


def test_a_part_that_ocr_cannot_read_keeps_its_text_and_its_warning() -> None:
    page = suspected(paragraph("\ue001\ue002\ue003\ue004", BOTTOM))

    found = apply_recognition(page, recognition(("oO0o", BOTTOM), confidence=0.5))

    assert [block.text for block in found.blocks] == ["\ue001\ue002\ue003\ue004"]
    assert "text_unreliable" in found.warnings


def test_a_part_without_a_letter_comes_to_its_place() -> None:
    last = Box(50, 200, 500, 212)
    page = suspected(paragraph(CLEAR[0], TOP), paragraph(CLEAR[2], last))

    found = apply_recognition(page, recognition((CLEAR[0], TOP), (CLEAR[1], BOTTOM), (CLEAR[2], last)))

    assert [block.text for block in found.blocks] == CLEAR[:3]


def test_only_the_garbled_cell_of_a_table_is_replaced() -> None:
    name, price = Box(50, 140, 250, 152), Box(300, 140, 500, 152)
    table = Block(BlockType.TABLE, BOTTOM, cells=(Cell(0, 0, "Gjof gmpvs", box=name), Cell(0, 1, "14.50", box=price)))

    found = apply_recognition(suspected(table, garbled=name), recognition(("Fine flour", name), ("l4.50", price)))

    assert [cell.text for cell in found.blocks[0].cells] == ["Fine flour", "14.50"]
    assert found.blocks[0].source is Source.OCR
