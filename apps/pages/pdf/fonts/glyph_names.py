"""Characters that PDFium gives as a bare code, by the same glyph elsewhere on the page or by the name of the glyph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from apps.pages.pdf.fonts import tex_glyphs
from apps.pages.pdf.fonts.font_facts import NO_FONT, FontFacts, character_of_glyph, glyph_name
from apps.pages.pdf.fonts.symbol_fonts import piece_of_bracket
from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.text.character_records import HYPHEN, JOINED, UNMAPPED

_BLANK, _REPLACEMENT = 0x20, 0xFFFD
# PDFium gives a glyph without ink a box this thin, as a share of its font's height.
_MAX_THINNESS = 0.002
# The number of the blank in nearly all TrueType fonts that are not cut down to a few glyphs.
_SPACE_GLYPH = 3
_FIRST_PRIVATE, _AFTER_PRIVATE = 0xE000, 0xF900


def name_glyphs(library: Pdfium, codes: Any, real: Any, fonts: Any, facts: Callable[[int], FontFacts]) -> None:
    """Replace unreadable code points, in place, where the glyph is known; others keep their code.

    Arrays of one length. ``real``: the records. ``facts``: of a font. The names of TeX's fonts of mathematics also
    replace code points that look like letters.
    """
    kinds = real["type"]
    if kinds.max() < UNMAPPED and codes.min() >= _BLANK and codes.max() < _FIRST_PRIVATE:
        return
    unmapped, control = kinds == UNMAPPED, codes < _BLANK
    unclear = control & (unmapped | (codes != 9) & (codes != 10) & (codes != 13)) | (kinds == HYPHEN)
    unclear |= (codes >= _FIRST_PRIVATE) & (codes < _AFTER_PRIVATE) | (codes == _REPLACEMENT)
    known: dict[tuple[int, int], int] = {}
    for at in np.flatnonzero(unclear | unmapped).tolist():
        key = (int(fonts[at]), int(real["code"][at]))
        if key not in known:
            known[key] = 0
            # Of a composite font that is not in the file, PDFium gives the names of another font's glyphs.
            named = key[0] > 0 and (facts(key[0]).embedded or not facts(key[0]).encoding.endswith(("-H", "-V")))
            if named and real["type"][at] != HYPHEN:
                known[key] = ord(tex_glyphs.character_of(glyph_name(library, *key)) or "\0")
            if unclear[at] and not known[key]:
                known[key] = _readable(library, codes, real, fonts, key, named=named)
        public = known[key] or piece_of_bracket(int(codes[at]))
        if public:
            codes[at] = public
    for at in np.flatnonzero(control & (codes < _BLANK)).tolist():
        codes[at] = _shown(int(codes[at]), real[at], facts(int(fonts[at])))
    if tex_glyphs.NEGATION in known.values():
        tex_glyphs.join_negations(codes, JOINED)


def _shown(code: int, record: Any, font: FontFacts) -> int:
    """Return what a control code shows: a blank, nothing (as a part of its neighbour), or the code where it is unknown.

    A glyph without ink is a blank, whatever its code is, and so is glyph 3 of a TrueType font that is not in the file.
    """
    if font is NO_FONT:
        return code
    if font.embedded:
        width, height = record["right"] - record["left"], record["top"] - record["bottom"]
        font_width = abs(record["loose_right"] - record["loose_left"])
        font_height = abs(record["loose_top"] - record["loose_bottom"])
        return _BLANK if min(width, height) <= _MAX_THINNESS * max(font_width, font_height) else code
    if font.encoding.startswith("Identity") and record["type"] == UNMAPPED and code == _SPACE_GLYPH:
        return _BLANK
    # The first byte of characters of two bytes, in a font whose codes have one.
    return JOINED if not code and not font.encoding.endswith(("-H", "-V")) else code


def _readable(library: Pdfium, codes: Any, real: Any, fonts: Any, key: tuple[int, int], *, named: bool) -> int:
    """Return the code point of the glyph ``key`` (font and code); 0 if it stays unreadable.

    ``named``: the glyphs of the font have names.
    """
    font, code = key
    same = (fonts == font) & (real["code"] == code)
    hyphen = bool((real["type"][same] == HYPHEN).any())
    if hyphen:
        same &= (real["type"] != HYPHEN) & (codes >= 0x20)
        if same.any():
            return int(codes[np.flatnonzero(same)[0]])
    name = character_of_glyph(library, font, code) if named else ""
    if len(name) == 1 and ord(name) >= 0x20 and not _FIRST_PRIVATE <= ord(name) < _AFTER_PRIVATE:
        return ord(name)
    return ord("-") if hyphen else 0
