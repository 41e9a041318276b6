"""Check the order of an answer's texts against the places where they are printed.

Columns, boxes and notes can be read in several orders. Within one column, what is above comes first; and a line of one
column never continues in the column beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from statistics import median

import msgspec

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.geometry import Box
from apps.parsing.answers.normalized_words import MIN_TITLE_TYPE, PageWords

# One of two blocks in the wrong order has at least this many words.
MIN_BLOCK_WORDS = 8
# Words of a line of prose.
MIN_PROSE_WORDS = 4
# Lines of two columns read across before it counts.
MIN_ACROSS = 2
# Type smaller than this share of the page's is that of notes, which may be anywhere.
MIN_BODY_TYPE = 0.93
# A title precedes the text right below it if that text has at least this many words.
MIN_TITLED_WORDS = 4
# Two blocks are in one column if they share this part of the narrower one's width.
MIN_SHARED_WIDTH = 0.5
# The boxes of lines below each other overlap by up to this much.
MAX_OVERLAP_POINTS = 4.0
MAX_SHOWN_CHARS = 40
# The blocks of a page with more are not compared.
MAX_BLOCKS = 400


class _Seen(msgspec.Struct, gc=False):
    """A block of the page, its number there, and the place of its words in the answer."""

    number: int
    block: Block
    words: int
    at: int
    is_flow: bool


def out_of_column_order(page: Page, words: PageWords, places: Sequence[int]) -> Iterator[str]:
    """Yield the beginnings of the texts that an answer has after those below them.

    Only texts that the page itself has in the order of their places are compared.
    """
    if is_in_order_of_page(places):
        return
    sizes: dict[int, int] = {}
    for unit, size in zip(words.all_units, words.sizes, strict=True):
        sizes[unit.block] = sizes.get(unit.block, 0) + size
    found: dict[int, list[int]] = {}
    for here, place in enumerate(places):
        if place >= 0:
            found.setdefault(words.all_units[words.units[place]].block, []).append(here)
    order = [number for number, _ in sorted(found.items(), key=lambda item: item[1][0])]
    if order == sorted(order) or len(order) > MAX_BLOCKS:
        return
    types = [line.size for block in page.blocks for line in block.lines]
    body = median(types) if types else 0.0
    seen = [
        _Seen(
            number, page.blocks[number], sizes[number], int(median(found[number])), _is_flow(page.blocks[number], body)
        )
        for number in order
        if 2 * len(found[number]) >= sizes[number]
    ]
    for upper in seen:
        for lower in seen:
            if (
                upper.at > lower.at
                and upper.number < lower.number
                and upper.block.box.bottom <= lower.block.box.top + MAX_OVERLAP_POINTS
                and _must_follow(upper, lower, body)
            ):
                yield (upper.block.text or "table")[:MAX_SHOWN_CHARS]
                break


def is_in_order_of_page(places: Sequence[int]) -> bool:
    """Return whether the words of an answer that the page has are all in its order."""
    found = [place for place in places if place >= 0]
    return found == sorted(found)


def _is_flow(block: Block, body: float) -> bool:
    return (
        block.type in (BlockType.PARAGRAPH, BlockType.LIST_ITEM, BlockType.HEADING)
        and bool(block.lines)
        and block.lines[0].size >= MIN_BODY_TYPE * body
        and not has_caption_label(block.text)
    )


def _must_follow(upper: _Seen, lower: _Seen, body: float) -> bool:
    shared = _shared_width(upper.block.box, lower.block.box)
    if upper.is_flow and lower.is_flow and max(upper.words, lower.words) >= MIN_BLOCK_WORDS:
        return shared > MIN_SHARED_WIDTH
    lines = upper.block.lines
    if not upper.is_flow or len(lines) != 1 or not (lines[0].bold or lines[0].size > MIN_TITLE_TYPE * body):
        return False
    if lower.block.type is BlockType.TABLE:
        return shared > MIN_SHARED_WIDTH
    is_next = lower.number == upper.number + 1 and lower.words >= MIN_TITLED_WORDS
    return is_next and shared > 0 and not has_caption_label(lower.block.text)


def _shared_width(one: Box, other: Box) -> float:
    """Return the share of the narrower box's width that both have."""
    return (min(one.x1, other.x1) - max(one.x0, other.x0)) / max(min(one.width, other.width), 1.0)


def read_across(words: PageWords, answer: PageWords, places: Sequence[int]) -> list[str]:
    """Return the lines after which the answer goes on in the column beside them, although their own goes on below."""
    if is_in_order_of_page(places):
        return []
    counts: dict[int, int] = {}
    lines: list[int] = []
    for here, place in enumerate(places):
        if place < 0:
            continue
        unit = words.units[place]
        if words.all_units[unit].line is None or answer.is_cell[answer.units[here]]:
            continue
        counts[unit] = counts.get(unit, 0) + 1
        if not lines or lines[-1] != unit:
            lines.append(unit)
    found = []
    for unit, after in itertools.pairwise(lines):
        one, other = words.all_units[unit], words.all_units[after]
        if (
            one.block != other.block
            and min(words.sizes[unit], words.sizes[after]) >= MIN_PROSE_WORDS
            and unit + 1 < len(words.all_units)
            and words.all_units[unit + 1].block == one.block
            and unit + 1 in counts
            and _shared_width(one.box, other.box) <= 0
            and min(one.box.bottom, other.box.bottom) - max(one.box.top, other.box.top) > 0.5 * one.box.height
        ):
            found.append(one.text[:MAX_SHOWN_CHARS])
    return found if len(found) >= MIN_ACROSS else []
