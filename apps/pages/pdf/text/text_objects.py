"""Matrix, font, colour and style of the text objects of a page: what all characters of an object share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from apps.pages.model.page_tags import ARTIFACT
from apps.pages.model.raw_page import TextStyle
from apps.pages.pdf.fonts.font_facts import NO_FONT, FontFacts, font_facts
from apps.pages.pdf.fonts.font_maps import FontMaps
from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.structure.structure_tree import MarkReader

INVISIBLE_MODE = 3
_FILL_AND_STROKE_MODE = 2
# A blank that is an object of its own has no ink and is on the baseline of its line.
MAX_OFF_LINE_POINTS, MAX_BLANK_INK_POINTS = 0.5, 0.01
# From one glyph of a line to the next: the greatest step, and the greatest step aside.
MAX_GLYPH_STEP_EMS, MAX_OFF_LINE_EMS = 2.0, 0.3
_Style = tuple[int, int, int]
"""Font, rendering mode and colour, as PDFium's numbers."""


class TextObjects(msgspec.Struct):
    """Arrays with a row for each text object. ``matrix``: from text space to the page's own space, six columns.

    ``pen_x``, ``pen_y``: a point on the baseline of the object, in the page's own space. ``style``: a number in
    ``DocumentFonts.styles``. ``content_id``: the number of its marked content, -1 for none.
    """

    matrix: Any
    pen_x: Any
    pen_y: Any
    font: Any
    style: Any
    vertical: Any
    content_id: Any


class DocumentFonts:
    """The fonts and styles of one document, each asked for once."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        self._facts: dict[int, FontFacts] = {}
        self._numbers: dict[_Style, int] = {}
        self._vertical: list[bool] = []
        self.styles: list[TextStyle] = []
        self.maps = FontMaps(library)

    def facts(self, font: int) -> FontFacts:
        found = self._facts.get(font)
        if found is None:
            found = self._facts[font] = font_facts(self._library, font) if font else NO_FONT
            self.maps.add(font, found)
        return found

    def numbers(self, styles: Sequence[_Style]) -> Any:
        """Return the numbers of styles in ``styles``, as an array."""
        known = self._numbers
        for key in dict.fromkeys(styles):
            if key not in known:
                known[key] = self._added(key)
        return np.array([known[key] for key in styles], "i4")

    def vertical(self, numbers: Any) -> Any:
        """Return which of these styles write downwards."""
        return np.array(self._vertical, bool)[numbers]

    def _added(self, key: _Style) -> int:
        font, mode, colour = key
        facts = self.facts(font)
        self._vertical.append(facts.vertical)
        self.styles.append(
            TextStyle(
                font=facts.name,
                bold=facts.bold or mode == _FILL_AND_STROKE_MODE,
                italic=facts.italic,
                fixed_pitch=facts.fixed_pitch,
                mathematics=facts.mathematics,
                invisible=mode == INVISIBLE_MODE,
                colour=(colour & 0xFF, colour >> 8 & 0xFF, colour >> 16 & 0xFF),
            )
        )
        return len(self.styles) - 1


class TextObjectReader:
    """Reads the text objects of loaded text pages."""

    def __init__(self, library: Pdfium, *, tagged: bool) -> None:
        self._library = library
        self._tagged = tagged
        self._marks = MarkReader(library)
        self.fonts = DocumentFonts(library)

    def read(self, text_page: int, firsts: Sequence[int], handles: Sequence[int], modes: Sequence[int]) -> TextObjects:
        """Return what characters share. ``firsts``: the place of the first character of each object on the page."""
        library = self._library
        matrices, colours = np.zeros((len(handles), 6), "f4"), np.zeros((len(handles), 4), "u4")
        at_matrix, at_colour = matrices.ctypes.data, colours.ctypes.data
        matrix_of, font_of, colour_of = (
            library.FPDFText_GetMatrix,
            library.FPDFTextObj_GetFont,
            library.FPDFPageObj_GetFillColor,
        )
        fonts = []
        # PDFium writes into the rows, and leaves zeros where it knows nothing.
        for first, handle in zip(firsts, handles, strict=True):
            matrix_of(text_page, first, at_matrix)
            fonts.append(font_of(handle) or 0)
            colour_of(handle, at_colour, at_colour + 4, at_colour + 8, at_colour + 12)
            at_matrix += 24
            at_colour += 16
        packed = colours[:, 0] | colours[:, 1] << 8 | colours[:, 2] << 16
        style = self.fonts.numbers(list(zip(fonts, modes, packed.tolist(), strict=True)))
        matrix = matrices.astype("f8")
        found = TextObjects(
            matrix=matrix,
            pen_x=matrix[:, 4],
            pen_y=matrix[:, 5],
            font=np.array(fonts, "u8"),
            style=style,
            vertical=self.fonts.vertical(style),
            content_id=self._content_ids(handles),
        )
        self._place_pens(text_page, firsts, found)
        return found

    def _place_pens(self, text_page: int, firsts: Sequence[int], found: TextObjects) -> None:
        """Place the pens of vertical writing and of characters without an object, which the matrix does not give."""
        pen = np.zeros(2, "f8")
        at = pen.ctypes.data
        for row in np.flatnonzero(found.vertical | (found.font == 0)).tolist():
            self._library.FPDFText_GetCharOrigin(text_page, firsts[row], at, at + 8)
            found.pen_x[row], found.pen_y[row] = pen

    def _content_ids(self, handles: Sequence[int]) -> Any:
        if not self._tagged:
            return np.full(len(handles), -1, "i4")
        content_id_of = self._library.FPDFPageObj_GetMarkedContentID
        numbers = [content_id_of(handle) for handle in handles]
        for row, number in enumerate(numbers):
            if number < 0 and self._marks.is_artifact(handles[row]):
                numbers[row] = ARTIFACT
        return np.array(numbers, "i4")


def across_the_page(objects: TextObjects, lengths: Any, sizes: Any) -> Any:
    """Return which objects of vertical fonts show one glyph each in lines that run across the page.

    Some programs use such a font and place each glyph themselves. ``lengths``: characters of each object. ``sizes``:
    of their fonts.
    """
    alone = objects.vertical & (lengths == 1)
    em = sizes * np.hypot(objects.matrix[:, 2], objects.matrix[:, 3])
    aside, down = np.abs(np.diff(objects.pen_x)), np.abs(np.diff(objects.pen_y))
    reach, near = MAX_GLYPH_STEP_EMS * em[1:], MAX_OFF_LINE_EMS * em[1:]
    both = alone[1:] & alone[:-1]
    across = np.count_nonzero(both & (aside < reach) & (down < near))
    return alone & (across > np.count_nonzero(both & (down < reach) & (aside < near)))


def lone_blanks(
    library: Pdfium, objects: TextObjects, handles: Sequence[int], drawn: Sequence[int]
) -> list[tuple[float, float, int]]:
    """Return the places of text objects without ink, which PDFium leaves out, and the object beside on the same line.

    ``handles``: those of ``objects``; ``drawn``: all text objects of the page in the order of the file.
    """
    row_of = {handle: row for row, handle in enumerate(handles)}
    edges = np.zeros(4, "f4")
    at = edges.ctypes.data
    places = []
    for place, handle in enumerate(drawn):
        beside = [row_of[near] for near in drawn[max(place - 1, 0) : place + 2] if near in row_of]
        if handle in row_of or not beside or not library.FPDFPageObj_GetBounds(handle, at, at + 4, at + 8, at + 12):
            continue
        left, bottom, right, top = edges.tolist()
        # The bounds of an object of a form are in the form's space, where its line is elsewhere.
        along, up = np.abs(objects.matrix[beside, :2]).T
        off = np.where(along >= up, np.abs(objects.pen_y[beside] - bottom), np.abs(objects.pen_x[beside] - left))
        if off.min() <= MAX_OFF_LINE_POINTS and max(right - left, top - bottom) <= MAX_BLANK_INK_POINTS:
            places.append((left, bottom, beside[int(off.argmin())]))
    return places
