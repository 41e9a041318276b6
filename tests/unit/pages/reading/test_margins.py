"""Margins that a request does not want to be read."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from apps.pages.model.blocks import BlockType, Page
from apps.pages.model.geometry import Margins
from apps.pages.reading.page_reading import read_pages, render_for_ocr, render_for_vision
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

WIDTH, HEIGHT = 612.0, 792.0
LETTERHEAD, FOOTER = Margins(top=0.2), Margins(bottom=0.1)


def read(path: str, margins: Margins | None, **options: Any) -> Page:
    (page,) = read_pages(path, [1], margins=margins, **options)
    assert isinstance(page, Page)
    return page


def text_of(page: Page) -> list[str]:
    return [block.text for block in page.blocks if block.text]


@pytest.fixture
def letter(tmp_path: Path) -> str:
    sheet = Sheet().text(72, 40, "Letterhead of a company", size=14)
    sheet.text(72, 300, "Dear reader, the invoice is attached.").text(72, 760, "Page 1 of 3")
    sheet.text(560, 500, "margin").link(72, 40, 200, 60, "https://example.org/")
    return write_pdf(tmp_path / "letter.pdf", sheet)


def test_only_text_inside_the_margins_is_read_and_keeps_its_place(letter: str) -> None:
    whole = read(letter, None)
    page = read(letter, Margins(top=0.2, right=0.1, bottom=0.1))

    assert {"Letterhead of a company", "margin", "Page 1 of 3"} <= set(text_of(whole))
    assert text_of(page) == ["Dear reader, the invoice is attached."]
    (kept,) = [block for block in whole.blocks if block.text == text_of(page)[0]]
    assert page.blocks[0].box == kept.box
    assert (page.width, page.height) == (WIDTH, HEIGHT)
    assert "lost_characters" not in page.quality
    assert page.warnings == ()


@pytest.mark.parametrize(("margins", "gone"), [(LETTERHEAD, "Letterhead"), (FOOTER, "Page 1"), (Margins(), "")])
def test_each_margin_is_a_share_of_its_own_side(letter: str, margins: Margins, gone: str) -> None:
    kept = " ".join(text_of(read(letter, margins)))
    for part in ("Letterhead", "Dear reader", "Page 1", "margin"):
        assert (part in kept) == (part != gone)


def test_margins_are_those_of_the_page_as_displayed(tmp_path: Path) -> None:
    # Turned by a quarter, what is drawn at the left is displayed at the top.
    sheet = Sheet().text(20, 300, "left").text(300, 300, "middle of the sheet")
    path = write_pdf(tmp_path / "turned.pdf", sheet, rotate=90)

    assert text_of(read(path, Margins(top=0.15))) == ["middle of the sheet"]
    assert "left" in " ".join(text_of(read(path, Margins(left=0.15))))


def test_diagonal_text_is_left_out_on_request(tmp_path: Path) -> None:
    sheet = Sheet().text(72, 100, "Plain words")
    for degrees, word in ((45, "Draft"), (4, "crooked"), (90, "upwards")):
        turn = math.radians(degrees)
        cos, sin = round(math.cos(turn), 4), round(math.sin(turn), 4)
        matrix = (cos, sin, -sin, cos, 200 + 3 * degrees, 300)
        sheet.raw(b"BT /F0 20 Tf %g %g %g %g %d %d Tm (%s) Tj ET" % (*matrix, word.encode()))
    path = write_pdf(tmp_path / "draft.pdf", sheet)

    assert "Draft" in " ".join(text_of(read(path, None)))
    page = read(path, None, skip_diagonal=True)
    assert sorted(text_of(page)) == ["Plain words", "crooked", "upwards"]
    assert "lost_characters" not in page.quality


def test_a_picture_ends_at_the_margin_and_a_scan_still_goes_to_ocr(tmp_path: Path) -> None:
    image = Image.new("L", (850, 1100), 0)
    image.info["dpi"] = (100, 100)
    scan = tmp_path / "scan.png"
    image.save(scan, dpi=(100, 100))
    page = read(str(scan), Margins(top=0.25), media_type="image/png")
    (picture,) = page.blocks
    assert (picture.type, page.needs_ocr) == (BlockType.PICTURE, "no_text_layer")
    assert picture.box.top == pytest.approx(198, abs=1)
    assert picture.box.bottom == pytest.approx(792, abs=1)

    pdf = tmp_path / "scan.pdf"
    image.save(pdf, resolution=100)
    page = read(str(pdf), Margins(bottom=0.7))
    assert page.needs_ocr == "no_text_layer"
    assert page.blocks[0].box.bottom == pytest.approx(0.3 * page.height, abs=1)


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_pictures_for_ocr_and_models_have_white_margins(tmp_path: Path, kind: str) -> None:
    black = Image.new("RGB", (400, 600), 0)
    path = tmp_path / f"black.{kind}"
    black.save(path, **({"resolution": 100} if kind == "pdf" else {"dpi": (100, 100)}))
    options: Any = {"media_type": "application/pdf" if kind == "pdf" else "image/png", "dpi": 100}
    margins = Margins(top=0.5, right=0.25)

    grey = render_for_ocr(str(path), 1, margins=margins, **options)
    image = Image.frombytes("L", (grey.width, grey.height), grey.pixels)
    assert_dark_in_the_lower_left(image.convert("RGB"))

    assert_dark_in_the_lower_left(Image.open(io.BytesIO(render_for_vision(str(path), 1, margins=margins, **options))))


def assert_dark_in_the_lower_left(image: Image.Image) -> None:
    grey = image.convert("L")

    def is_white(x: float, y: float) -> bool:
        return grey.tobytes()[int(y * grey.height) * grey.width + int(x * grey.width)] > 200

    assert is_white(0.1, 0.1)
    assert is_white(0.1, 0.45)
    assert is_white(0.8, 0.9)
    assert not is_white(0.1, 0.55)
    assert not is_white(0.7, 0.95)
