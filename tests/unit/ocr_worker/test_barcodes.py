"""Bar codes and matrix codes on page images, written by other libraries than the one that reads them where possible."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import segno
import zxingcpp
from PIL import Image, ImageDraw

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Page
from apps.pages.model.geometry import Box
from ocr_worker.engines.null import NullEngine
from ocr_worker.images.barcodes import find_barcodes
from ocr_worker.recognition import PageReader, Request
from ocr_worker.sheets import read_sheet
from tests.unit.ocr_worker.test_abilities import OneLine

DPI = 144.0
AT = (300, 400)


def page(*codes: Image.Image) -> Image.Image:
    """Return a page with codes below each other, and text beside them."""
    sheet = Image.new("L", (1200, 1600), "white")
    draw = ImageDraw.Draw(sheet)
    for row in range(40, 1600, 60):
        draw.text((40, row), "The ships of the coast", fill="black", font_size=20)
    for number, code in enumerate(codes):
        sheet.paste(code, (AT[0], AT[1] + 500 * number))
    return sheet


def qr_code(value: str) -> Image.Image:
    out = io.BytesIO()
    segno.make(value, micro=False).save(out, kind="png", scale=6)
    return Image.open(out).convert("L")


def written(value: str, kind: zxingcpp.BarcodeFormat) -> Image.Image:
    code = zxingcpp.create_barcode(value, kind)
    return Image.fromarray(np.array(code.to_image(scale=3, add_quiet_zones=True)))


FORMATS = [
    ("EAN13", "400638133393", "4006381333931", "EAN-13"),
    ("EAN8", "9638507", "96385074", "EAN-8"),
    ("Code128", "Parcel 4711", "Parcel 4711", "Code 128"),
    ("Code39", "PARCEL-4711", "PARCEL-4711", "Code 39"),
    ("ITF", "1234567890", "1234567890", "ITF"),
    ("PDF417", "Parcel 4711", "Parcel 4711", "PDF417"),
    ("DataMatrix", "Parcel 4711", "Parcel 4711", "Data Matrix"),
    ("Aztec", "Parcel 4711", "Parcel 4711", "Aztec"),
]
DIRECTIONS = [
    *((*code, turned) for code in FORMATS for turned in (0, 2, 90, 180, 270)),
    *((*code, turned) for code in FORMATS[-2:] for turned in (30, 45, 135)),
]


@pytest.mark.parametrize(("kind", "value", "read", "name", "turned"), DIRECTIONS)
def test_codes_are_read_on_each_side_and_those_of_squares_at_any_angle(
    kind: str, value: str, read: str, name: str, turned: int
) -> None:
    image = page(written(value, getattr(zxingcpp.BarcodeFormat, kind)))
    image = image.rotate(turned, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    codes, _rest = find_barcodes(np.asarray(image), DPI)
    assert [(code.value, code.format) for code in codes or ()] == [(read, name)]


def test_codes_have_boxes_and_are_taken_out_of_the_image() -> None:
    first, second = qr_code("https://example.org/4711"), qr_code("Second")
    image = np.asarray(page(first, second))
    codes, rest = find_barcodes(image, DPI)

    assert codes is not None
    assert [(code.value, code.format) for code in codes] == [
        ("https://example.org/4711", "QR code"),
        ("Second", "QR code"),
    ]
    whole = Box(AT[0] / 2, AT[1] / 2, (AT[0] + first.width) / 2, (AT[1] + first.height) / 2)
    assert whole.contains(codes[0].box)
    assert codes[0].box.width > 0.75 * whole.width
    left, top = AT
    assert rest[top + 30 : top + first.height - 30, left + 30 : left + first.width - 30].min() == 255
    assert (rest[:, :300] == image[:, :300]).all()  # the text beside it


def test_text_and_noise_are_no_codes() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1600, 1200), np.uint8)
    for image in (np.asarray(page()), noise, np.full((40, 40), 255, np.uint8)):
        codes, rest = find_barcodes(image, DPI)
        assert codes == ()
        assert rest is image


@pytest.mark.parametrize("needs_ocr", ["", "no_text_layer"])
def test_a_page_has_a_warning_where_the_library_is_missing(monkeypatch: pytest.MonkeyPatch, needs_ocr: str) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    reader = PageReader(OneLine(), [NullEngine()])
    request = Request(DPI, only_barcodes=not needs_ocr)
    image = np.asarray(page(qr_code("https://example.org/4711")))

    found = apply_recognition(Page(1, 600, 800, needs_ocr=needs_ocr), reader.recognize(image, request))
    assert "barcodes_not_read" in found.warnings
    sheet = read_sheet(reader, image, request, [(1200, 1600)])
    assert apply_recognition(Page(1, 600, 800, structured=True), sheet).warnings == ("barcodes_not_read",)
