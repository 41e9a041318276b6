"""Rows whose parts overlap: text drawn over other text, and raised or lowered signs in the word gaps of a run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from apps.pages.model.raw_page import TextRun, WordBox
from apps.pages.model.segments import Segment

# Parts that share this much of the narrower one's width are drawn over each other, ...
MIN_SHARE = 0.5
# ... if they share this much, in heights: accents, limits and stacked signs are narrower.
MIN_WIDTH_HEIGHTS = 1.5
# A sign in a word gap may touch the words beside it by this much.
GAP_SLACK_POINTS = 1.0

Part = TypeVar("Part", TextRun, Segment)


def lines_of_row(row: list[Part]) -> list[list[Part]]:
    """Return the parts of a row, sorted from the left, as one line, or as several if they are drawn over each other."""
    if not _overlap(row, 0.0):
        return [row]
    # Cut each run at the word gaps in which another run is.
    result: list[Part] = []
    for part in row:
        words: list[WordBox] = (part.words if isinstance(part, TextRun) else None) or []
        cuts: list[int] = [
            index
            for index, (before, after) in enumerate(itertools.pairwise(words), 1)
            if any(
                before.x + before.width - GAP_SLACK_POINTS < other.x0 and other.x1 < after.x + GAP_SLACK_POINTS
                for other in row
                if other is not part
            )
        ]
        if cuts:
            edges = [0, *cuts, len(words)]
            result += [_with_words(part, words[low:high]) for low, high in itertools.pairwise(edges)]
        else:
            result.append(part)
    parted = sorted(result, key=lambda part: part.x0)
    return _layers(parted) if _overlap(parted, MIN_WIDTH_HEIGHTS) else [parted]


def _overlap(row: Sequence[Part], min_heights: float) -> bool:
    right, widest = row[0].x1, row[0].x1 - row[0].x0
    for part in row[1:]:
        left, end = part.x0, part.x1
        width = end - left
        overlap = (right if right < end else end) - left
        # Most parts do not overlap the one before.
        if (
            overlap > 0.0
            and overlap > MIN_SHARE * min(width, widest)
            and overlap > min_heights * (part.bottom - part.top)
        ):
            return True
        if end > right:
            right, widest = end, width
    return False


def _with_words(run: Part, words: list[WordBox]) -> Part:
    """Return some neighbouring words of a run as a run."""
    return msgspec.structs.replace(
        run,
        text=" ".join(word.text for word in words),
        x0=words[0].x,
        x1=words[-1].x + words[-1].width,
        words=words if len(words) > 1 else None,
    )


def _layers(row: Sequence[Part]) -> list[list[Part]]:
    """Return the parts of an overprinted row as lines without overlaps."""
    layers: list[list[Part]] = []
    for part in row:
        slack = 0.3 * min(part.bottom - part.top, part.x1 - part.x0)
        free = [layer for layer in layers if layer[-1].x1 - slack <= part.x0]
        if free:
            min(free, key=lambda layer: (baseline_distance(layer[-1], part), part.x0 - layer[-1].x1)).append(part)
        else:
            layers.append([part])
    return sorted(layers, key=lambda layer: layer[0].bottom)


def baseline_distance(one: Part, two: Part) -> float:
    """Return by how many points the baselines of two parts differ, or their lower edges where one is unknown."""
    low, high = one.baseline, two.baseline
    return abs(one.bottom - two.bottom) if low is None or high is None else abs(low - high)
