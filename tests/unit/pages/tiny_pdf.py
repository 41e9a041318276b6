"""Small PDFs with text and lines where a test wants them; points from the top left, as in the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apps.pages.sandbox.preload import assembled_pdf

WIDTH, HEIGHT = 612, 792
FONTS = (b"Helvetica", b"Helvetica-Bold", b"Courier")


class Sheet:
    """One page in the making."""

    def __init__(self) -> None:
        self._content: list[bytes] = []
        self.notes: list[bytes] = []

    def text(self, x: float, top: float, text: str, *, size: float = 11, bold: bool = False) -> Sheet:
        escaped = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        where = b"/F%d %g Tf %g %g Td" % (bold, size, x, HEIGHT - top - size)
        self._content.append(b"BT %s (%s) Tj ET" % (where, escaped))
        return self

    def lines(self, x: float, top: float, texts: Sequence[str], *, step: float = 13, size: float = 11) -> Sheet:
        for number, text in enumerate(texts):
            self.text(x, top + number * step, text, size=size)
        return self

    def typed(self, x: float, top: float, texts: Sequence[str], *, step: float = 11, size: float = 9) -> Sheet:
        """Lines in Courier; each blank at the start of a line moves it by a letter, as programs write code."""
        for number, text in enumerate(texts):
            blanks = len(text) - len(text.lstrip())
            escaped = text.strip().encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            where = b"/F2 %g Tf %g %g Td" % (size, x + 0.6 * size * blanks, HEIGHT - top - number * step - size)
            self._content.append(b"BT %s (%s) Tj ET" % (where, escaped))
        return self

    def square(self, x: float, top: float, side: float, *, filled: bool = True) -> Sheet:
        where = b"%g %g %g %g re" % (x, HEIGHT - top - side, side, side)
        self._content.append(where + (b" f" if filled else b" S"))
        return self

    def ellipse(self, x0: float, top: float, x1: float, bottom: float) -> Sheet:
        across, down = (x0 + x1) / 2, HEIGHT - (top + bottom) / 2
        half, rise = 0.55 * (x1 - x0) / 2, 0.55 * (bottom - top) / 2
        for at, side in ((HEIGHT - top, 1), (HEIGHT - bottom, -1)):
            parts = (x0, down, x0, down + side * rise, across - half, at, across, at)
            self._content.append(b"%g %g m %g %g %g %g %g %g c" % parts)
            self._content.append(b"%g %g %g %g %g %g c S" % (across + half, at, x1, down + side * rise, x1, down))
        return self

    def rule(self, x0: float, top: float, x1: float, bottom: float) -> Sheet:
        self._content.append(b"%g %g m %g %g l S" % (x0, HEIGHT - top, x1, HEIGHT - bottom))
        return self

    def grid(self, xs: Sequence[float], ys: Sequence[float]) -> Sheet:
        for x in xs:
            self.rule(x, ys[0], x, ys[-1])
        for y in ys:
            self.rule(xs[0], y, xs[-1], y)
        return self

    def link(self, x0: float, top: float, x1: float, bottom: float, url: str) -> Sheet:
        action = b"/A<</S/URI/URI(%s)>>" % url.replace("(", "\\(").replace(")", "\\)").encode()
        return self.note(x0, top, x1, bottom, b"/Link" + action)

    def note(self, x0: float, top: float, x1: float, bottom: float, subtype: bytes) -> Sheet:
        where = (x0, HEIGHT - bottom, x1, HEIGHT - top)
        self.notes.append(b"<</Type/Annot/Rect[%g %g %g %g]/Subtype" % where + subtype + b">>")
        return self

    def raw(self, operators: bytes) -> Sheet:
        self._content.append(operators)
        return self

    def content(self) -> bytes:
        return b"\n".join(self._content)


def write_pdf(path: Path, *sheets: Sheet, rotate: int = 0) -> str:
    """A PDF of these pages; its path as the functions under test take it."""
    first = 3 + len(FONTS)
    kids = b" ".join(b"%d 0 R" % (first + 2 * number) for number in range(len(sheets)))
    fonts = b"".join(b"/F%d %d 0 R" % (number, 3 + number) for number in range(len(FONTS)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(sheets))]
    for font in FONTS:
        objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/%s/Encoding/WinAnsiEncoding>>" % font)
    for number, sheet in enumerate(sheets):
        content = sheet.content()
        box = b"/MediaBox[0 0 %d %d]/Rotate %d" % (WIDTH, HEIGHT, rotate)
        where = b"/Contents %d 0 R/Resources<</Font<<%s>>>>" % (first + 2 * number + 1, fonts)
        notes = b"/Annots[%s]" % b"".join(sheet.notes) if sheet.notes else b""
        objects.append(b"<</Type/Page/Parent 2 0 R%s%s%s>>" % (box, where, notes))
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    path.write_bytes(assembled_pdf(*objects))
    return str(path)
