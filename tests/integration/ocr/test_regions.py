"""While a model parses a page, the page or a region of it is recognised."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.model.geometry import Box
from apps.pages.sandbox.client import Limits
from apps.parsing.answer_check import PageToParse, check_answer
from apps.parsing.answers.parse_answer import end_line
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_pictures import DocumentPictures
from apps.parsing.prompts.messages import CustomInstructions
from apps.providers.calls.attempts import CallScope
from apps.providers.ledger import CallFor
from tests.documents.scans import DPI, LINES, picture
from tests.unit.parsing.test_alignment import lines_block


@contextmanager
def scan(tmp_path: Path) -> Iterator[tuple[Page, DocumentPictures]]:
    """A page whose text layer has each letter mapped to the next one, and its pictures."""
    shown = picture()
    path = tmp_path / "scan.png"
    shown.save(path, dpi=(DPI, DPI))
    width, height = shown.width * 72 / DPI, shown.height * 72 / DPI
    layer = ["".join(chr(ord(sign) + 1) if sign.isalnum() else sign for sign in line) for line in LINES]
    page = Page(1, width, height, blocks=(lines_block(*layer, top=20, x=20, width=width - 40),))

    def open_scan(document: str) -> nullcontext[Path]:
        return nullcontext(path)

    with DocumentPictures(
        "scan",
        password=None,
        media_type="image/png",
        limits=Limits(),
        should_stop=lambda: False,
        open_document=open_scan,
    ) as pictures:
        yield page, pictures


def test_only_the_text_of_the_region_is_read(tmp_path: Path) -> None:
    with scan(tmp_path) as (page, pictures):
        whole = pictures.text(page, Box(0, 0, page.width, page.height))
        part = pictures.text(page, Box(0, 0, page.width, page.height / 4))

    assert whole.replace("\n", " ") == " ".join(LINES)
    assert set(part.split("\n")) < set(whole.split("\n"))


def test_the_reading_that_ocr_confirms_wins_over_a_broken_text_layer(tmp_path: Path) -> None:
    right, wrong = " ".join(LINES), " ".join(LINES[::-1][:1] * len(LINES))
    with scan(tmp_path) as (page, pictures):
        to_parse = PageToParse(
            page, CustomInstructions(), CallScope(CallFor(uuid.UUID(int=1), "pjb-1", 1, "lvm")), pictures
        )
        found = check_answer(to_parse, f"{right}\n{end_line('m')}", marker="m", sees_picture=True)
        with pytest.raises(UnusableAnswer):
            check_answer(to_parse, f"{wrong}\n{end_line('m')}", marker="m", sees_picture=True)

    assert [block.text for block in found.page.blocks] == [right]
    assert found.fidelity.witness == "ocr"
