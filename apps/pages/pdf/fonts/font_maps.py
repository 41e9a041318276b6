"""Fonts of symbols, and fonts whose map to characters contradicts the glyphs that they name.

A viewer draws a font that is not embedded with one of its own, by the glyph names of its encoding. So the names are
what the page shows, and a map (``/ToUnicode``) that differs for most letters is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.pdf.fonts import symbol_fonts
from apps.pages.pdf.fonts.font_facts import FontFacts, character_of_glyph
from apps.pages.pdf.fonts.hangul_maps import FIRST_SYLLABLE, HangulMaps
from apps.pages.pdf.pdfium import Pdfium

# The letters that a font must show before its map is judged; a map that is right for half of them is right.
MIN_LETTERS = 10
MIN_CONTRADICTED_SHARE = 0.5


class FontMaps:
    """The fonts of one document whose map may be wrong. Each is judged on the first page that has enough letters."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        self._suspects: set[int] = set()
        # Font -> code -> the character by its glyph name.
        self._names: dict[int, dict[int, int]] = {}
        # Font of symbols -> its code points.
        self._symbols: dict[int, Any] = {}
        self._hangul = HangulMaps()

    def add(self, font: int, facts: FontFacts) -> None:
        """Note a font of the document."""
        if facts.has_unicode_map and not facts.embedded and not facts.encoding.endswith(("-H", "-V")):
            self._suspects.add(font)
        table = symbol_fonts.table_of(facts.name)
        if table is not None:
            self._symbols[font] = table

    def correct(self, characters: Any, codes: Any, fonts: Any) -> None:
        """Replace, in place, the characters of fonts with a wrong map and of fonts of symbols.

        Arrays of one length, not empty; ``codes``: in the font.
        """
        if characters.max() >= FIRST_SYLLABLE:
            self._hangul.correct(characters, codes, fonts)
        if not self._suspects and not self._symbols:
            return
        shown = np.unique(fonts).tolist()
        for font in self._symbols.keys() & shown:
            symbol_fonts.replace(characters, codes, np.flatnonzero(fonts == font), self._symbols[font])
        for font in self._suspects.intersection(shown):
            here = np.flatnonzero(fonts == font)
            used, first = np.unique(codes[here], return_index=True)
            names = self._names_of(font, used.tolist(), characters[here[first]].tolist())
            if names:
                characters[here] = [
                    names.get(code, old)
                    for code, old in zip(codes[here].tolist(), characters[here].tolist(), strict=True)
                ]

    def _names_of(self, font: int, codes: list[int], mapped: list[int]) -> dict[int, int]:
        """Return the characters by glyph name of a font with a wrong map, {} for any other."""
        known = self._names.setdefault(font, {})
        for code in codes:
            if code not in known:
                name = character_of_glyph(self._library, font, code) if code < 0x100 else ""
                known[code] = ord(name) if len(name) == 1 else 0
        letters = [
            (known[code], character)
            for code, character in zip(codes, mapped, strict=True)
            if 0 < known[code] < 0x80 and chr(known[code]).isalpha()
        ]
        if len(letters) < MIN_LETTERS:
            return {}
        wrong = sum(1 for named, character in letters if named != character)
        if wrong < MIN_CONTRADICTED_SHARE * len(letters):
            self._suspects.discard(font)
            return {}
        return {code: named for code, named in known.items() if named}
