"""Scans that have some text of their own: nothing of the page is left out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from PIL import Image

from apps.pages.model.blocks import Page
from apps.pages.pdf.pdfium_library import pdfium
from apps.pages.reading.page_reading import read_pages
from tests.documents.scans import LINES, picture

WIDTH, HEIGHT = 595, 842
PRINT = picture(LINES * 5, size=26, width=1240, height=1754)
STAMP = "RECEIVED by the registry of the district court on 4 May 2021"
INVISIBLE = 3


def photograph() -> Image.Image:
    """Return a picture of many greys without paper."""
    levels = np.random.default_rng(5).normal(170, 40, (30, 22)).clip(60, 250)
    return Image.fromarray(levels.astype(np.uint8)).resize((620, 877), Image.Resampling.BICUBIC)


def read(
    path: Path, image: Image.Image, texts: Sequence[str], *, mode: int = 0, box: tuple[float, ...] = (0, 0, 595, 842)
) -> Page:
    """Return a page with a picture in ``box`` (left, top, width, height) and lines over it where the print is."""
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG")
    left, top, width, height = box
    drawn = [f"q {width} 0 0 {height} {left} {HEIGHT - top - height} cm /I Do Q"]
    for number, text in enumerate(texts):
        drawn.append(f"BT {mode} Tr /F 12.5 Tf 110 Tz 38 {HEIGHT - 51 - 20.2 * number} Td ({text}) Tj ET")
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(WIDTH, HEIGHT)).obj
        scan = pdf.make_stream(jpeg.getvalue(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
        scan.Width, scan.Height, scan.ColorSpace = image.width, image.height, pikepdf.Name.DeviceGray
        scan.BitsPerComponent, scan.Filter = 8, pikepdf.Name.DCTDecode
        font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=scan), Font=pikepdf.Dictionary(F=font))
        page.Contents = pdf.make_stream("\n".join(drawn).encode())
        pdf.save(path)
    (found,) = read_pages(str(path), [1])
    assert isinstance(found, Page)
    return found


def test_a_long_stamp_is_no_text_layer_of_a_scan(tmp_path: Path) -> None:
    page = read(tmp_path / "a.pdf", PRINT, [STAMP])

    assert page.needs_ocr == "no_text_layer"
    assert [block.text for block in page.blocks if block.text] == [STAMP]


def test_a_text_layer_over_all_lines_of_a_scan_is_kept(tmp_path: Path) -> None:
    page = read(tmp_path / "a.pdf", PRINT, LINES * 5, mode=INVISIBLE)

    assert (page.needs_ocr, page.warnings) == ("", ())


def test_an_invisible_layer_of_few_lines_is_not_trusted(tmp_path: Path) -> None:
    page = read(tmp_path / "a.pdf", PRINT, (LINES * 5)[:3], mode=INVISIBLE)

    assert page.needs_ocr == "garbled_text"
    assert "text_unreliable" in page.warnings


def test_an_invisible_layer_with_signs_inside_its_words_is_not_trusted(tmp_path: Path) -> None:
    spoiled = [line.replace("i", "1").replace("a", "#") for line in LINES * 5]

    assert read(tmp_path / "a.pdf", PRINT, spoiled, mode=INVISIBLE).needs_ocr == "garbled_text"


@pytest.mark.parametrize("background", [photograph(), Image.new("L", (620, 877), 240)])
def test_text_on_a_background_is_the_text_of_the_page(tmp_path: Path, background: Image.Image) -> None:
    assert read(tmp_path / "a.pdf", background, LINES * 3).needs_ocr == ""


def test_a_small_picture_of_a_table_is_read(tmp_path: Path) -> None:
    table = picture(["Grade Weight Price", "Fine 120 14.50", "Coarse 340 9.75", "Bran 55 3.20"], height=400)

    page = read(tmp_path / "a.pdf", table, LINES, box=(60, 400, 300, 120))

    assert page.needs_ocr == "text_in_picture"


def test_a_small_photograph_is_not_searched_for_text(tmp_path: Path) -> None:
    assert read(tmp_path / "a.pdf", photograph(), LINES, box=(60, 400, 300, 120)).needs_ocr == ""


@pytest.mark.parametrize(
    ("texts", "box", "reason", "times"),
    [
        (LINES, (60, 400, 300, 120), "", 1),
        (LINES, (60, 300, 475, 400), "text_in_picture", 0),
        (LINES, (30, 200, 535, 600), "text_in_picture", 0),
        (["Page 3"], (0, 0, 595, 842), "no_text_layer", 0),
        (LINES * 3, (0, 0, 595, 842), "", 1),
    ],
)
def test_a_page_is_drawn_only_where_its_pictures_decide(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: Sequence[str],
    box: tuple[float, ...],
    reason: str,
    times: int,
) -> None:
    drawn: list[int] = []
    library = pdfium()
    render = library.FPDF_RenderPageBitmap

    def counted(bitmap: int, page: int, *how: int) -> None:
        drawn.append(page)
        render(bitmap, page, *how)

    monkeypatch.setattr(library, "FPDF_RenderPageBitmap", counted)

    page = read(tmp_path / "a.pdf", photograph(), texts, box=box)

    assert (page.needs_ocr, len(drawn)) == (reason, times)
