"""Stamps, signatures and other annotations show the text of their own drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from apps.pages.model.blocks import Page
from apps.pages.reading import page_reading
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

STAMP = Dictionary(Subtype=Name.Stamp)
TURNED = [b"BT /F0 11 Tf 0 1 -1 0 %d 200 Tm (A line written upwards.) Tj ET" % x for x in (100, 114, 128)]


def text_of(path: Path, *annotations: Any, sheet: Sheet | None = None, rotate: int = 0, drawn: str = "PAID") -> str:
    """Return the text of a page with a line, and below it an appearance for each annotation, drawn at another scale."""
    write_pdf(path, sheet or Sheet().text(72, 100, "Invoice"), rotate=rotate)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
        made = []
        for number, annotation in enumerate(annotations):
            form = pdf.make_stream(b"BT /F 6 Tf 5 4 Td (%s) Tj ET" % drawn.encode())
            form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 50, 12])
            form.Resources = Dictionary(Font=Dictionary(F=font))
            given = Dictionary(annotation)
            given.Type, given.AP = Name.Annot, Dictionary(N=form)
            given.Rect = Array([72, 600 - 30 * number, 172, 624 - 30 * number])
            made.append(pdf.make_indirect(given))
        pdf.pages[0].obj.Annots = Array(made)
        pdf.save(path)
    (page,) = page_reading.read_pages(str(path), [1])
    assert isinstance(page, Page)
    return " ".join(block.text for block in page.blocks)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_stamp(tmp_path: Path, rotate: int) -> None:
    assert sorted(text_of(tmp_path / "a.pdf", STAMP, rotate=rotate).split()) == ["Invoice", "PAID"]


def test_a_signature(tmp_path: Path) -> None:
    field = Dictionary(Subtype=Name.Widget, FT=Name.Sig, T="signed")

    assert text_of(tmp_path / "a.pdf", field, drawn="Signed by A. Okonkwo") == "Invoice Signed by A. Okonkwo"


@pytest.mark.parametrize(("captions", "expected"), [({}, "Invoice Send"), ({"/CA": "Submit"}, "Invoice Submit")])
def test_a_button_without_a_caption_shows_its_drawing(tmp_path: Path, captions: dict[str, str], expected: str) -> None:
    button = Dictionary(Subtype=Name.Widget, FT=Name.Btn, Ff=1 << 16, T="send", MK=Dictionary(captions))

    assert text_of(tmp_path / "a.pdf", button, drawn="Send") == expected


@pytest.mark.parametrize("flag", [1 << 1, 1 << 5])
def test_a_hidden_stamp_is_not_read(tmp_path: Path, flag: int) -> None:
    assert text_of(tmp_path / "a.pdf", Dictionary(Subtype=Name.Stamp, F=flag)) == "Invoice"


def test_a_note_is_read_once(tmp_path: Path) -> None:
    note = Dictionary(Subtype=Name.FreeText, Contents="PAID")

    assert text_of(tmp_path / "a.pdf", note) == "Invoice PAID"


def test_the_value_of_a_field_on_a_turned_page(tmp_path: Path) -> None:
    field = Dictionary(Subtype=Name.Widget, FT=Name.Tx, T="name", V="Okonkwo")

    read = text_of(tmp_path / "a.pdf", field, sheet=Sheet().raw(b"\n".join(TURNED)))

    assert "Okonkwo" in read
    assert read.count("A line written upwards.") == 3


def test_a_signed_scan_still_needs_ocr(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    scan = b"q 612 0 0 792 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x80 EI Q"
    text_of(path, STAMP, sheet=Sheet().raw(scan), drawn="Signed by A. Okonkwo for the mill " * 20)
    (page,) = page_reading.read_pages(str(path), [1])

    assert isinstance(page, Page)
    assert page.needs_ocr == "no_text_layer"
