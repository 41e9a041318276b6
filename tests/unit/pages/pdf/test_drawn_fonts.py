"""Fonts whose glyphs are drawings (Type 3): their names are the text, and a glyph without ink is a blank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.pages.model.blocks import Page
from apps.pages.pdf.text.character_records import drawn_sizes
from apps.pages.reading import page_reading
from apps.pages.sandbox.preload import assembled_pdf


def text_of(path: Path, names: dict[int, str], codes: bytes, *, size: float = 12) -> str:
    """Return the text of a page in a font with these names for its codes; a name that begins with ``e`` has no ink.

    The matrix of the font makes up for a small ``size``.
    """
    drawings = (b"600 0 d0", b"600 0 50 0 550 700 d1 50 0 500 700 re f")
    listed = sorted(names.items())
    shown = b"BT /F %g Tf .5 Tc 72 700 Td <%s> Tj ET" % (size, codes.hex().encode())
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
            b"<</Type/Font/Subtype/Type3/FontBBox[0 0 600 700]/FontMatrix[%g 0 0 %g 0 0]/FirstChar %d/LastChar %d"
            b"/Widths[%s]/Encoding<</Type/Encoding/Differences[%s]>>/CharProcs<<%s>>>>"
            % (
                0.012 / size,
                0.012 / size,
                listed[0][0],
                listed[-1][0],
                b" 600" * (listed[-1][0] - listed[0][0] + 1),
                b" ".join(b"%d/%s" % (code, name.encode()) for code, name in listed),
                b" ".join(b"/%s %d 0 R" % (name.encode(), 7 - name.startswith("e")) for _, name in listed),
            ),
            *(b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn) for drawn in drawings),
        )
    )
    (page,) = page_reading.read_pages(str(path), [1])
    assert isinstance(page, Page)
    return " ".join(block.text for block in page.blocks)


def test_letters_whose_codes_are_those_of_line_ends(tmp_path: Path) -> None:
    names = {9: "B", 10: "r", 11: "a", 12: "i", 13: "n"}

    assert text_of(tmp_path / "a.pdf", names, bytes([9, 10, 11, 12, 13])) == "Brain"


def test_wide_letters_of_drawings_that_touch_the_next(tmp_path: Path) -> None:
    advances = {b"E": 700, b"S": 600, b"W": 1100}
    shown = b"BT /F 12 Tf 72 700 Td (SWEWS) Tj ET"
    drawings = [
        b"%d 0 -8 0 %d 700 d1 -8 0 %d 700 re f" % (advance, advance + 12, advance + 20) for advance in advances.values()
    ]
    path = tmp_path / "a.pdf"
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
            b"<</Type/Font/Subtype/Type3/FontBBox[-100 -300 1300 900]/FontMatrix[.001 0 0 .001 0 0]"
            b"/FirstChar 0/LastChar 255/Widths[%s]/Encoding<</Type/Encoding/Differences[69/E 83/S 87/W]>>"
            b"/CharProcs<</E 6 0 R/S 7 0 R/W 8 0 R>>>>"
            % b" ".join(b"%d" % advances.get(bytes([code]), 600) for code in range(256)),
            *(b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing) for drawing in drawings),
        )
    )

    (page,) = page_reading.read_pages(str(path), [1])

    assert isinstance(page, Page)
    assert page.blocks[0].text == "SWEWS"


@pytest.mark.parametrize(
    ("names", "codes", "expected"),
    [
        ({31: "f_i", 108: "l", 101: "e"}, [31, 108, 101], "file"),
        ({30: "f_f_j", 29: "T_h", 111: "o", 101: "e"}, [29, 101, 111, 30, 111], "Theoffjo"),
        ({28: "a28", 100: "d", 110: "n"}, [28, 110, 100], "find"),
        ({16: "a16", 17: "a17", 30: "a30", 120: "x"}, [16, 120, 30, 17], "“xffi”"),
        ({12: "a12", 13: "a13", 14: "a14", 120: "x"}, [12, 13, 14, 120], "fiflffix"),
    ],
    ids=["names of letters", "letters without a character", "T1", "quotes of T1", "OT1"],
)
def test_letters_of_a_ligature(tmp_path: Path, names: dict[int, str], codes: list[int], expected: str) -> None:
    assert text_of(tmp_path / "a.pdf", names, bytes(codes)) == expected


def test_a_ligature_named_by_its_letters_in_a_font_of_outlines(tmp_path: Path) -> None:
    shown = b"BT /F 12 Tf 72 700 Td (con\\037rmed by the o\\036ce) Tj ET"
    path = tmp_path / "a.pdf"
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding/Differences[30/f_f_i/f_i]>>>>",
        )
    )

    (page,) = page_reading.read_pages(str(path), [1])

    assert isinstance(page, Page)
    assert page.blocks[0].text == "confirmed by the office"
    assert page.warnings == ()


def test_a_glyph_without_ink_is_a_blank(tmp_path: Path) -> None:
    names = {3: "e3", 4: "r", 5: "a"}

    assert text_of(tmp_path / "a.pdf", names, bytes([5, 3, 4, 5, 4, 3, 5])) == "a rar a"


def test_letters_of_a_small_font_with_a_large_matrix(tmp_path: Path) -> None:
    names = {3: "e3", 4: "r", 5: "a"}

    assert text_of(tmp_path / "a.pdf", names, bytes([5, 3, 4, 5, 4, 3, 5]), size=0.12) == "a rar a"


@pytest.mark.parametrize(("heights", "sizes"), [([8, 24, 0], [11.2, 22.4, 11.2]), ([90, 180, 90], [1, 2, 1])])
def test_the_box_of_a_font_is_no_size(heights: list[float], sizes: list[float]) -> None:
    sized = drawn_sizes(np.array([1.0, 2.0, 1.0]), np.array(heights, float), np.ones(3, int))

    assert sized.tolist() == pytest.approx(sizes)
