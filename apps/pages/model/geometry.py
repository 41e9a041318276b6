"""Boxes on a page: points (1/72 inch), origin top-left of the page as displayed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Box(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An upright rectangle; ``x0 <= x1`` and ``top <= bottom``, all in points."""

    x0: float
    top: float
    x1: float
    bottom: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """The vertical centre."""
        return (self.top + self.bottom) / 2

    def contains(self, other: Box, slack: float = 0.0) -> bool:
        return (
            self.x0 - slack <= other.x0
            and self.top - slack <= other.top
            and other.x1 <= self.x1 + slack
            and other.bottom <= self.bottom + slack
        )

    def intersection(self, other: Box) -> Box | None:
        """Return the area inside both boxes, or None when they do not overlap."""
        box = Box(
            max(self.x0, other.x0), max(self.top, other.top), min(self.x1, other.x1), min(self.bottom, other.bottom)
        )
        return box if box.x0 < box.x1 and box.top < box.bottom else None

    def clipped(self, width: float, height: float) -> Box:
        """Return the part of the box on a page of this size; a box beside the page becomes a point at its edge."""
        return Box(
            min(max(self.x0, 0.0), width),
            min(max(self.top, 0.0), height),
            max(min(self.x1, width), 0.0),
            max(min(self.bottom, height), 0.0),
        )

    def turned(self, angle: int, width: float, height: float) -> Box:
        """Map a box of a page of this size to the page turned back by 0, 90, 180 or 270 degrees, clockwise."""
        if angle == 90:
            return Box(self.top, width - self.x1, self.bottom, width - self.x0)
        if angle == 180:
            return Box(width - self.x1, height - self.bottom, width - self.x0, height - self.top)
        if angle == 270:
            return Box(height - self.bottom, self.x0, height - self.top, self.x1)
        return self

    def overlaps(self, other: Box) -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.top < other.bottom and other.top < self.bottom


NO_BOX = Box(0.0, 0.0, 0.0, 0.0)
"""The box of what has no known place, in documents that are read from their own structure."""


class Margins(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The parts of a page at its edges that are not read, as shares (0.0-1.0) of its height or width as displayed."""

    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    left: float = 0.0

    def area(self, width: float, height: float) -> Box:
        """Return what is left of a page of this size."""
        return Box(self.left * width, self.top * height, (1 - self.right) * width, (1 - self.bottom) * height)


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all boxes. Raise ValueError when there are none."""
    all_boxes = list(boxes)
    if len(all_boxes) == 1:
        return all_boxes[0]
    return Box(
        min([box.x0 for box in all_boxes]),
        min([box.top for box in all_boxes]),
        max([box.x1 for box in all_boxes]),
        max([box.bottom for box in all_boxes]),
    )
