"""How far letters reach out of their advances: PDFium widens their boxes to their ink.

The f of an italic font reaches over its neighbours, and so do letters of a font that stands in for a missing one. On
pages that write no blanks the gap beside such a letter shows the end of a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.pdf.pdfium import Pdfium

# Where more of the characters are blanks, these part the words.
MAX_BLANK_SHARE = 0.05
# Letters reach over their neighbours by less than this share of their box.
MAX_SHARE = 0.6
# An edge of the ink that is this near to the edge of the box, in points, may be what widens it.
_SAME_POINTS = 0.005
_Key = tuple[int, int]
_Shares = tuple[float, float]
_NONE: _Shares = (0.0, 0.0)


class Overhangs:
    """Knows by which shares of its box each glyph of a document is widened, on the left and on the right."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        self._known: dict[_Key, _Shares] = {}

    def of(self, text_page: int, real: Any, index: Any, fonts: Any, scale: Any) -> Any:
        """Return by how many points characters reach out of their advances, on the left and on the right: two rows.

        ``real``: their records, ``index``: their places on the page, ``scale``: by which their advances are multiplied,
        0 for those that do not run to the right.
        """
        left, right = real["loose_left"].astype("f8"), real["loose_right"].astype("f8")
        wide = (scale > 0) & (right > left)
        shared = (left[1:] == left[:-1]) & (right[1:] == right[:-1])  # the letters of a ligature
        wide[1:] &= ~shared
        wide[:-1] &= ~shared
        wide &= (np.abs(real["left"] - left) < _SAME_POINTS) | (np.abs(real["right"] - right) < _SAME_POINTS)
        places = np.flatnonzero(wide)
        found = np.zeros((2, len(real)))
        if not len(places):
            return found
        keys = fonts[places].astype("u8") << 20 ^ real["code"][places]
        _, firsts, numbers = np.unique(keys, return_index=True, return_inverse=True)
        shares = np.array(
            [
                self._shares(text_page, real[at], int(index[at]), int(fonts[at]), float(scale[at]))
                for at in places[firsts]
            ]
        )
        found[:, places] = shares[numbers].T * (right[places] - left[places])
        return found

    def _shares(self, text_page: int, record: Any, place: int, font: int, scale: float) -> _Shares:
        key = font, int(record["code"])
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._measured(text_page, record, place, font, scale)
        return found

    def _measured(self, text_page: int, record: Any, place: int, font: int, scale: float) -> _Shares:
        library, pen, advance = self._library, np.zeros(2, "f8"), np.zeros(1, "f4")
        at = pen.ctypes.data
        if not font or not library.FPDFText_GetCharOrigin(text_page, place, at, at + 8):
            return _NONE
        size = abs(float(record["size"])) * scale
        if not library.FPDFFont_GetGlyphWidth(font, int(record["unicode"]), size, advance.ctypes.data):
            return _NONE
        left, right = float(record["loose_left"]), float(record["loose_right"])
        start, width = float(pen[0]), float(advance[0])
        before, after = (start - left) / (right - left), (right - start - width) / (right - left)
        # A width that is far from that of the ink is that of another glyph of the same letter.
        return (
            (max(0.0, before), max(0.0, after)) if min(before, after) > -0.01 and before + after < MAX_SHARE else _NONE
        )
