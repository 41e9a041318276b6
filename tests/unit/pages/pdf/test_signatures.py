"""Signature fields of PDFs: signed or empty, with their boxes and what the file says about the signer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from apps.pages.model.blocks import Page, Signature
from apps.pages.model.geometry import Box, Margins
from apps.pages.reading import page_reading
from tests.unit.pages.drawing import assembled
from tests.unit.pages.output.test_assembly import pages_of
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

SIGNED = Dictionary(
    Type=Name.Sig, Name="A. Okonkwo", Reason="Approved", M="D:20260301120000+01'00'", Contents=b"\x30\x00"
)


def read(path: Path, *fields: Any, rotate: int = 0, margins: Margins | None = None) -> Page:
    """Return a page of 595 by 842 points with these fields below each other."""
    write_pdf(path, Sheet().text(72, 100, "Contract"), rotate=rotate)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        made = []
        for number, field in enumerate(fields):
            given = Dictionary(field)
            given.Type, given.Subtype, given.FT = Name.Annot, Name.Widget, Name.Sig
            given.Rect = Array([72, 600 - 50 * number, 272, 640 - 50 * number])
            made.append(pdf.make_indirect(given))
        pdf.pages[0].obj.Annots = Array(made)
        pdf.save(path)
    (page,) = page_reading.read_pages(str(path), [1], margins=margins)
    assert isinstance(page, Page)
    return page


def test_a_signed_and_an_empty_field(tmp_path: Path) -> None:
    page = read(tmp_path / "a.pdf", Dictionary(T="seller", V=SIGNED), Dictionary(T="buyer"))
    top = page.height - 640
    assert page.signatures == (
        Signature(
            is_signed=True,
            box=Box(72, top, 272, top + 40),
            field="seller",
            name="A. Okonkwo",
            reason="Approved",
            signed_at="2026-03-01T12:00:00+01:00",
        ),
        Signature(is_signed=False, box=Box(72, top + 50, 272, top + 90), field="buyer"),
    )
    _, files = assembled([page])
    first, second = pages_of(files["metadata.json"])[0]["signatures"]
    assert first["bbox"] == {"x": 72.0, "y": top, "w": 200.0, "h": 40.0}
    assert (first["is_signed"], second["is_signed"], second["field"]) == (True, False, "buyer")


def test_a_field_has_the_names_of_those_above_it(tmp_path: Path) -> None:
    above = Dictionary(T="contract", FT=Name.Sig)
    page = read(tmp_path / "a.pdf", Dictionary(T="seller", Parent=above))
    assert [signature.field for signature in page.signatures] == ["contract.seller"]


@pytest.mark.parametrize(("moment", "expected"), [("D:20260301120000Z", "2026-03-01T12:00:00Z"), ("March", "")])
def test_the_moment_of_a_signature(tmp_path: Path, moment: str, expected: str) -> None:
    page = read(tmp_path / "a.pdf", Dictionary(T="seller", V=Dictionary(M=moment)))
    assert [signature.signed_at for signature in page.signatures] == [expected]


def test_boxes_are_those_of_a_turned_page(tmp_path: Path) -> None:
    page = read(tmp_path / "a.pdf", Dictionary(T="seller"), rotate=90)
    assert [signature.box for signature in page.signatures] == [Box(600, 72, 640, 272)]


def test_hidden_and_cropped_fields_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path / "a.pdf", Dictionary(T="seller", F=2)).signatures == ()
    assert read(tmp_path / "b.pdf", Dictionary(T="seller"), margins=Margins(bottom=0.9)).signatures == ()
