"""Numbers in the margin that count the lines of the text, as in manuscripts, laws and transcripts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.layout.text.lines import baseline_of, rows_of
from apps.pages.model.segments import Segment

MIN_NUMBERS = 8
# Fewer numbers are enough if each counts the lines since the number before it.
MIN_EXACT_NUMBERS = 3
# Numbers end, or begin, within this distance of each other.
MAX_EDGE_POINTS = 3.0
# They count every line, or every fifth or tenth; the lines have this many letters (the mean).
STEPS = (1, 5, 10)
MIN_LETTERS = 25
# If every line is counted, this share of the lines has a number.
MIN_COUNTED_SHARE = 0.85


def without_line_numbers(segments: Sequence[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Return the segments without the line numbers in a margin, and these."""
    numbers = [s for s in segments if s.text.isdecimal() and len(s.text) <= 4]
    if len(numbers) < MIN_EXACT_NUMBERS:
        return list(segments), []
    texts = [s for s in segments if not s.text.isdecimal()]
    if not texts:
        return list(segments), []
    left, right = min(s.x0 for s in texts), max(s.x1 for s in texts)
    for margin in ([s for s in numbers if s.x1 <= left], [s for s in numbers if s.x0 >= right]):
        if _count_lines(margin, texts):
            counted = set(map(id, margin))
            return [s for s in segments if id(s) not in counted], margin
    return list(segments), []


def _count_lines(margin: list[Segment], texts: Sequence[Segment]) -> bool:
    if len(margin) < MIN_EXACT_NUMBERS:
        return False
    margin.sort(key=lambda s: s.top)
    edges = min(max(side) - min(side) for side in ([s.x1 for s in margin], [s.x0 for s in margin]))
    values = [int(s.text) for s in margin]
    steps = {low - high for high, low in itertools.pairwise(values)}
    if edges > MAX_EDGE_POINTS or len(steps) > 1 or not steps <= set(STEPS):
        return False
    top, bottom = margin[0].top, margin[-1].bottom
    lines = [s for s in texts if top <= (s.top + s.bottom) / 2 <= bottom]
    if not lines or sum(len(s.text) for s in lines) < MIN_LETTERS * len(lines):
        return False
    if len(margin) >= MIN_NUMBERS:
        return steps != {1} or len(margin) >= MIN_COUNTED_SHARE * len({round(s.bottom) for s in lines})
    middles = [(s.top + s.bottom) / 2 for s in margin]
    baselines = [baseline_of(row[0]) for row in rows_of(lines)]
    return steps != {1} and all(
        {sum(1 for at in baselines if high <= at < low)} == steps for high, low in itertools.pairwise(middles)
    )
