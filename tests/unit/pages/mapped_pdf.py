"""A page whose font maps codes to the characters of any script, each glyph of a width of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.pages.sandbox.preload import assembled_pdf

HEIGHT = 792


def mapped_pdf(path: Path, characters: Sequence[str], widths: Mapping[str, int], content: str) -> str:
    """Write a page. ``characters``: those of the codes 1, 2, ...; ``widths``: thousandths of an em, 500 by default."""
    mapped = b"\n".join(b"<%04X> <%s>" % (n, _utf16(c)) for n, c in enumerate(characters, 1))
    to_unicode = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /A def /CMapType 2 def\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n%d beginbfchar\n%s\nendbfchar\n"
        b"endcmap CMapName currentdict /CMap defineresource pop end end" % (len(characters), mapped)
    )
    sizes = b" ".join(b"%d" % widths.get(c, 500) for c in characters)
    drawn = content.encode()
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
            b"<</Type/Font/Subtype/Type0/BaseFont/Any/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 8 0 R>>",
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Any/FontDescriptor 7 0 R/DW 500/W[1[%s]]"
            b"/CIDToGIDMap/Identity/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>" % sizes,
            b"<</Type/FontDescriptor/FontName/Any/Flags 4/FontBBox[0 -250 1000 900]/ItalicAngle 0"
            b"/Ascent 900/Descent -250/CapHeight 700/StemV 80>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(to_unicode), to_unicode),
        )
    )
    return str(path)


class Drawing:
    """A content stream that draws each character where it is wanted."""

    def __init__(self, characters: Sequence[str]) -> None:
        self._codes = {character: number for number, character in enumerate(characters, 1)}
        self._operators: list[str] = []

    def draw(
        self, text: str | list[str], x: float, top: float, *, size: float = 12, actual: str | None = None
    ) -> Drawing:
        """Draw characters, or a list with ligatures, from a place; ``actual``: the text given for them."""
        shown = "".join(f"{self._codes[c]:04X}" for c in text)
        operators = f"BT /F1 {size:g} Tf 1 0 0 1 {x:g} {HEIGHT - top - size:g} Tm <{shown}> Tj ET"
        if actual is not None:
            operators = f"/Span<</ActualText<FEFF{_utf16(actual).decode()}>>> BDC {operators} EMC"
        self._operators.append(operators)
        return self

    def mark(self, actual: str) -> Drawing:
        """Begin a group of glyphs for which ``actual`` is given."""
        self._operators.append(f"/Span<</ActualText<FEFF{_utf16(actual).decode()}>>> BDC")
        return self

    def end(self) -> Drawing:
        self._operators.append("EMC")
        return self

    def content(self) -> str:
        return "\n".join(self._operators)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be").hex().upper().encode()
