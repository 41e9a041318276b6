"""Judge the texts of figures apart from the text of the page.

A model that sees the page turns a chart into a table of values, without the ticks of its axes, and reads what a picture
says. So words printed in a figure may be missing, and a text of the answer that belongs to a figure may have others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from apps.pages.model.blocks import BlockType, Page
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import BACKGROUND_SHARE
from apps.parsing.answers.normalized_words import PageWords

# A text of the answer is that of a figure if at most this share of its words is printed outside of figures, ...
MAX_OUTSIDE_SHARE = 0.2
# ... and at least this share in one. With fewer it may be the text of a picture, or invented.
MIN_INSIDE_SHARE = 0.15
# The labels of the axes of a chart are this near.
LABELS_BESIDE_POINTS, LABELS_BELOW_POINTS = 40.0, 24.0


def figures_of(page: Page) -> list[Box]:
    """Return the boxes of the page's pictures, and of its charts with their labels; none behind the whole page.

    Other drawn figures are left out: their words are those of a diagram, which an answer has to keep.
    """
    boxes = [block.box for block in page.blocks if block.type is BlockType.PICTURE]
    boxes += [
        Box(
            chart.x0 - LABELS_BESIDE_POINTS,
            chart.top - LABELS_BELOW_POINTS,
            chart.x1 + LABELS_BESIDE_POINTS,
            chart.bottom + LABELS_BELOW_POINTS,
        )
        for chart in page.charts
    ]
    area = BACKGROUND_SHARE * page.width * page.height
    return [box for box in boxes if box.width * box.height < area]


def set_apart(
    figures: Sequence[Box], words: PageWords, answer: PageWords, places: Sequence[int]
) -> tuple[PageWords, PageWords, list[int]]:
    """Return the words of the page and of the answer with those of figures optional, and the unknown ones.

    These are the indexes of the answer's words in texts of which the page has next to nothing.
    """
    inside = []
    for box in (unit.box for unit in words.all_units):
        across = (box.x0 + box.x1) / 2
        inside.append(any(one.x0 <= across <= one.x1 and one.top <= box.middle <= one.bottom for one in figures))
    optional = [given or inside[unit] for given, unit in zip(words.optional, words.units, strict=True)]
    apart = list(answer.optional)
    unknown: list[int] = []
    for first, last in _spans_of_blocks(answer):
        found = [words.units[place] for place in places[first:last] if place >= 0]
        within = sum(inside[unit] for unit in found)
        if len(found) - within > MAX_OUTSIDE_SHARE * (last - first):
            continue
        apart[first:last] = [True] * (last - first)
        if within < MIN_INSIDE_SHARE * (last - first):
            unknown += [here for here in range(first, last) if places[here] < 0]
    page = msgspec.structs.replace(words, optional=optional)
    return page, msgspec.structs.replace(answer, optional=apart), unknown


def _spans_of_blocks(answer: PageWords) -> Iterator[tuple[int, int]]:
    """Yield the first word of each text or table of the answer, and the first word after it."""
    first = here = 0
    block = -1
    for unit, size in zip(answer.all_units, answer.sizes, strict=True):
        if unit.block != block:
            if here > first:
                yield first, here
            first, block = here, unit.block
        here += size
    if here > first:
        yield first, here
