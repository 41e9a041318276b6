"""Map boxes between a page as displayed and the straightened page of a recognition."""

from __future__ import annotations

import math

from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition


def as_displayed(box: Box, recognition: Recognition) -> Box:
    """Return the upright box, on the page as displayed, around a box of the straightened page."""
    angle = math.radians(recognition.skew)
    middle_x, middle_y = recognition.width / 2, recognition.height / 2
    points = []
    for x, y in ((box.x0, box.top), (box.x1, box.top), (box.x1, box.bottom), (box.x0, box.bottom)):
        x, y = x - middle_x, y - middle_y
        points.append((x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)))
    across, down = middle_x, middle_y
    if recognition.orientation == 90:
        points, across, down = [(y, -x) for x, y in points], middle_y, middle_x
    elif recognition.orientation == 180:
        points = [(-x, -y) for x, y in points]
    elif recognition.orientation == 270:
        points, across, down = [(-y, x) for x, y in points], middle_y, middle_x
    xs = [min(max(x + across, 0.0), 2 * across) for x, _y in points]
    ys = [min(max(y + down, 0.0), 2 * down) for _x, y in points]
    return Box(round(min(xs), 2), round(min(ys), 2), round(max(xs), 2), round(max(ys), 2))


def as_straightened(box: Box, recognition: Recognition) -> Box:
    """Return a box of the displayed page on the straightened page, of the same size. The page must be upright."""
    angle = math.radians(recognition.skew)
    middle_x, middle_y = recognition.width / 2, recognition.height / 2
    x, y = (box.x0 + box.x1) / 2 - middle_x, box.middle - middle_y
    x, y = x * math.cos(angle) + y * math.sin(angle) + middle_x, y * math.cos(angle) - x * math.sin(angle) + middle_y
    return Box(x - box.width / 2, y - box.height / 2, x + box.width / 2, y + box.height / 2)
