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
