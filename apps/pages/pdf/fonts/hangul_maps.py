"""Korean fonts whose map to characters was written by ranges and is wrong inside them.

The glyphs of such a font follow KS X 1001, the 2,350 usual syllables in the order of Unicode with gaps. A program that
writes a range of neighbouring glyphs as a range of neighbouring characters gives a rare syllable in place of the usual
one after a gap. The other glyphs show which number each syllable has.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

FIRST_SYLLABLE, AFTER_SYLLABLES = 0xAC00, 0xD7A4
# At least this many different glyphs of a font show that it follows the standard, ...
MIN_GLYPHS = 24
# ... if this share of them does.
MIN_SHARE = 0.9


@cache
def standard_syllables() -> Any:
    """Return the syllables of KS X 1001 in their order."""
    rows = range(0xB0, 0xC9)
    text = b"".join(bytes([row, cell]) for row in rows for cell in range(0xA1, 0xFF)).decode("euc_kr")
    return np.array(list(map(ord, text)), "u4")


class HangulMaps:
    """The Korean fonts of one document, each judged on the first page that has enough of its glyphs."""

    def __init__(self) -> None:
        # Font -> the code of its first syllable, None for a font that does not follow the standard.
        self._firsts: dict[int, int | None] = {}

    def correct(self, characters: Any, codes: Any, fonts: Any) -> None:
        """Replace, in place, the syllables that a font's map contradicts. ``codes``: in the font."""
        syllables = np.flatnonzero((characters >= FIRST_SYLLABLE) & (characters < AFTER_SYLLABLES))
        if not len(syllables):
            return
        standard = standard_syllables()
        for font in np.unique(fonts[syllables]).tolist():
            here = syllables[fonts[syllables] == font]
            shown, numbers = characters[here], codes[here].astype("i8")
            place = np.minimum(np.searchsorted(standard, shown), len(standard) - 1)
            first = self._first(font, numbers, place, standard[place] == shown)
            if first is not None:
                wanted = numbers - first
                inside = (wanted >= 0) & (wanted < len(standard))
                characters[here[inside]] = standard[wanted[inside]]

    def _first(self, font: int, numbers: Any, place: Any, usual: Any) -> int | None:
        """Return the code of a font's first syllable by the glyphs with ``usual`` syllables at these places."""
        if font not in self._firsts:
            glyphs, at = np.unique(numbers[usual], return_index=True)
            if len(glyphs) < MIN_GLYPHS:
                return None
            firsts, counts = np.unique(glyphs - place[usual][at], return_counts=True)
            follows = counts.max() >= MIN_SHARE * len(glyphs)
            self._firsts[font] = int(firsts[counts.argmax()]) if follows else None
        return self._firsts[font]
