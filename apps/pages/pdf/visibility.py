"""Find the visible text of a page: render it with and without its text and compare the two images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from apps.pages.model.geometry import Box
from apps.pages.pdf import rasters
from apps.pages.pdf.page_objects import PageObjects, TextObject

# In print the mean of a column of pixels changes by this much from letter to letter, in this share of a line's squares.
MIN_PRINT_STEP = 24
MIN_PRINTED_SHARE = 0.6
# Text that changes every pixel by less than this leaves no trace.
MIN_TRACE = 16


class RenderedRegion:
    """A part of a page rendered with and without text. Levels are 0-255, of the channel that differs most."""

    def __init__(self, page: Any, objects: PageObjects, *, dpi: float, part: Box, max_pixels: int) -> None:
        self._page = page
        self._objects = objects
        self._part = part
        self.dpi: float = rasters.bounded_dpi(dpi, part.width, part.height, max_pixels=max_pixels)
        self._shown = self._drawn()
        with objects.without([item.handle for item in objects.texts]):
            self._ground = self._drawn()
        self._ink = _most_of_channels(_difference(self._shown, self._ground))
        self._levels: bytes = self._ink.tobytes()
        self._pictures: Any = None

    def ink(self, box: Box) -> int:
        """Return the largest change of a pixel inside the box by the page's text."""
        return _range(self._ink, self._pixels(box))[1]

    def is_clear(self, box: Box, least: int) -> bool:
        """Return ``ink(box) >= least``, faster in most cases."""
        place = self._pixels(box)
        if place is None:
            return False
        x0, y0, x1, y1 = place
        start = (y0 + y1) // 2 * self._ink.width
        # Most letters cross the middle of their line.
        return max(self._levels[start + x0 : start + x1]) >= least or _range(self._ink, place)[1] >= least

    def contrast(self, box: Box) -> int:
        """Return the difference between the lightest and the darkest pixel inside the box, with the text."""
        low, high = _range(self._shown.convert("L") if self._shown.mode != "L" else self._shown, self._pixels(box))
        return high - low

    def picture_ink(self, box: Box) -> int:
        """Return the contrast inside the box without the text; 0 if no picture contributes to it."""
        if self._pictures is None:
            drawn = self._objects
            with drawn.without([item.handle for item in drawn.texts]), drawn.without(drawn.pictures):
                bare = self._drawn()
            self._pictures = _most_of_channels(_difference(self._ground, bare)), self._ground.convert("L")
        difference, ground = self._pictures
        place = self._pixels(box)
        if not _range(difference, place)[1]:
            return 0
        low, high = _range(ground, place)
        return high - low

    def has_print(self, box: Box) -> bool:
        """Return whether the page without its text changes all along the box, from left to right, as print does.

        Works for lines of print: a ruling or the edge of a box changes nothing along the line, or only at one place.
        """
        place = self._pixels(box)
        if place is None:
            return False
        strip = self._ground.crop(place).convert("L")
        if strip.height > strip.width:
            strip = strip.rotate(90, expand=True)
        columns = strip.resize((strip.width, 1), 4).tobytes()  # 4: the mean of the pixels below
        slices = [columns[at : at + strip.height] for at in range(0, len(columns), strip.height)]
        printed = [part for part in slices if max(part) - min(part) >= MIN_PRINT_STEP]
        return len(printed) >= MIN_PRINTED_SHARE * len(slices)

    def without_trace(self, items: Sequence[TextObject]) -> list[TextObject]:
        """Return the texts that change nothing on the page."""
        with self._objects.without([item.handle for item in items]):
            drawn = self._drawn()
        traces = _most_of_channels(_difference(self._shown, drawn))
        return [item for item in items if _range(traces, self._pixels(item.box))[1] < MIN_TRACE]

    def flat_ground(self, box: Box) -> tuple[int, int, int] | None:
        """Return the colour behind the text of this box; None if it is not uniform."""
        place = self._pixels(box)
        if place is None:
            return None
        ranges = self._ground.crop(place).getextrema()
        if any(high - low > 24 for low, high in ranges):
            return None
        red, green, blue = ((low + high) // 2 for low, high in ranges)
        return red, green, blue

    def _drawn(self) -> Any:
        return rasters.colours(self._page, dpi=self.dpi, part=self._part)

    def _pixels(self, box: Box) -> tuple[int, int, int, int] | None:
        """Return the box in pixels; None if it is outside this part of the page."""
        scale, left, top = self.dpi / 72, self._part.x0, self._part.top
        x0, y0 = max(0, math.floor((box.x0 - left) * scale)), max(0, math.floor((box.top - top) * scale))
        x1 = min(self._shown.width, math.ceil((box.x1 - left) * scale))
        y1 = min(self._shown.height, math.ceil((box.bottom - top) * scale))
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _difference(first: Any, second: Any) -> Any:
    from PIL import ImageChops

    return ImageChops.difference(first, second)


def _most_of_channels(image: Any) -> Any:
    from PIL import ImageChops

    red, green, blue = image.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _range(image: Any, place: tuple[int, int, int, int] | None) -> tuple[int, int]:
    if place is None:
        return 0, 0
    low, high = image.crop(place).getextrema()
    return int(low), int(high)
