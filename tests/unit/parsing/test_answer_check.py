"""OCR is the third witness: where a model and a text layer disagree, the reading that OCR confirms wins."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.region_table import RegionTable
from apps.parsing.answer_check import ANSWER_DIFFERS, CheckedAnswer, PageToParse, check_answer
from apps.parsing.answers.parse_answer import end_line
from apps.parsing.errors import UnusableAnswer
from apps.parsing.prompts.messages import CustomInstructions
from apps.providers.calls.attempts import CallScope
from apps.providers.ledger import CallFor
from tests.unit.pages.drawing import page
from tests.unit.parsing.test_alignment import lines_block

PRINTED = (
    "The mill grinds 1,234.50 tonnes of oats and 88 tonnes of rye",
    "in a year and has done so since 1871 without an interruption.",
    "Visitors are welcome on Sundays between 10 and 16 o'clock.",
)
RIGHT = " ".join(PRINTED)


def shifted(text: str) -> str:
    """The text with each letter and digit mapped to the next one, as a broken character map gives it."""
    return "".join(chr(ord(sign) + 1) if sign.isalnum() else sign for sign in text)


class Scan:
    """The pictures of a page on which OCR reads these lines; without lines there is no OCR."""

    def __init__(self, *lines: str) -> None:
        self._lines = lines

    def recognized(self, page: Page) -> Page:
        if not self._lines:
            raise PageError("No engine is installed.")
        block = lines_block(*self._lines, top=200, width=360)
        return Page(page.number, page.width, page.height, blocks=(with_source(block),))

    def page(self, page: Page, pixels: int = 0) -> bytes:
        raise NotImplementedError

    def region(self, page: Page, box: Box, dpi: float = 300.0) -> bytes:
        raise NotImplementedError

    def text(self, page: Page, box: Box) -> str:
        raise NotImplementedError

    def table(self, page: Page, box: Box, columns: Sequence[float]) -> RegionTable:
        raise NotImplementedError


def with_source(block: Block) -> Block:
    return Block(block.type, block.box, block.text, block.lines, source=Source.OCR)


def checked(
    answer: str,
    *lines: str,
    read: Sequence[str] = (),
    sees_picture: bool = True,
    refuses: bool = True,
    picture: bool = False,
) -> CheckedAnswer:
    """Check an answer to a page whose text layer has ``lines`` and on which OCR reads ``read``."""
    blocks = [lines_block(*lines, top=200, width=360)]
    if picture:
        blocks.append(Block(BlockType.PICTURE, Box(72, 400, 400, 600)))
    to_parse = PageToParse(
        page(*blocks),
        CustomInstructions(),
        CallScope(CallFor(uuid.UUID(int=1), "pjb-1", 1, "lvm")),
        Scan(*read),
        refuses=refuses,
    )
    return check_answer(to_parse, f"{answer}\n{end_line('m')}", marker="m", sees_picture=sees_picture)


def test_a_right_reading_wins_over_a_shifted_text_layer() -> None:
    misread = tuple(line.replace("Visitors", "Visitcrs") for line in PRINTED)
    found = checked(RIGHT, *map(shifted, PRINTED), read=misread)
    [block] = found.page.blocks
    assert (block.text, found.fidelity.witness) == (RIGHT, "ocr")
    assert block.box.top == pytest.approx(200, abs=2)


def test_a_wrong_reading_loses_against_a_shifted_text_layer_and_ocr() -> None:
    with pytest.raises(UnusableAnswer):
        checked(
            "The annual report of a bank in the city has been approved by all.", *map(shifted, PRINTED), read=PRINTED
        )


def test_a_text_layer_that_ocr_confirms_wins() -> None:
    with pytest.raises(UnusableAnswer) as refused:
        checked(RIGHT.replace("1,234.50", "1,324.50"), *PRINTED, read=PRINTED)
    assert "1,234.50 -> 1,324.50" in str(refused.value)


def test_one_broken_word_is_decided_by_ocr() -> None:
    layer = (PRINTED[0].replace("88", "98"), *PRINTED[1:])
    found = checked(RIGHT, *layer, read=PRINTED)
    assert (found.fidelity.confirmed, found.fidelity.altered) == (1, ())
    with pytest.raises(UnusableAnswer):
        checked(RIGHT, *layer, read=layer)
    with pytest.raises(UnusableAnswer):
        checked(RIGHT, *layer)  # no OCR here


def test_a_model_without_the_picture_has_no_witness() -> None:
    with pytest.raises(UnusableAnswer):
        checked(RIGHT, *map(shifted, PRINTED), read=PRINTED, sees_picture=False)


def test_text_of_a_picture_needs_ocr_to_be_believed() -> None:
    said = "Flour of the river mill, five kilos"
    assert checked(f"{RIGHT}\n\n{said}", *PRINTED, read=(*PRINTED, said), picture=True).fidelity.unknown == 0
    with pytest.raises(UnusableAnswer):
        checked(f"{RIGHT}\n\n{said}", *PRINTED, read=PRINTED, picture=True)
    assert checked(f"{RIGHT}\n\n{said}", *PRINTED, picture=True).fidelity.unknown == 7


def test_an_answer_that_nobody_refuses_gets_a_warning() -> None:
    found = checked("Invoice 9999, nothing else to see.", *PRINTED, refuses=False, sees_picture=False)
    assert ANSWER_DIFFERS in found.page.warnings
    assert found.fidelity.numbers_added == ("9999",)
    assert checked(RIGHT, *PRINTED).page.warnings == ()
