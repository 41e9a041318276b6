"""Signatures on scans: strokes of a pen at a line or a word for them, and what looks like one and is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import BlockType, Page, Signature
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition, RecognizedSignature
from apps.pages.output.items import items_of
from apps.pages.output.render import RenderOptions, block_text, page_markdown
from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.images.rulings import find_rulings
from ocr_worker.images.signatures import FoundSignature, find_signatures

SIZE = (900, 600)
LINE = (120, 400, 520, 400)
SIGNED = (150, 330, 400, 410)
SENTENCE = "Both parties have read the terms of this agreement."


class Form:
    """A page in the making: what is drawn on it, and what an engine reads."""

    def __init__(self, label: str = "Signature", *, rule: bool = True) -> None:
        self.image = Image.new("L", SIZE, "white")
        self.draw = ImageDraw.Draw(self.image)
        self.lines: list[FoundLine] = []
        for row in range(4):
            self.print(SENTENCE, 80, 60 + 40 * row)
        if rule:
            self.draw.line(LINE, fill=0, width=2)
        if label:
            self.print(label, 125, 412)

    def print(self, text: str, x: float, top: float, *, size: int = 22, confidence: float = 0.99) -> None:
        words = []
        for word in text.split():
            self.draw.text((x, top), word, fill=0, font_size=size)
            left, upper, right, lower = self.draw.textbbox((x, top), word, font_size=size)
            words.append(FoundWord(word, left, min(upper, top + 2), right, max(lower, top + size), confidence))
            x = right + size * 0.3
        self.lines.append(FoundLine(tuple(words), confidence))

    def sign(self, box: Sequence[float] = SIGNED) -> Form:
        x0, top, x1, bottom = box
        points = []
        for step in range(400):
            share = step / 400
            swing = math.sin(38 * share) * (0.5 + 0.5 * math.cos(9 * share))
            points.append(
                (
                    x0 + (x1 - x0) * share + 10 * math.cos(31 * share),
                    (top + bottom) / 2 - (bottom - top) / 2 * swing + 4 * math.sin(90 * share),
                )
            )
        self.draw.line(points, fill=30, width=3, joint="curve")
        return self

    def signatures(self) -> list[FoundSignature]:
        pixels = np.asarray(self.image)
        return find_signatures(pixels, self.lines, find_rulings(pixels))


@pytest.mark.parametrize(
    "label",
    [
        "Signature",
        "Signed by the tenant",
        "Unterschrift",
        "Sign here:",
        "Firma",
        "Подпись",
        "签名",
        "Signature du client",
    ],
)
def test_a_signature_over_its_line_is_found(label: str) -> None:
    (found,) = Form(label).sign().signatures()
    assert abs(found.x0 - SIGNED[0]) < 20
    assert abs(found.x1 - SIGNED[2]) < 20
    assert found.top > 300
    assert found.bottom < 430
    assert found.confidence > 0.7


def test_a_signature_beside_a_word_without_a_line_is_found() -> None:
    (found,) = Form(rule=False).sign((260, 390, 500, 450)).signatures()
    assert found.x0 > 240


def test_a_signature_that_was_read_as_letters_is_found() -> None:
    form = Form().sign()
    form.lines.append(FoundLine((FoundWord("lleMar", 140, 325, 410, 412, 0.9),), 0.9))
    assert len(form.signatures()) == 1


def test_a_signature_of_two_words_with_a_flourish_is_found() -> None:
    form = Form("").sign((140, 335, 260, 395)).sign((280, 345, 420, 395))
    form.draw.line([(150, 420), (260, 410), (330, 418), (440, 409)], fill=30, width=3, joint="curve")
    (found,) = form.signatures()
    assert found.x1 - found.x0 > 250


def test_an_empty_line_is_not_signed() -> None:
    assert Form().signatures() == []


@pytest.mark.parametrize("confidence", [0.99, 0.6])
def test_a_typed_name_is_no_signature(confidence: float) -> None:
    form = Form()
    form.print("Maria Keller", 150, 366, size=28, confidence=confidence)
    assert form.signatures() == []


def test_a_stamp_is_no_signature() -> None:
    form = Form()
    form.draw.ellipse((160, 290, 300, 395), outline=40, width=4)
    form.print("RECEIVED", 180, 330, size=18, confidence=0.7)
    assert form.signatures() == []


def test_a_stamp_with_a_broken_rim_is_no_signature() -> None:
    form = Form()
    form.draw.arc((160, 310, 320, 415), 20, 330, fill=40, width=4)
    form.print("RECEIVED", 185, 335, size=20)
    form.print("04 MAR 2026", 180, 362, size=18)
    assert form.signatures() == []


def test_a_logo_is_no_signature() -> None:
    form = Form()
    form.draw.polygon([(160, 395), (220, 320), (280, 395)], fill=60)
    form.draw.rectangle((300, 320, 390, 395), outline=60, width=9)
    assert form.signatures() == []


def test_what_is_written_on_another_field_is_no_signature() -> None:
    assert Form("Date").sign().signatures() == []


def test_strokes_far_from_any_line_and_word_are_no_signature() -> None:
    assert Form("", rule=False).sign().signatures() == []


def test_cells_of_a_table_are_no_signature() -> None:
    form = Form("")
    for at in range(3):
        form.draw.line((120, 320 + 40 * at, 520, 320 + 40 * at), fill=0, width=2)
        form.draw.line((120 + 200 * at, 320, 120 + 200 * at, 400), fill=0, width=2)
    assert form.sign((150, 325, 300, 355)).signatures() == []


def recognition(*signatures: RecognizedSignature) -> Recognition:
    return Recognition((), (), 612.0, 792.0, 0, 0.0, "test", "1", (), 0.9, 0.1, (), signatures=signatures)


def test_a_signature_is_a_picture_with_its_place_and_a_fact_of_the_page() -> None:
    box = Box(100, 600, 220, 640)
    page = apply_recognition(Page(1, 612, 792, needs_ocr="no_text_layer"), recognition(RecognizedSignature(box, 0.85)))

    (block,) = page.blocks
    assert page.signatures == (Signature(is_signed=True, box=box, confidence=0.85),)
    assert (block.type, block.box, block_text(block)) == (BlockType.PICTURE, box, "")
    assert page_markdown([block], RenderOptions()) == "![Signature]()"
    (item,) = items_of([block], RenderOptions())
    assert (item["type"], item["signature"], item["bbox"][0]["confidence"]) == ("image", True, 0.85)


def test_a_signature_in_a_signature_field_is_listed_once() -> None:
    field = Signature(is_signed=True, box=Box(90, 590, 300, 650), field="Tenant")
    page = Page(1, 612, 792, needs_ocr="no_text_layer", signatures=(field,))
    found = recognition(RecognizedSignature(Box(100, 600, 220, 640), 0.85))
    assert apply_recognition(page, found).signatures == (field,)
