"""What a page draws, object by object, with pypdfium2: its texts and its pictures, those inside forms as well.

Part of ``pdf.py``'s duty; runs only inside the isolated child. The raw calls, because a Python object for each of a
page's thousands of marks costs more than loading the page.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from apps.pages.model.geometry import Box
from apps.pages.pdf import rasters

# Beyond these a page says nothing; both are far above what documents have, and bound the time and the stack.
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
    """A piece of text as it is drawn. ``box`` in points of the page as displayed, which it may lie outside of.

    ``colour``: red, green, blue and alpha of the fill, 0-255; None for patterns.
    """

    handle: Any
    box: Box
    mode: int
    colour: tuple[int, int, int, int] | None


class PageObjects:
    """The texts and pictures of a loaded page (pypdfium2's). ``complete``: False where there are too many for that."""

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
        """How much of the page its pictures cover, 0.0-1.0; overlaps count twice."""
        parts = [
            part for box in self._picture_boxes if box is not None and (part := box.intersection(whole)) is not None
        ]
        return min(1.0, sum(part.width * part.height for part in parts) / (whole.width * whole.height))

    @contextmanager
    def without(self, objects: Sequence[Any]) -> Iterator[None]:
        """Inside the block these objects are not drawn."""
        for handle in objects:
            self._raw.FPDFPageObj_SetIsActive(handle, False)
        try:
            yield
        finally:
            for handle in objects:
                self._raw.FPDFPageObj_SetIsActive(handle, True)

    def texts_at(self, box: Box, share: float = 0.5) -> list[TextObject]:
        """The texts that cover this share of the box's height and touch its width, as drawn from first to last."""
        if self._strips is None:
            self._strips = {}
            for item in self.texts:
                for row in _strips_of(item.box):
                    self._strips.setdefault(row, []).append(item)
        near = {id(item): item for row in _strips_of(box) for item in self._strips.get(row, ())}
        return [item for item in near.values() if _covers(item.box, box, share)]

    def contents(self, items: Sequence[TextObject]) -> list[str]:
        """Return the text of these objects."""
        text_page = self._raw.FPDFText_LoadPage(self._page.raw)
        try:
            return [self._content(item.handle, text_page) for item in items]
        finally:
            self._raw.FPDFText_ClosePage(text_page)

    def can_draw(self, item: TextObject, letter: str) -> bool:
        """Whether PDFium has a shape for the letter; without the right font it draws nothing where others do."""
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
                self._add_text(item, matrix)
            elif kind == raw.FPDF_PAGEOBJ_IMAGE:
                self.pictures.append(item)
                self._picture_boxes.append(self._box(item, matrix))
            elif kind == raw.FPDF_PAGEOBJ_FORM:
                inner = _times(self._matrix(item), matrix)
                self._walk(item, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, inner, depth + 1)

    def _add_text(self, item: Any, matrix: _Matrix) -> None:
        box = self._box(item, matrix)
        if box is not None:
            self.texts.append(TextObject(item, box, self._raw.FPDFTextObj_GetTextRenderMode(item), self._colour(item)))

    def _box(self, item: Any, matrix: _Matrix) -> Box | None:
        bounds = rasters.bounds_of(self._raw, item)
        return None if bounds is None else rasters.displayed(_moved(bounds, matrix), self._frame, self._rotation)

    def _colour(self, item: Any) -> tuple[int, int, int, int] | None:
        parts = [ctypes.c_uint() for _ in range(4)]
        if not self._raw.FPDFPageObj_GetFillColor(item, *parts):
            return None
        red, green, blue, alpha = (part.value for part in parts)
        return red, green, blue, alpha

    def _matrix(self, item: Any) -> _Matrix:
        matrix = self._raw.FS_MATRIX()
        if not self._raw.FPDFPageObj_GetMatrix(item, matrix):
            return _SAME
        return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f

    def _content(self, handle: Any, text_page: Any) -> str:
        size = min(self._raw.FPDFTextObj_GetText(handle, text_page, None, 0), 2 * _MAX_TEXT_CHARACTERS)
        buffer = ctypes.create_string_buffer(size)
        self._raw.FPDFTextObj_GetText(handle, text_page, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
        return buffer.raw.decode("utf-16-le", "replace").rstrip("\x00")


def _strips_of(box: Box) -> range:
    first, last = int(max(-1e6, box.top) // _STRIP_POINTS), int(min(1e6, box.bottom) // _STRIP_POINTS)
    return range(first, min(last, first + 1000) + 1)


def _covers(item: Box, box: Box, share: float) -> bool:
    deep = min(item.bottom, box.bottom) - max(item.top, box.top)
    across = min(item.x1, box.x1) - max(item.x0, box.x0)
    # The library's boxes reach from ascender to descender, PDFium's hold the ink: the lower of the two is asked.
    # Text in a font that is not there has no height at all.
    return across > 0 and deep >= share * min(box.height, item.height)


def _times(first: _Matrix, then: _Matrix) -> _Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _moved(bounds: tuple[float, float, float, float], matrix: _Matrix) -> tuple[float, float, float, float]:
    if matrix == _SAME:
        return bounds
    a, b, c, d, e, f = matrix
    left, bottom, right, top = bounds
    xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
    ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
    return min(xs), min(ys), max(xs), max(ys)
