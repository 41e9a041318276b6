"""The terms that layout uses between text runs and blocks.

A *segment* is a stretch of one printed line without a wide gap. A *row* holds the segments side by side on one line of
the page, from left to right. A *gutter* is a vertical strip that stays free over many rows. A *band* is a list of rows
that are read one after the other.
"""

from __future__ import annotations

from typing import Any

import msgspec

from apps.pages.model.blocks import Block


class Segment(msgspec.Struct, gc=False):
    """A stretch of one line, or a finished block that occupies space among the lines. Points."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    size: float
    bold: bool = False
    italic: bool = False
    block: Block | None = None
    runs: Any = None
    baseline: float | None = None


Row = list[Segment]
Gutters = list[tuple[float, float]]
"""Left and right edge of each gutter, in points, from the left."""


class Band(msgspec.Struct, gc=False):
    """Rows that are read one after the other.

    ``is_grid``: the rows may be a table without rulings. ``continues``: the band is in the same column as the band
    before it, so a paragraph may continue.
    """

    rows: list[Row]
    is_grid: bool = False
    continues: bool = True
