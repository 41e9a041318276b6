"""Pages with text of any script in fonts that are not in the file, written as different programs write it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from apps.pages.sandbox.preload import assembled_pdf

_NARROW, _WIDE = "ijlft.,;:()'|!", "mwMW"


class Face(NamedTuple):
    """A font; ``pitch``: the width of all its letters in thousandths of an em, 0 if they differ."""

    name: str
    pitch: int = 0

    def width(self, character: str) -> int:
        if ord(character) >= 0x2E80:
            return 1000
        if self.pitch:
            return self.pitch
        wider = 40 if "Bold" in self.name else 0
        return wider + (
            260 if character in _NARROW else 800 if character in _WIDE else 280 if character == " " else 520
        )


FACES = {face.name: face for face in (Face("Sans"), Face("Sans-Bold"), Face("Serif"), Face("Serif-Bold"))}
FACES["Mono"] = Face("Mono", 600)


class Surface:
    """The content of one page; places are in points from the top left.

    ``habit``: how text is shown: whole lines, words or glyphs as objects of their own, or lines whose blanks are moves
    of the pen.
    """

    def __init__(self, width: float, height: float, *, habit: str = "line") -> None:
        self.size = width, height
        self.habit = habit
        self.characters: dict[str, int] = {" ": 1}
        self._operators: list[str] = []

    def width(self, text: str, size: float, face: str) -> float:
        return sum(FACES[face].width(character) for character in text) * size / 1000

    def text(self, x: float, top: float, text: str, size: float, face: str) -> None:
        """Write a line with its baseline at ``top + size``."""
        if self.habit == "moves":
            blank = -FACES[face].width(" ")
            self._show(x, top, f"[{f' {blank} '.join(self._codes(word) for word in text.split())}] TJ", size, face)
            return
        parts = [text] if self.habit == "line" else text.split(" ") if self.habit == "words" else list(text)
        for part in parts:
            if part.strip():
                self._show(x, top, f"{self._codes(part)} Tj", size, face)
            x += self.width(part + (" " if self.habit == "words" else ""), size, face)

    def _show(self, x: float, top: float, shown: str, size: float, face: str) -> None:
        y = self.size[1] - top - size
        self._operators.append(f"BT /{face} {size:g} Tf 1 0 0 1 {x:.3f} {y:.3f} Tm {shown} ET")

    def _codes(self, text: str) -> str:
        return "<" + "".join(f"{self.characters.setdefault(c, len(self.characters) + 1):04X}" for c in text) + ">"

    def rule(self, x0: float, top: float, x1: float, bottom: float) -> None:
        height = self.size[1]
        self._operators.append(f"0.5 w {x0:.2f} {height - top:.2f} m {x1:.2f} {height - bottom:.2f} l S")

    def fill(self, x: float, top: float, width: float, height: float) -> None:
        self._operators.append(f"0.7 g {x:.2f} {self.size[1] - top - height:.2f} {width:.2f} {height} re f 0 g")

    def content(self) -> str:
        return "\n".join(self._operators)


def write_surface(path: Path, surface: Surface, *, rotate: int = 0, shift: tuple[float, float] = (0.0, 0.0)) -> str:
    """Write a page whose space begins at ``shift``, turned by ``rotate`` degrees."""
    (width, height), (x, y) = surface.size, shift
    drawn = f"q 1 0 0 1 {x} {y} cm {surface.content()} Q".encode()
    mapped = b"\n".join(
        b"<%04X> <%s>" % (n, c.encode("utf-16-be").hex().encode()) for c, n in surface.characters.items()
    )
    to_unicode = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /A def /CMapType 2 def\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n%d beginbfchar\n%s\nendbfchar\n"
        b"endcmap CMapName currentdict /CMap defineresource pop end end" % (len(surface.characters), mapped)
    )
    fonts = b"".join(b"/%s %d 0 R" % (name.encode(), 6 + 3 * n) for n, name in enumerate(FACES))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[%g %g %g %g]/Rotate %d/Contents 4 0 R/Resources<</Font<<%s>>>>>>"
        % (x, y, x + width, y + height, rotate, fonts),
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Length %d>>stream\n%s\nendstream" % (len(to_unicode), to_unicode),
    ]
    for number, face in enumerate(FACES.values()):
        name, at = face.name.encode(), 6 + 3 * number
        widths = b" ".join(b"%d" % face.width(character) for character in surface.characters)
        objects += [
            b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode 5 0 R>>"
            % (name, at + 1),
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/FontDescriptor %d 0 R/DW 500/W[1[%s]]"
            b"/CIDToGIDMap/Identity/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>"
            % (name, at + 2, widths),
            b"<</Type/FontDescriptor/FontName/%s/Flags %d/FontBBox[0 -250 1000 900]/ItalicAngle 0"
            b"/Ascent 900/Descent -250/CapHeight 700/StemV 80>>" % (name, 5 if face.pitch else 4),
        ]
    path.write_bytes(assembled_pdf(*objects))
    return str(path)
