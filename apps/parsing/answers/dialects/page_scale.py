"""Where on the page a model's coordinates are."""

from __future__ import annotations

import msgspec

from apps.pages.model.geometry import Box


class PageScale(msgspec.Struct, frozen=True):
    """The size of a page in points, and of its picture in pixels as it was sent (0 where none was sent)."""

    page_width: float
    page_height: float
    picture_width: int = 0
    picture_height: int = 0

    def box(self, sides: list[float] | tuple[float, ...], width: float, height: float) -> Box | None:
        """Return the box on the page of [x0, top, x1, bottom] on a sheet of this size. None if it is no box."""
        if len(sides) != 4 or width <= 0 or height <= 0 or not all(abs(side) < 1e6 for side in sides):
            return None
        x0, top, x1, bottom = sides
        across, down = self.page_width / width, self.page_height / height
        box = Box(min(x0, x1) * across, min(top, bottom) * down, max(x0, x1) * across, max(top, bottom) * down).clipped(
            self.page_width, self.page_height
        )
        return box if box.width > 0 and box.height > 0 else None
