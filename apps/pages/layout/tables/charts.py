"""Distinguish the labels of a chart from a table, by bars and scales."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from apps.pages.model.blocks import Block
from apps.pages.model.geometry import Box

# A chart has at least this many bars without text in them, at least this thick.
MIN_BARS = 4
MIN_BAR_POINTS = 2.5
# A scale has at least this many numbers, in equal steps.
MIN_SCALE_NUMBERS = 4
_NUMBER = re.compile(r"[-–−]?\d[\d,.' ]*%?")


def is_chart(table: Block, fills: Sequence[Box]) -> bool:
    """Return True if the cells of an aligned table are the labels of a chart."""
    return _has_bars(table, fills) or _has_scales_only(table)


def _has_bars(table: Block, fills: Sequence[Box]) -> bool:
    box = table.box
    bars = [
        fill
        for fill in fills
        if fill.width < 0.8 * box.width
        and min(fill.width, fill.height) >= MIN_BAR_POINTS
        and box.x0 <= fill.x0
        and fill.x1 <= box.x1
        and box.top <= (fill.top + fill.bottom) / 2 <= box.bottom
    ]
    if len(bars) < MIN_BARS:
        return False
    texts = [cell.box for cell in table.cells if cell.text and cell.box]
    free = [bar for bar in bars if not any(bar.overlaps(text) for text in texts)]
    # Bars differ in length; marks and coloured cells do not.
    lengths = {round(max(bar.width, bar.height)) for bar in free}
    return len(free) >= MIN_BARS and len(lengths) >= MIN_BARS - 1 and 2 * len(free) > len(bars)


def _has_scales_only(table: Block) -> bool:
    """Return True if each column of numbers counts in equal steps: the scales of charts."""
    columns: dict[int, list[float]] = {}
    for cell in table.cells:
        if _NUMBER.fullmatch(cell.text):
            digits = re.sub(r"[^\d.]", "", cell.text.replace(",", ".")).strip(".")
            value = float(digits) if digits.count(".") < 2 and digits else 0.0
            columns.setdefault(cell.column, []).append(-value if cell.text[0] in "-–−" else value)
    long = [numbers for numbers in columns.values() if len(numbers) >= MIN_SCALE_NUMBERS]
    written = sum(1 for cell in table.cells if cell.text)
    in_scales = sum(map(len, long))
    if not long or 2 * in_scales <= written:
        return False
    steps = [{round(low - high, 6) for high, low in itertools.pairwise(numbers)} for numbers in long]
    return all(len(step) == 1 and max(step) < 0 for step in steps)
