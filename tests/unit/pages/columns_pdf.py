"""A page of Japanese whose font is not in the file, each glyph drawn by itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from apps.pages.sandbox.preload import assembled_pdf

WIDTH, HEIGHT = 595, 842


class Letters(NamedTuple):
    """Letters one by one, from a place in points from the top left, downwards or to the right."""

    text: str
    x: float
    top: float
    size: float = 14
    down: bool = True

    def content(self) -> Iterable[bytes]:
        for place, letter in enumerate(self.text):
            step = place * self.size * (1.15 if self.down else 1.0)
            x, y = (self.x, self.top + step) if self.down else (self.x + step, self.top)
            where = b"1 0 0 1 %g %g Tm" % (x, HEIGHT - y - 0.88 * self.size)
            code = letter.encode("utf-16-be").hex().encode()
            yield b"BT /F1 %g Tf %s <%s> Tj ET" % (self.size, where, code)


def columns_pdf(path: Path, *columns: str) -> str:
    """Write a page of columns from the right."""
    return letters_pdf(path, *(Letters(column, 500 - number * 24, 90) for number, column in enumerate(columns)))


def letters_pdf(path: Path, *parts: Letters) -> str:
    content = b"\n".join(operators for part in parts for operators in part.content())
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/UniJIS-UCS2-H/DescendantFonts[6 0 R]>>",
            b"<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/FontDescriptor 7 0 R/DW 1000"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>>>",
            b"<</Type/FontDescriptor/FontName/HeiseiMin-W3/Flags 4/FontBBox[0 -120 1000 880]/ItalicAngle 0"
            b"/Ascent 880/Descent -120/CapHeight 700/StemV 80>>",
        )
    )
    return str(path)
