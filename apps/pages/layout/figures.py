"""Areas that drawn figures cover: they hold their place among the lines."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.geometry import Box
from apps.pages.model.segments import Segment

# A smaller filled area is a bullet, a bar or a rule.
MIN_SIDE_POINTS = 24.0
# A larger one, as a share of the page, is a background.
MAX_PAGE_SHARE = 0.5
# A page with more is a drawing.
MAX_AREAS = 200


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
    return [area for area in areas if not any(_overlaps(area, segment) for segment in segments)]


def _overlaps(area: Box, segment: Segment) -> bool:
    return segment.x0 < area.x1 and segment.x1 > area.x0 and segment.top < area.bottom and segment.bottom > area.top
