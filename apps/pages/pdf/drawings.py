"""The drawings of a page beside its text: ruling lines, filled areas, shapes, dots and raster pictures, as boxes."""

from __future__ import annotations

import ctypes
import itertools
import math
from typing import Any

import msgspec

from apps.pages.model.geometry import Box
from apps.pages.pdf.pdfium import FORM, IMAGE, PATH, SHADING, TEXT, Pdfium
from apps.pages.pdf.structure.layers import LayerMarks
from apps.pages.pdf.text.characters import Frame

# A drawn mark is a ruling line when it is this thin, in points; thicker ones are filled areas.
MAX_RULING_THICKNESS_POINTS = 3.0
# A page with more marks is a drawing or a map; a search for table grids in it would only cost time.
MAX_RULINGS = 5_000
MAX_OBJECTS, MAX_FORM_DEPTH, MAX_SEGMENTS = 100_000, 12, 4_000
MIN_PICTURE_SIDE_POINTS = 8.0
# A side is slanted if it goes this far down for each point across, and the other way round.
MIN_SLANT = 0.05
# Larger shapes are cut at their clipping paths: at most this many paths, each of at most this many points.
MIN_CLIPPED_POINTS, MAX_CLIP_PATHS, MAX_CLIP_SEGMENTS = 24.0, 8, 50
# Of a page with more shapes, those in the same places of a grid of this size are one.
MAX_SHAPES, SHAPE_GRID_POINTS = 2_000, 16.0
# A bullet is a mark of this size; a round one beside large letters may be larger, a square would be a cell or a box.
MIN_DOT_POINTS, MAX_DOT_POINTS, MAX_DISC_POINTS = 1.5, 9.0, 40.0
_LINE_TO, _CURVE_TO, _MOVE_TO = 0, 1, 2
_Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Drawings(msgspec.Struct):
    """Boxes in points of the page as displayed. ``texts``: handles of the text objects, nested ones too.

    ``shapes``: the visible parts of paths with curves or slanted sides. On a page with very many marks, all of them are
    shapes. ``hidden``: handles of the text objects of layers that are not shown; nothing else of
    these layers is listed. ``content_box`` surrounds everything that is drawn beside text, None when there is nothing.
    """

    rulings: list[Box] = []
    fills: list[Box] = []
    dots: list[Box] = []
    shapes: list[Box] = []
    pictures: list[Box] = []
    texts: list[int] = []
    hidden: list[int] = []
    complete: bool = True
    content_box: Box | None = None


class DrawingReader:
    """Walks over the objects of loaded pages. Its buffers are reused."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        # Arrays of ctypes, because numpy takes several times as long to give single values.
        self._values = (ctypes.c_float * 6)()
        self._modes = (ctypes.c_int * 2)()
        self._layers: LayerMarks | None = None

    def read(self, page: int, frame: Frame, *, layers: LayerMarks | None = None) -> Drawings:
        """Return what a loaded page draws. ``layers`` knows what is not shown; None when the document hides nothing."""
        library = self._library
        self._layers = layers
        if layers is not None:
            layers.start_page()
        walk = _Walk(Drawings(), frame, MAX_OBJECTS)
        self._walk(walk, page, library.FPDFPage_CountObjects, library.FPDFPage_GetObject, _IDENTITY, 0, False)
        found = walk.drawings
        if len(found.rulings) + len(found.fills) > MAX_RULINGS:
            found.shapes = _coarse([*found.shapes, *found.rulings, *found.fills])
            found.rulings, found.fills, found.dots = [], [], []
        elif len(found.shapes) > MAX_SHAPES:
            found.shapes = _coarse(found.shapes)
        if walk.extent[0] <= walk.extent[2]:
            found.content_box = Box(*(round(edge, 3) for edge in walk.extent))
        return found

    def _walk(self, walk: _Walk, parent: int, count: Any, get: Any, matrix: _Matrix, depth: int, hidden: bool) -> None:
        library, values, layers = self._library, self._values, self._layers
        at = ctypes.addressof(values)
        for index in range(count(parent)):
            walk.left -= 1
            if walk.left < 0:
                walk.drawings.complete = False
                return
            item = get(parent, index)
            kind = library.FPDFPageObj_GetType(item)
            unseen = hidden or (layers is not None and layers.hide(item))
            if kind == TEXT:
                (walk.drawings.hidden if unseen else walk.drawings.texts).append(item)
                continue
            if kind == FORM:
                if depth < MAX_FORM_DEPTH and library.FPDFPageObj_GetMatrix(item, at):
                    inside = library.FPDFFormObj_CountObjects, library.FPDFFormObj_GetObject
                    self._walk(walk, item, *inside, _product(values, matrix), depth + 1, unseen)
                continue
            if unseen:
                continue
            if library.FPDFPageObj_GetBounds(item, at, at + 4, at + 8, at + 12):
                left, bottom, right, top, _, _ = values
                box = walk.box(left, bottom, right, top, matrix)
                if box is not None:
                    self._mark(walk, item, kind, box, matrix)

    def _mark(self, walk: _Walk, item: int, kind: int, box: Box, matrix: _Matrix) -> None:
        """Add one object of the page that is no text and no form."""
        if kind == IMAGE:
            if min(box.width, box.height) >= MIN_PICTURE_SIDE_POINTS:
                walk.drawings.pictures.append(box)
        elif kind == PATH:
            self._path(walk, item, box, matrix)
        elif kind != SHADING:
            return
        walk.extend(box)

    def _path(self, walk: _Walk, item: int, box: Box, matrix: _Matrix) -> None:
        library, modes = self._library, self._modes
        at = ctypes.addressof(modes)
        if not library.FPDFPath_GetDrawMode(item, at, at + 4):
            return
        filled, stroked = modes
        if not filled and not stroked:
            return
        drawings = walk.drawings
        segments = library.FPDFPath_CountSegments(item)
        if min(box.width, box.height) <= MAX_RULING_THICKNESS_POINTS and segments <= 8:
            if (filled or segments > 2) and _is_dot(box):
                drawings.dots.append(box)
            else:
                drawings.rulings.append(box)
            return
        if segments > MAX_SEGMENTS:
            self._shape(walk, item, box, matrix)
            return
        at = ctypes.addressof(self._values)
        if not library.FPDFPageObj_GetMatrix(item, at):
            return
        # Bounds come in the space of the page, the points of a path in the space in which it was drawn.
        outer, matrix = matrix, _product(self._values, matrix)
        if _is_dot(box) or (_is_dot(box, MAX_DISC_POINTS) and self._is_round(item, segments)):
            # Bullets are discs, circles and squares, filled or hollow. A square is no cell of a table.
            drawings.dots.append(box)
            return
        parts = [
            curves or not self._polygon(walk, points, closed, bool(filled), bool(stroked), matrix)
            for points, closed, curves in self._subpaths(item, segments)
        ]
        if any(parts):
            self._shape(walk, item, box, outer)

    def _shape(self, walk: _Walk, item: int, box: Box, matrix: _Matrix) -> None:
        """Add the visible part of a shape. Only large ones are worth looking for it."""
        if max(box.width, box.height) < MIN_CLIPPED_POINTS or len(walk.drawings.shapes) >= MAX_SHAPES:
            walk.drawings.shapes.append(box)
            return
        library, values = self._library, self._values
        at = ctypes.addressof(values)
        clip = library.FPDFPageObj_GetClipPath(item)
        for path in range(min(library.FPDFClipPath_CountPaths(clip), MAX_CLIP_PATHS)):
            points = []
            for index in range(min(library.FPDFClipPath_CountPathSegments(clip, path), MAX_CLIP_SEGMENTS)):
                segment = library.FPDFClipPath_GetPathSegment(clip, path, index)
                library.FPDFPathSegment_GetPoint(segment, at, at + 4)
                points.append((values[0], values[1]))
            if not points or len(points) == MAX_CLIP_SEGMENTS:
                continue
            xs, ys = [x for x, _ in points], [y for _, y in points]
            shown = walk.box(min(xs), min(ys), max(xs), max(ys), matrix)
            part = box.intersection(shown) if shown else None
            if part is None:
                return
            box = part
        walk.drawings.shapes.append(box)

    def _is_round(self, item: int, segments: int) -> bool:
        return [curves for _points, _closed, curves in self._subpaths(item, segments)] == [True]

    def _subpaths(self, item: int, segments: int) -> list[tuple[list[tuple[float, float]], bool, bool]]:
        """Return the points of each part of a path, whether it is closed, and whether it has curves."""
        library, values = self._library, self._values
        at = ctypes.addressof(values)
        parts: list[tuple[list[tuple[float, float]], bool, bool]] = []
        points: list[tuple[float, float]] = []
        closed = curves = False
        for index in range(segments):
            segment = library.FPDFPath_GetPathSegment(item, index)
            kind = library.FPDFPathSegment_GetType(segment)
            library.FPDFPathSegment_GetPoint(segment, at, at + 4)
            point = values[0], values[1]
            if kind == _MOVE_TO:
                if len(points) > 1:
                    parts.append((points, closed, curves))
                points, closed, curves = [point], False, False
                continue
            curves = curves or kind == _CURVE_TO
            points.append(point)
            closed = closed or bool(library.FPDFPathSegment_GetClose(segment))
        if len(points) > 1:
            parts.append((points, closed, curves))
        return parts

    def _polygon(
        self, walk: _Walk, points: list[tuple[float, float]], closed: bool, filled: bool, stroked: bool, matrix: _Matrix
    ) -> bool:
        """Add the fills and rulings of a part of a path. Return False if a side is slanted."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        box = walk.box(min(xs), min(ys), max(xs), max(ys), matrix)
        if box is None:
            return True
        drawings = walk.drawings
        if min(box.width, box.height) <= MAX_RULING_THICKNESS_POINTS:
            drawings.rulings.append(box)
            return True
        if filled:
            drawings.fills.append(box)
        is_straight = True
        ring = [*points, points[0]] if closed else points
        for (x0, y0), (x1, y1) in itertools.pairwise(ring):
            across, down = abs(x1 - x0), abs(y1 - y0)
            if across > MIN_SLANT * down and down > MIN_SLANT * across:
                is_straight = False
            if stroked:
                side = walk.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), matrix)
                if side is not None and min(side.width, side.height) <= MAX_RULING_THICKNESS_POINTS:
                    drawings.rulings.append(side)
        return is_straight


def _coarse(boxes: list[Box]) -> list[Box]:
    """Return boxes on a coarse grid that cover the same parts of the page as these, each once."""
    step = SHAPE_GRID_POINTS
    places = {
        (box.x0 // step, box.top // step, max(1.0, box.width // step), max(1.0, box.height // step)) for box in boxes
    }
    return [Box(x * step, y * step, (x + wide) * step, (y + tall) * step) for x, y, wide, tall in sorted(places)]


def _is_dot(box: Box, max_points: float = MAX_DOT_POINTS) -> bool:
    """Return True for the size and the shape of a bullet."""
    return MIN_DOT_POINTS <= box.width <= max_points and 0.6 < box.width / max(box.height, 0.1) < 1.7


class _Walk:
    """The state of one walk over a page."""

    def __init__(self, drawings: Drawings, frame: Frame, objects: int) -> None:
        self.drawings = drawings
        self.left = objects
        self.extent = (math.inf, math.inf, -math.inf, -math.inf)
        self._frame = frame
        self._width, self._height = frame.size

    def box(self, left: float, bottom: float, right: float, top: float, matrix: _Matrix) -> Box | None:
        """Map bounds of an object's own space to the page as displayed, cut to the page; None outside of it."""
        if matrix is not _IDENTITY:
            a, b, c, d, e, f = matrix
            left, right, bottom, top = (
                min(a * left, a * right) + min(c * bottom, c * top) + e,
                max(a * left, a * right) + max(c * bottom, c * top) + e,
                min(b * left, b * right) + min(d * bottom, d * top) + f,
                max(b * left, b * right) + max(d * bottom, d * top) + f,
            )
        frame = self._frame
        if frame.rotation:
            (x0, y0), (x1, y1) = frame.displayed(left, top), frame.displayed(right, bottom)
        else:
            x0, y0 = left - frame.left, self._height - (top - frame.bottom)
            x1, y1 = right - frame.left, self._height - (bottom - frame.bottom)
        if x1 < x0:
            x0, x1 = x1, x0
        if y1 < y0:
            y0, y1 = y1, y0
        if x0 < 0.0 or y0 < 0.0 or x1 > self._width or y1 > self._height:
            x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(self._width, x1), min(self._height, y1)
        return Box(x0, y0, x1, y1) if x0 <= x1 and y0 <= y1 else None

    def extend(self, box: Box) -> None:
        x0, top, x1, bottom = self.extent
        self.extent = (
            box.x0 if box.x0 < x0 else x0,
            box.top if box.top < top else top,
            box.x1 if box.x1 > x1 else x1,
            box.bottom if box.bottom > bottom else bottom,
        )


def _product(inner: Any, outer: _Matrix) -> _Matrix:
    """Return the matrix that applies ``inner`` first and ``outer`` second."""
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m
