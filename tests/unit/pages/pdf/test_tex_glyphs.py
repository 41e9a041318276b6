"""Formulas of TeX come with the signs that they show, not with the codes of TeX's fonts."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.pdf.fonts import tex_glyphs
from apps.pages.reading import page_reading
from apps.pages.sandbox.preload import assembled_pdf
from tests.unit.pages.mapped_pdf import mapped_pdf


def formula(path: Path, shown: str, names: str) -> str:
    """Write a page that shows the codes ``shown`` in a font whose glyphs from code 48 have these names."""
    content = f"BT /F1 12 Tf 72 700 Td ({shown}) Tj ET".encode()
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type1/BaseFont/CMSY10/FirstChar 48/LastChar 53/Widths[300 0 800 800 800 500]"
            b"/FontDescriptor 6 0 R/Encoding<</Differences[48 %s]>>>>" % names.encode(),
            b"<</Type/FontDescriptor/FontName/CMSY10/Flags 4/FontBBox[0 -250 1000 900]/ItalicAngle 0"
            b"/Ascent 900/Descent -250/CapHeight 700/StemV 80>>",
        )
    )
    return str(path)


@pytest.mark.parametrize(
    ("codes", "shown"), [("50", "x′"), ("5125", "x≠x"), ("5145", "x⊈x"), ("153", "̸x∑"), ("25", "=x")]
)
def test_signs_by_their_names(tmp_path: Path, codes: str, shown: str) -> None:
    names = "/prime /negationslash /equal /summationdisplay /reflexsubset /x"

    (page,) = page_reading.read_pages(formula(tmp_path / "a.pdf", codes, names), [1])

    assert isinstance(page, Page)
    assert "".join(block.text for block in page.blocks) == shown


@pytest.mark.parametrize(
    ("name", "character"),
    [("parenleftBigg", "("), ("uniontext", "⋃"), ("tildewidest", "˜"), ("bracehtipupleft", "\ufe38"), ("text", "")],
)
def test_names_of_all_sizes(name: str, character: str) -> None:
    assert tex_glyphs.character_of(name) == character


def test_names_of_another_font_name_nothing(tmp_path: Path) -> None:
    path = mapped_pdf(tmp_path / "a.pdf", ["a"], {}, "BT /F1 12 Tf 72 700 Td <0001004A0001> Tj ET")

    (page,) = page_reading.read_pages(path, [1])

    assert isinstance(page, Page)
    assert "".join(block.text for block in page.blocks) == "aJa"
