"""Large words drawn over, or under, the lines of the text: upright watermarks. Turned ones are no part of any line."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.blocks import Block, Page
from apps.pages.model.raw_page import TextRun

# A watermark is this large, in points and relative to the lines that it crosses, of which there are at least two.
MIN_SIZE_POINTS, MIN_SIZE_RATIO, MIN_CROSSED_LINES = 20.0, 2.2, 2
# Capitals have this height, in ems; lines between their edges and the baseline are crossed ...
CAPITAL_EMS, EDGE_EMS = 0.7, 0.08
# ... where they share this much width, in ems of the line.
MIN_SHARED_EMS = 1.5


def without_watermarks(runs: Sequence[TextRun]) -> tuple[list[TextRun], list[TextRun]]:
    """Return the upright runs of a page without its watermarks, and these."""
    found = [run for run in runs if run.size >= MIN_SIZE_POINTS and _crosses(run, runs)]
    return [run for run in runs if run not in found] if found else list(runs), found


def _crosses(large: TextRun, runs: Sequence[TextRun]) -> bool:
    baseline = large.bottom if large.baseline is None else large.baseline
    top, bottom = baseline - (CAPITAL_EMS - EDGE_EMS) * large.size, baseline - EDGE_EMS * large.size
    crossed = {
        round(run.top)
        for run in runs
        if run.size * MIN_SIZE_RATIO <= large.size
        and top < (run.top + run.bottom) / 2 < bottom
        and min(run.x1, large.x1) - max(run.x0, large.x0) > MIN_SHARED_EMS * run.size
    }
    return len(crossed) >= MIN_CROSSED_LINES


def is_watermark(page: Page, block: Block) -> bool:
    """Return True for a large line of a page whose box has lines of other blocks inside."""
    if len(block.lines) != 1 or block.lines[0].size < MIN_SIZE_POINTS:
        return False
    box = block.box
    crossed = (
        line.box
        for other in page.blocks
        if other is not block and other.box.overlaps(box)
        for line in other.lines
        if line.size * MIN_SIZE_RATIO <= block.lines[0].size
    )
    inside = [line for line in crossed if box.top < line.middle < box.bottom and line.x0 < box.x1 and line.x1 > box.x0]
    return len(inside) >= MIN_CROSSED_LINES
