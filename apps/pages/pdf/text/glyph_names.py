"""Characters that PDFium gives as a bare code, by the same glyph elsewhere on the page or by the name of the glyph."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.text import tex_glyphs
from apps.pages.pdf.text.character_records import HYPHEN, JOINED, UNMAPPED
from apps.pages.pdf.text.fonts import character_of_glyph, glyph_name
from apps.pages.pdf.text.symbol_fonts import piece_of_bracket

_REPLACEMENT = 0xFFFD
_FIRST_PRIVATE, _AFTER_PRIVATE = 0xE000, 0xF900


def name_glyphs(library: Pdfium, codes: Any, real: Any, fonts: Any) -> None:
    """Replace unreadable code points, in place, where the glyph tells what it shows; others keep their code.

    Arrays of one length. ``real``: the records. The names of TeX's fonts of mathematics also replace code points that
    look like letters.
    """
    unclear = (codes < 0x20) & (codes != 9) & (codes != 10) & (codes != 13) | (real["type"] == HYPHEN)
    unclear |= (codes >= _FIRST_PRIVATE) & (codes < _AFTER_PRIVATE) | (codes == _REPLACEMENT)
    unmapped = real["type"] == UNMAPPED
    known: dict[tuple[int, int], int] = {}
    for at in np.flatnonzero(unclear | unmapped).tolist():
        key = (int(fonts[at]), int(real["code"][at]))
        if key not in known:
            known[key] = 0
            if key[0] and real["type"][at] != HYPHEN:
                known[key] = ord(tex_glyphs.character_of(glyph_name(library, *key)) or "\0")
            if unclear[at] and not known[key]:
                known[key] = _readable(library, codes, real, fonts, key, hyphen=real["type"][at] == HYPHEN)
        public = known[key] or piece_of_bracket(int(codes[at]))
        if public:
            codes[at] = public
    if tex_glyphs.NEGATION in known.values():
        tex_glyphs.join_negations(codes, JOINED)


def _readable(library: Pdfium, codes: Any, real: Any, fonts: Any, key: tuple[int, int], *, hyphen: bool) -> int:
    """Return the code point of the glyph ``key`` (font and code); 0 if it stays unreadable."""
    font, code = key
    if hyphen:
        same = (fonts == font) & (real["code"] == code) & (real["type"] != HYPHEN) & (codes >= 0x20)
        if same.any():
            return int(codes[np.flatnonzero(same)[0]])
    name = character_of_glyph(library, font, code) if font else ""
    if len(name) == 1 and ord(name) >= 0x20 and not _FIRST_PRIVATE <= ord(name) < _AFTER_PRIVATE:
        return ord(name)
    return ord("-") if hyphen else 0
