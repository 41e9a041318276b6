"""The boxes of characters, turned so that their line runs from left to right."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from apps.pages.pdf.text.characters import Characters

# The advance of a slanted character of which nothing is known, in ems.
DEFAULT_ADVANCE_EMS = 0.5


class Boxes(msgspec.Struct):
    """Edges of character boxes, arrays of one length."""

    x0: Any
    top: Any
    x1: Any
    bottom: Any

    def turned(self, angle: float, width: float, height: float) -> Boxes:
        """Return the boxes on the page, of this size as displayed, turned back by ``angle`` clockwise degrees."""
        if angle == 90:
            return Boxes(self.top, width - self.x1, self.bottom, width - self.x0)
        if angle == 180:
            return Boxes(width - self.x1, height - self.bottom, width - self.x0, height - self.top)
        if angle == 270:
            return Boxes(height - self.bottom, self.x0, height - self.top, self.x1)
        return self


def boxes_of(characters: Characters, here: slice) -> Boxes:
    """Return the boxes of some characters on the page as displayed."""
    return Boxes(characters.x0[here], characters.top[here], characters.x1[here], characters.bottom[here])


def upright_boxes(characters: Characters, here: slice, page_size: tuple[float, float]) -> tuple[Boxes, Any]:
    """Return the boxes and the baselines of neighbours of one angle, turned so that the text runs from left to right.

    Those of slanted text have the characters' advances as their widths, and no heights.
    """
    width, height = page_size
    boxes, baseline, angle = boxes_of(characters, here), characters.baseline[here], float(characters.angle[here.start])
    if angle == 0:
        return boxes, baseline
    if angle == 90:
        return boxes.turned(90, width, height), width - baseline
    if angle == 180:
        return boxes.turned(180, width, height), height - baseline
    if angle == 270:
        return boxes.turned(270, width, height), baseline
    radians = np.radians(angle)
    x, y = (boxes.x0 + boxes.x1) / 2, (boxes.top + boxes.bottom) / 2
    along = x * np.cos(radians) + y * np.sin(radians)
    across = y * np.cos(radians) - x * np.sin(radians)
    half = _slanted_advances(characters, here, boxes, along, float(radians)) / 2
    return Boxes(along - half, across, along + half, across), across


def _slanted_advances(characters: Characters, here: slice, boxes: Boxes, along: Any, radians: float) -> Any:
    """Return the advances of slanted characters, in points.

    The sides of the box around a slanted character are its advance and the height of its font, each by a share that
    the angle gives. The font's height is such that most letters touch the next. ``along``: their middles on the line.
    """
    sine, cosine = abs(np.sin(radians)), abs(np.cos(radians))
    size = np.maximum(characters.size[here], 0.1)
    side = (boxes.x1 - boxes.x0) / cosine if cosine >= sine else (boxes.bottom - boxes.top) / sine
    extent = side / size
    step = np.diff(along) / size[1:]
    excess = (extent[1:] + extent[:-1]) / 2 - step
    style = characters.style[here]
    inside = (characters.blanks_before[here][1:] == 0) & (style[1:] == style[:-1]) & (step > 0) & (step < extent[1:])
    usual = float(np.median(excess[inside])) if inside.any() else float(np.median(extent)) - DEFAULT_ADVANCE_EMS
    for number in np.unique(style).tolist():
        own = inside & (style[1:] == number)
        extent[style == number] -= float(np.median(excess[own])) if own.any() else usual
    return np.maximum(extent, 0.0) * size
