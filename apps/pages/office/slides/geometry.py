"""Where shapes are on a slide. Files count in EMU, of which a point has 12,700."""

from __future__ import annotations

import math
from typing import NamedTuple

from apps.pages.model.geometry import Box
from apps.pages.office.xml_parts import Element

EMU_PER_POINT = 12_700
MAX_POINTS = 1e6


class Scale(NamedTuple):
    """How the places in a group become places on the slide: ``x * by_x + add_x``."""

    by_x: float = 1.0
    by_y: float = 1.0
    add_x: float = 0.0
    add_y: float = 0.0

    def box(self, box: Box) -> Box:
        xs = box.x0 * self.by_x + self.add_x, box.x1 * self.by_x + self.add_x
        ys = box.top * self.by_y + self.add_y, box.bottom * self.by_y + self.add_y
        return Box(*(round(edge, 2) for edge in (min(xs), min(ys), max(xs), max(ys))))


def points(element: Element | None, name: str) -> float:
    """Return a length in points; 0 if there is none, or nonsense."""
    try:
        value = float(element.get(name, "0")) / EMU_PER_POINT if element is not None else 0.0
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and abs(value) < MAX_POINTS else 0.0


def box_of(transform: Element | None, scale: Scale) -> Box | None:
    """Return the box around a shape (a:xfrm), also of one that is turned. None if the shape has no place of its own."""
    if transform is None:
        return None
    offset, extent = transform.find("{*}off"), transform.find("{*}ext")
    if offset is None or extent is None:
        return None
    x, y, width, height = points(offset, "x"), points(offset, "y"), points(extent, "cx"), points(extent, "cy")
    try:
        angle = math.radians(float(transform.get("rot", "0")) / 60_000)
    except ValueError:
        angle = 0.0
    across = abs(width * math.cos(angle)) + abs(height * math.sin(angle))
    down = abs(width * math.sin(angle)) + abs(height * math.cos(angle))
    middle_x, middle_y = x + width / 2, y + height / 2
    return scale.box(Box(middle_x - across / 2, middle_y - down / 2, middle_x + across / 2, middle_y + down / 2))


def scale_of(transform: Element | None, outer: Scale) -> Scale:
    """Return the scale inside a group with this transform (a:xfrm with chOff and chExt)."""
    if transform is None:
        return outer
    parts = {name: transform.find("{*}" + name) for name in ("off", "ext", "chOff", "chExt")}
    if any(element is None for element in parts.values()):
        return outer
    inner_width, inner_height = points(parts["chExt"], "cx"), points(parts["chExt"], "cy")
    by_x = points(parts["ext"], "cx") / inner_width if inner_width else 1.0
    by_y = points(parts["ext"], "cy") / inner_height if inner_height else 1.0
    add_x = points(parts["off"], "x") - points(parts["chOff"], "x") * by_x
    add_y = points(parts["off"], "y") - points(parts["chOff"], "y") * by_y
    return Scale(
        by_x * outer.by_x,
        by_y * outer.by_y,
        add_x * outer.by_x + outer.add_x,
        add_y * outer.by_y + outer.add_y,
    )
