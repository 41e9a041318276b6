"""Areas that drawn figures cover: they hold their place among the lines."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import BACKGROUND_SHARE
from apps.pages.model.segments import Segment

# A smaller filled area is a bullet, a bar or a rule.
MIN_SIDE_POINTS = 24.0
# A larger one, as a share of the page, is a background.
MAX_PAGE_SHARE = 0.5
# Strips of one picture are at most this far apart.
MAX_STRIP_GAP_POINTS = 2.0
# A page with more is a drawing.
MAX_AREAS = 200


def without_background(pictures: Sequence[Box], width: float, height: float) -> list[Box]:
    """Return the pictures without those that cover the page, whole or as strips and tiles that touch."""
    max_area = BACKGROUND_SHARE * width * height
    left = [box for box in pictures if box.width * box.height < max_area]
    by_sides: dict[tuple[int, int], list[Box]] = {}
    for box in left:
        by_sides.setdefault((round(box.x0), round(box.x1)), []).append(box)
    strips: list[Box] = []
    for group in by_sides.values():
        group.sort(key=lambda box: box.top)
        touching = all(low.top - high.bottom < MAX_STRIP_GAP_POINTS for high, low in itertools.pairwise(group))
        area = group[0].width * (max(box.bottom for box in group) - group[0].top)
        if len(group) > 1 and touching and area >= max_area:
            strips += group
    return [box for box in left if box not in strips] if strips else left


def figure_areas(fills: Sequence[Box], segments: Sequence[Segment], page_area: float) -> list[Box]:
    """Return the filled areas without text in them."""
    areas = [
        fill
        for fill in fills
        if fill.width >= MIN_SIDE_POINTS
        and fill.height >= MIN_SIDE_POINTS
        and fill.width * fill.height < MAX_PAGE_SHARE * page_area
    ]
    if not areas or len(areas) > MAX_AREAS:
        return []
    return [
        area
        for area in areas
        if not any(s.x0 < area.x1 and s.x1 > area.x0 and s.top < area.bottom and s.bottom > area.top for s in segments)
    ]
