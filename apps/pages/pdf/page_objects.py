"""List the objects that a page draws, with pypdfium2: its texts and its pictures, including those inside forms.

Runs only inside the sandboxed child. Uses the raw calls, because a Python object for each of a page's thousands of
marks costs more than loading the page.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from apps.pages.model.geometry import Box
from apps.pages.pdf import rasters

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

    handle: Any
    box: Box
    mode: int
    colour: tuple[int, int, int, int] | None


class PageObjects:
    """The texts and pictures of a loaded page (pypdfium2's). ``complete``: False if the page has too many objects."""

    def __init__(self, page: Any) -> None:
        from pypdfium2 import raw

        self._raw = raw
        self._page = page
        self._frame = rasters.frame_of(raw, page.raw)
        self._rotation = raw.FPDFPage_GetRotation(page.raw) * 90
        self._left = MAX_PAGE_OBJECTS
        self.complete = True
        self.texts: list[TextObject] = []
        self.pictures: list[Any] = []
        self._picture_boxes: list[Box | None] = []
        self._walk(page.raw, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject, _SAME, 0)
        self._strips: dict[int, list[TextObject]] | None = None

    def pictured_share(self, whole: Box) -> float:
        """Return the share of the page that its pictures cover, 0.0-1.0; overlaps count twice."""
        parts = [
            part for box in self._picture_boxes if box is not None and (part := box.intersection(whole)) is not None
        ]
        return min(1.0, sum(part.width * part.height for part in parts) / (whole.width * whole.height))

    @contextmanager
    def without(self, objects: Sequence[Any]) -> Iterator[None]:
        """Draw the page without these objects inside the ``with`` block."""
        for handle in objects:
            self._raw.FPDFPageObj_SetIsActive(handle, False)
        try:
            yield
        finally:
            for handle in objects:
                self._raw.FPDFPageObj_SetIsActive(handle, True)

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
        text_page = self._raw.FPDFText_LoadPage(self._page.raw)
        texts = []
        try:
            for item in items:
                size = min(self._raw.FPDFTextObj_GetText(item.handle, text_page, None, 0), 2 * _MAX_TEXT_CHARACTERS)
                buffer = ctypes.create_string_buffer(size)
                characters = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort))
                self._raw.FPDFTextObj_GetText(item.handle, text_page, characters, size)
                texts.append(buffer.raw.decode("utf-16-le", "replace").rstrip("\x00"))
        finally:
            self._raw.FPDFText_ClosePage(text_page)
        return texts

    def can_draw(self, item: TextObject, letter: str) -> bool:
        """Return whether PDFium has a shape for the letter; it draws nothing if the font is missing, others do."""
        font = self._raw.FPDFTextObj_GetFont(item.handle)
        if not font or self._raw.FPDFFont_GetIsEmbedded(font) == 1:
            return True
        path = self._raw.FPDFFont_GetGlyphPath(font, ord(letter), 10.0)
        return bool(path) and self._raw.FPDFGlyphPath_CountGlyphSegments(path) > 0

    def _walk(self, parent: Any, count: Any, get: Any, matrix: _Matrix, depth: int) -> None:
        raw = self._raw
        for index in range(count(parent)):
            self._left -= 1
            if self._left < 0 or depth > MAX_FORM_DEPTH:
                self.complete = False
                return
            item = get(parent, index)
            kind = raw.FPDFPageObj_GetType(item)
            if kind == raw.FPDF_PAGEOBJ_TEXT:
                box = self._box(item, matrix)
                if box is not None:
                    mode = raw.FPDFTextObj_GetTextRenderMode(item)
                    self.texts.append(TextObject(item, box, mode, self._colour(item)))
            elif kind == raw.FPDF_PAGEOBJ_IMAGE:
                self.pictures.append(item)
                self._picture_boxes.append(self._box(item, matrix))
            elif kind == raw.FPDF_PAGEOBJ_FORM:
                inner = self._matrix_inside(item, matrix)
                self._walk(item, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, inner, depth + 1)

    def _box(self, item: Any, matrix: _Matrix) -> Box | None:
        bounds = rasters.bounds_of(self._raw, item)
        if bounds is None:
            return None
        if matrix != _SAME:
            a, b, c, d, e, f = matrix
            left, bottom, right, top = bounds
            xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
            ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
            bounds = min(xs), min(ys), max(xs), max(ys)
        return rasters.displayed(bounds, self._frame, self._rotation)

    def _colour(self, item: Any) -> tuple[int, int, int, int] | None:
        parts = [ctypes.c_uint() for _ in range(4)]
        if not self._raw.FPDFPageObj_GetFillColor(item, *parts):
            return None
        red, green, blue, alpha = (part.value for part in parts)
        return red, green, blue, alpha

    def _matrix_inside(self, form: Any, outer: _Matrix) -> _Matrix:
        """Return the matrix of the objects inside a form: the form's own, then the one of its place."""
        own = self._raw.FS_MATRIX()
        if not self._raw.FPDFPageObj_GetMatrix(form, own):
            own.a, own.b, own.c, own.d, own.e, own.f = _SAME
        a, b, c, d, e, f = own.a, own.b, own.c, own.d, own.e, own.f
        p, q, r, s, t, u = outer
        return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _strips_of(box: Box) -> range:
    first, last = int(max(-1e6, box.top) // _STRIP_POINTS), int(min(1e6, box.bottom) // _STRIP_POINTS)
    return range(first, min(last, first + 1000) + 1)
