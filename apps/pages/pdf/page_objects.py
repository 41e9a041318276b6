"""List the objects that a page draws: its texts and its pictures, including those inside forms.

Runs only inside the sandboxed child.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from apps.pages.model.geometry import Box
from apps.pages.pdf import rasters
from apps.pages.pdf.drawn_page import DrawnPage
from apps.pages.pdf.page_frame import frame_of
from apps.pages.pdf.pdfium import FORM, IMAGE, TEXT

# A page that exceeds these is not checked. Both are far above real documents and bound the time and the stack.
MAX_PAGE_OBJECTS = 200_000
MAX_FORM_DEPTH = 40
INVISIBLE = 3
"""Text rendering mode 3 of the PDF standard: neither filled nor stroked."""
FIRST_CLIPPING_MODE = 4
_STRIP_POINTS = 16.0
_MAX_TEXT_CHARACTERS = 4_000
_Matrix = tuple[float, float, float, float, float, float]
_SAME: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class TextObject(msgspec.Struct, gc=False):
    """A text object as drawn. ``box``: in points of the page as displayed; it may be outside the page.

    ``colour``: red, green, blue and alpha of the fill, 0-255; None for patterns.
    """

    handle: int
    box: Box
    mode: int
    colour: tuple[int, int, int, int] | None


class PageObjects:
    """The texts and pictures of a loaded page. ``complete``: False if the page has too many objects."""

    def __init__(self, page: DrawnPage) -> None:
        self._library = library = page.library
        self._page = page.handle
        # Arrays of ctypes, because numpy takes several times as long to give single values.
        self._values = (ctypes.c_float * 6)()
        self._colours = (ctypes.c_uint * 4)()
        frame = frame_of(library, page.handle)
        self._frame = frame.left, frame.bottom, frame.right, frame.top
        self._rotation = frame.rotation
        self._left = MAX_PAGE_OBJECTS
        self.complete = True
        self.texts: list[TextObject] = []
        self.pictures: list[int] = []
        self._picture_boxes: list[Box | None] = []
        self._walk(page.handle, library.FPDFPage_CountObjects, library.FPDFPage_GetObject, _SAME, 0)
        self._strips: dict[int, list[TextObject]] | None = None

    def pictured_share(self, whole: Box) -> float:
        """Return the share of the page that its pictures cover, 0.0-1.0; overlaps count twice."""
        parts = [
            part for box in self._picture_boxes if box is not None and (part := box.intersection(whole)) is not None
        ]
        return min(1.0, sum(part.width * part.height for part in parts) / (whole.width * whole.height))

    @contextmanager
    def without(self, objects: Sequence[int]) -> Iterator[None]:
        """Draw the page without these objects inside the ``with`` block."""
        for handle in objects:
            self._library.FPDFPageObj_SetIsActive(handle, False)
        try:
            yield
        finally:
            for handle in objects:
                self._library.FPDFPageObj_SetIsActive(handle, True)

    def texts_at(self, box: Box, share: float = 0.5) -> list[TextObject]:
        """Return the texts that cover this share of the box's height and touch its width, in drawing order."""
        if self._strips is None:
            self._strips = {}
            for item in self.texts:
                for row in _strips_of(item.box):
                    self._strips.setdefault(row, []).append(item)
        near = {id(item): item for row in _strips_of(box) for item in self._strips.get(row, ())}
        # Boxes of runs reach from ascender to descender, PDFium's contain the ink, so the lower height counts. Text
        # in a font that is missing has no height at all.
        return [
            item
            for item in near.values()
            if min(item.box.x1, box.x1) > max(item.box.x0, box.x0)
            and min(item.box.bottom, box.bottom) - max(item.box.top, box.top)
            >= share * min(box.height, item.box.height)
        ]

    def contents(self, items: Sequence[TextObject]) -> list[str]:
        """Return the text of these objects."""
        library = self._library
        text_page = library.FPDFText_LoadPage(self._page)
        texts = []
        try:
            for item in items:
                size = min(library.FPDFTextObj_GetText(item.handle, text_page, None, 0), 2 * _MAX_TEXT_CHARACTERS)
                buffer = ctypes.create_string_buffer(size)
                library.FPDFTextObj_GetText(item.handle, text_page, buffer, size)
                texts.append(buffer.raw.decode("utf-16-le", "replace").rstrip("\x00"))
        finally:
            library.FPDFText_ClosePage(text_page)
        return texts

    def can_draw(self, item: TextObject, letter: str) -> bool:
        """Return whether PDFium has a shape for the letter; it draws nothing if the font is missing, others do."""
        library = self._library
        font = library.FPDFTextObj_GetFont(item.handle)
        if not font or library.FPDFFont_GetIsEmbedded(font) == 1:
            return True
        path = library.FPDFFont_GetGlyphPath(font, ord(letter), 10.0)
        return bool(path) and library.FPDFGlyphPath_CountGlyphSegments(path) > 0

    def _walk(self, parent: int, count: Any, get: Any, matrix: _Matrix, depth: int) -> None:
        library = self._library
        for index in range(count(parent)):
            self._left -= 1
            if self._left < 0 or depth > MAX_FORM_DEPTH:
                self.complete = False
                return
            item = get(parent, index)
            kind = library.FPDFPageObj_GetType(item)
            if kind == TEXT:
                box = self._box(item, matrix)
                if box is not None:
                    mode = library.FPDFTextObj_GetTextRenderMode(item)
                    self.texts.append(TextObject(item, box, mode, self._colour(item)))
            elif kind == IMAGE:
                self.pictures.append(item)
                self._picture_boxes.append(self._box(item, matrix))
            elif kind == FORM:
                inside = library.FPDFFormObj_CountObjects, library.FPDFFormObj_GetObject
                self._walk(item, *inside, self._matrix_inside(item, matrix), depth + 1)

    def _box(self, item: int, matrix: _Matrix) -> Box | None:
        at = ctypes.addressof(self._values)
        if not self._library.FPDFPageObj_GetBounds(item, at, at + 4, at + 8, at + 12):
            return None
        left, bottom, right, top, _, _ = self._values
        if matrix is not _SAME:
            a, b, c, d, e, f = matrix
            xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
            ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
            left, bottom, right, top = min(xs), min(ys), max(xs), max(ys)
        return rasters.displayed((left, bottom, right, top), self._frame, self._rotation)

    def _colour(self, item: int) -> tuple[int, int, int, int] | None:
        at = ctypes.addressof(self._colours)
        if not self._library.FPDFPageObj_GetFillColor(item, at, at + 4, at + 8, at + 12):
            return None
        red, green, blue, alpha = self._colours
        return red, green, blue, alpha

    def _matrix_inside(self, form: int, outer: _Matrix) -> _Matrix:
        """Return the matrix of the objects inside a form: the form's own, then the one of its place."""
        if not self._library.FPDFPageObj_GetMatrix(form, ctypes.addressof(self._values)):
            return outer
        a, b, c, d, e, f = self._values
        p, q, r, s, t, u = outer
        return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _strips_of(box: Box) -> range:
    first, last = int(max(-1e6, box.top) // _STRIP_POINTS), int(min(1e6, box.bottom) // _STRIP_POINTS)
    return range(first, min(last, first + 1000) + 1)
