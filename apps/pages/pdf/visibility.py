"""Find the visible text of a page: render it with and without its text and compare the two images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.pages.model.geometry import Box
from apps.pages.pdf import rasters
from apps.pages.pdf.drawn_page import DrawnPage
from apps.pages.pdf.page_objects import PageObjects, TextObject

# In print the mean of a column of pixels changes by this much from letter to letter, in this share of a line's squares.
MIN_PRINT_STEP = 24
MIN_PRINTED_SHARE = 0.6
# Text that changes every pixel by less than this leaves no trace.
MIN_TRACE = 16
# Of a pixel: blue, green, red and an unused one.
_BYTES = 4


class RenderedRegion:
    """A part of a page rendered with and without text. Levels are 0-255, of the channel that differs most."""

    def __init__(self, page: DrawnPage, objects: PageObjects, *, dpi: float, part: Box, max_pixels: int) -> None:
        self._page = page
        self._objects = objects
        self._part = part
        self.dpi: float = rasters.bounded_dpi(dpi, part.width, part.height, max_pixels=max_pixels)
        self._shown = self._drawn()
        with objects.without([item.handle for item in objects.texts]):
            self._ground = self._drawn()
        self._ink = _difference(self._shown, self._ground)
        self._pictures: Any = None

    def ink(self, box: Box) -> int:
        """Return the largest change of a pixel inside the box by the page's text."""
        place = self._pixels(box)
        return 0 if place is None else int(_inside(self._ink, place).max())

    def are_clear(self, edges: Any, least: int, *, within: bool = False) -> list[bool]:
        """Return ``ink(box) >= least`` for boxes. ``edges``: a row of x0, top, x1 and bottom for each.

        ``within``: only pixels that are inside the box from left to right, where it is wider than two pixels.
        """
        (rows, columns), scale = self._ink.shape, self.dpi / 72
        start = np.array((self._part.x0, self._part.top))
        starts, ends = (edges[:, :2] - start) * scale, (edges[:, 2:] - start) * scale
        if within:
            margin = np.where(ends[:, 0] - starts[:, 0] > 2, 1, 0)
            starts[:, 0] += margin
            ends[:, 0] -= margin
        x0, y0 = np.maximum(np.floor(starts), 0).T.astype(int)
        x1, y1 = np.minimum(np.ceil(ends), (columns, rows)).T.astype(int)
        places = np.flatnonzero((x0 < x1) & (y0 < y1))
        clear = np.zeros(len(edges), bool)
        if not len(places):
            return clear.tolist()
        x0, y0, x1, y1 = (side[places] for side in (x0, y0, x1, y1))
        # Most letters cross the middle of their line. Every second value is of the pixels from one box to the next.
        middle = (y0 + y1) // 2 * columns
        bounds = np.column_stack((middle + x0, middle + x1)).ravel()
        levels = np.append(self._ink.ravel(), np.uint8(0))
        clear[places] = np.maximum.reduceat(levels, bounds)[::2] >= least
        for number in np.flatnonzero(~clear[places]).tolist():
            inside = self._ink[y0[number] : y1[number], x0[number] : x1[number]]
            clear[places[number]] = inside.max() >= least
        return clear.tolist()

    def contrast(self, box: Box) -> int:
        """Return the difference between the lightest and the darkest pixel inside the box, with the text."""
        place = self._pixels(box)
        return 0 if place is None else int(np.ptp(_grey(_inside(self._shown, place))))

    def picture_ink(self, box: Box) -> int:
        """Return the contrast inside the box without the text; 0 if no picture contributes to it."""
        if self._pictures is None:
            drawn = self._objects
            with drawn.without([item.handle for item in drawn.texts]), drawn.without(drawn.pictures):
                self._pictures = _difference(self._ground, self._drawn())
        place = self._pixels(box)
        if place is None or not _inside(self._pictures, place).any():
            return 0
        return int(np.ptp(_grey(_inside(self._ground, place))))

    def has_print(self, box: Box) -> bool:
        """Return whether the page without its text changes all along the box, from left to right, as print does.

        Works for lines of print: a ruling or the edge of a box changes nothing along the line, or only at one place.
        """
        place = self._pixels(box)
        if place is None:
            return False
        strip = _grey(_inside(self._ground, place))
        if strip.shape[0] > strip.shape[1]:
            strip = strip.T
        columns = strip.mean(axis=0)
        slices = [columns[at : at + len(strip)] for at in range(0, len(columns), len(strip))]
        printed = [part for part in slices if round(part.max()) - round(part.min()) >= MIN_PRINT_STEP]
        return len(printed) >= MIN_PRINTED_SHARE * len(slices)

    def without_trace(self, items: Sequence[TextObject]) -> list[TextObject]:
        """Return the texts that change nothing on the page."""
        with self._objects.without([item.handle for item in items]):
            drawn = self._drawn()
        traces = _difference(self._shown, drawn)
        places = [self._pixels(item.box) for item in items]
        return [
            item
            for item, place in zip(items, places, strict=True)
            if place is None or _inside(traces, place).max() < MIN_TRACE
        ]

    def flat_ground(self, box: Box) -> tuple[int, int, int] | None:
        """Return the colour behind the text of this box; None if it is not uniform."""
        place = self._pixels(box)
        if place is None:
            return None
        ground = _inside(self._ground, place).reshape(-1, _BYTES)
        lows, highs = ground.min(axis=0).tolist(), ground.max(axis=0).tolist()
        if any(high - low > 24 for low, high in zip(lows, highs, strict=True)):
            return None
        blue, green, red, _ = ((low + high) // 2 for low, high in zip(lows, highs, strict=True))
        return red, green, blue

    def _drawn(self) -> Any:
        return self._page.drawn(dpi=self.dpi, part=self._part)

    def _pixels(self, box: Box) -> tuple[int, int, int, int] | None:
        """Return the box in pixels; None if it is outside this part of the page."""
        scale, left, top = self.dpi / 72, self._part.x0, self._part.top
        rows, columns = self._ink.shape
        x0, y0 = max(0, math.floor((box.x0 - left) * scale)), max(0, math.floor((box.top - top) * scale))
        x1 = min(columns, math.ceil((box.x1 - left) * scale))
        y1 = min(rows, math.ceil((box.bottom - top) * scale))
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _difference(one: Any, two: Any) -> Any:
    """Return by how much the pixels of two renderings differ, in the channel that differs most."""
    rows, columns, _ = one.shape
    found = np.zeros(rows * columns, "u1")
    one, two = one.view("u4").ravel(), two.view("u4").ravel()
    # Most pixels are equal, and comparing all channels of a pixel at once is fast.
    places = np.flatnonzero(one != two)
    one, two = one[places].view("u1"), two[places].view("u1")
    change = (np.maximum(one, two) - np.minimum(one, two)).reshape(-1, _BYTES)
    found[places] = np.maximum(np.maximum(change[:, 0], change[:, 1]), change[:, 2])
    return found.reshape(rows, columns)


def _grey(pixels: Any) -> Any:
    """Return the lightness of pixels, 0-255 (ITU-R BT.601)."""
    blue, green, red = (pixels[..., channel].astype("u4") for channel in range(3))
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def _inside(image: Any, place: tuple[int, int, int, int]) -> Any:
    x0, y0, x1, y1 = place
    return image[y0:y1, x0:x1]
