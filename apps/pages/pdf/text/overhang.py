"""How far letters reach out of their advances: PDFium widens their boxes to their ink.

The f of an italic font reaches over its neighbours, and so do letters of a font that stands in for a missing one. On
pages that write no blanks the gap beside such a letter shows the end of a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.text.character_records import UNMAPPED

# Where more of the characters are blanks, these part the words.
MAX_BLANK_SHARE = 0.05
# Letters reach over their neighbours by less than this share of their box.
MAX_SHARE = 0.6
# An edge of the ink that is this near to the edge of the box, in points, may be what widens it.
_SAME_POINTS = 0.005
_Shares = tuple[float, float]
# The direction and scale of the line of a character, and the edges of its box along it.
_Extent = tuple[Any, float, float]
_NONE: _Shares = (0.0, 0.0)


class Overhangs:
    """Knows by which shares of its box each glyph of a document is widened, before and after."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        self._known: dict[int, _Shares] = {}  # by font and code, in one number

    def of(self, text_page: int, real: Any, index: Any, fonts: Any, along: Any) -> Any:
        """Return by how many points characters reach out of their advances, before and after: two rows.

        ``real``: their records, ``index``: their places on the page, ``along``: the direction of their lines in the
        space of the page and its scale, two columns; zeros for lines that run neither upright nor along the page.
        """
        start, end = _edges(real, along, "loose_")
        ink_start, ink_end = _edges(real, along)
        wide = ((along[:, 0] != 0) | (along[:, 1] != 0)) & (end > start)
        shared = (start[1:] == start[:-1]) & (end[1:] == end[:-1])  # the letters of a ligature
        wide[1:] &= ~shared
        wide[:-1] &= ~shared
        wide &= real["type"] != UNMAPPED  # PDFium gives widths by character, not by code
        wide &= (np.abs(ink_start - start) < _SAME_POINTS) | (np.abs(ink_end - end) < _SAME_POINTS)
        places = np.flatnonzero(wide)
        found = np.zeros((2, len(real)))
        if not len(places):
            return found
        keys = fonts[places].astype("u8") << 20 ^ real["code"][places]
        distinct, firsts, numbers = np.unique(keys, return_index=True, return_inverse=True)
        known = self._known
        for key, at in zip(distinct.tolist(), places[firsts].tolist(), strict=True):
            if key not in known:
                extent = along[at], start[at], end[at]
                known[key] = self._measured(text_page, real[at], int(index[at]), int(fonts[at]), extent)
        shares = np.array([known[key] for key in distinct.tolist()])
        found[:, places] = shares[numbers].T * (end[places] - start[places])
        return found

    def _measured(self, text_page: int, record: Any, place: int, font: int, extent: _Extent) -> _Shares:
        along, start, end = extent
        library, pen, advance = self._library, np.zeros(2, "f8"), np.zeros(1, "f4")
        at = pen.ctypes.data
        if not font or not library.FPDFText_GetCharOrigin(text_page, place, at, at + 8):
            return _NONE
        size = abs(float(record["size"])) * float(np.hypot(*along))
        if not library.FPDFFont_GetGlyphWidth(font, int(record["unicode"]), size, advance.ctypes.data):
            return _NONE
        origin, width = float(pen @ np.sign(along)), float(advance[0])
        before, after = (origin - start) / (end - start), (end - origin - width) / (end - start)
        # A width that is far from that of the ink is that of another glyph of the same letter.
        return (
            (max(0.0, before), max(0.0, after)) if min(before, after) > -0.01 and before + after < MAX_SHARE else _NONE
        )


def _edges(real: Any, along: Any, kind: str = "") -> tuple[Any, Any]:
    """Return where the boxes of records begin and end in the direction of their lines, in points.

    ``kind``: of the boxes, ``loose_`` or, of the ink, nothing.
    """
    x, y = along.T
    left, right = real[kind + "left"].astype("f8"), real[kind + "right"].astype("f8")
    if (x > 0).all():
        return left, right
    bottom, top = real[kind + "bottom"].astype("f8"), real[kind + "top"].astype("f8")
    start = np.select([x > 0, x < 0, y > 0], [left, -right, bottom], -top)
    end = np.select([x > 0, x < 0, y > 0], [right, -left, top], -bottom)
    return start, end
