"""The letters of glyphs without a character of their own: PDFium gives only their codes, and the letters were lost.

Adobe's fonts name the ligature of f and i "f_i" (Adobe Glyph List Specification, section 2). The fonts that TeX draws
as bitmaps have names such as "a28", the code in one of TeX's own encodings: OT1, where ligatures begin at 11, or T1.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from apps.pages.pdf.fonts.font_facts import character_of_glyph, glyph_name
from apps.pages.pdf.pdfium import Pdfium

_LETTERS = ("ff", "fi", "fl", "ffi", "ffl")
_OT1 = dict(enumerate(_LETTERS, 11))
_T1 = {16: "\u201c", 17: "\u201d", 18: "\u201e", 19: "«", 20: "»", 21: "–", 22: "—", **dict(enumerate(_LETTERS, 27))}
_CODE_AS_NAME = re.compile(r"a\d{1,2}")


def letters_of_glyphs(library: Pdfium, records: Any, places: Any) -> dict[int, str]:
    """Return the letters of the records at ``places``, which PDFium cannot read, where the glyph's name gives them."""
    names: dict[tuple[int, int], str] = {}
    keys = []
    for at in places.tolist():
        handle = int(records["object"][at])
        font = (library.FPDFTextObj_GetFont(handle) or 0) if handle else 0
        keys.append((font, int(records["code"][at])))
        if font and keys[-1] not in names:
            names[keys[-1]] = glyph_name(library, *keys[-1])
    codes_of_tex: dict[int, set[int]] = defaultdict(set)
    for (font, code), name in names.items():
        if _CODE_AS_NAME.fullmatch(name) and name == f"a{code}":
            codes_of_tex[font].add(code)
    letters: dict[tuple[int, int], str] = {}
    for font, code in names:
        codes = codes_of_tex.get(font, ())
        if code in codes:
            letters[font, code] = (_T1 if _OT1.keys().isdisjoint(codes) else _OT1).get(code, "")
        elif "_" in names[font, code]:
            letters[font, code] = character_of_glyph(library, font, code)
    return {at: found for at, key in zip(places.tolist(), keys, strict=True) if (found := letters.get(key, ""))}
