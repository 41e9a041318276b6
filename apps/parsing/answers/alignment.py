"""Give the blocks of an answer their boxes: find their words among the words of the page, which have boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType, Cell, Line, Page, Source
from apps.pages.model.geometry import Box, union
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.matching import match_words
from apps.parsing.answers.normalized_words import PageWords, is_running_line, page_words, words_of

# Matched lines further apart than this, in reading order, belong to different places.
MAX_LINES_WITHIN_PLACE = 4
# A place that contains a smaller share of a block's words matched by chance.
MIN_PLACE_SHARE = 0.25
# A line belongs to a block that contains at least this share of its words.
MIN_LINE_SHARE = 0.5
# With a smaller share of its words found on the page, a block is where the model says, if it does.
MIN_CERTAIN_SHARE = 0.5
# An answer that contains at least this share of a running line's words replaces it.
MIN_REPLACED_SHARE = 0.5


class _Placed(msgspec.Struct):
    """A draft, the index of each of its words on the page (-1: not found), and the box of the words that were found.

    ``cells``: one list of indexes for each cell of a table, one list for any other draft. ``counts``: of each unit, how
    many of its words were found.
    """

    draft: Draft
    cells: list[list[int]]
    box: Box | None = None
    units: list[int] = []
    confidence: float = 0.0
    counts: dict[int, int] = {}


def align(page: Page, drafts: Sequence[Draft], words: PageWords | None = None) -> tuple[Block, ...]:
    """Return the drafts as blocks, in order, each with a box; its confidence is the share of its words on the page.

    The page's pictures, and the running lines that the answer left out, are inserted between them.
    """
    words = words or page_words(page)
    placed = _place_drafts(drafts, words)
    blocks = []
    for one, box in zip(placed, fill_gaps(page, [one.box for one in placed]), strict=True):
        draft = one.draft
        cells: list[Cell] = []
        for cell, places in zip(draft.cells, one.cells if draft.cells else (), strict=True):
            cell_box = _find_place(places, words)[1]
            cells.append(msgspec.structs.replace(cell, box=_within(page, cell_box)) if cell_box else cell)
        lines: list[Line] = []
        for unit in one.units if not cells else ():
            line = words.all_units[unit].line
            if line is not None and one.counts[unit] >= MIN_LINE_SHARE * words.sizes[unit]:
                lines.append(line)
        blocks.append(
            Block(
                type=draft.type,
                box=box,
                text=draft.text,
                lines=tuple(lines),
                level=draft.level,
                marker=draft.marker,
                cells=tuple(cells),
                source=Source.MODEL,
                confidence=one.confidence,
                spans=draft.spans,
                latex=draft.latex,
            )
        )
    return tuple(_with_kept(page, words, placed, blocks))


def _place_drafts(drafts: Sequence[Draft], words: PageWords) -> list[_Placed]:
    """Match the words of the drafts with those of the page, and find the lines and the box of each draft."""
    tokens: list[str] = []
    lengths: list[list[int]] = []
    for draft in drafts:
        counts = []
        for text in [cell.text for cell in draft.cells] or [f"{draft.marker} {draft.text}"]:
            found = words_of(text)
            counts.append(len(found))
            tokens += found
        lengths.append(counts)
    matches = iter(match_words(tokens, words.tokens))
    placed = []
    for draft, counts in zip(drafts, lengths, strict=True):
        cells = [[next(matches) for _ in range(count)] for count in counts]
        places = [place for cell in cells for place in cell]
        units, box, found_words = _find_place(places, words)
        confidence = round(sum(place >= 0 for place in places) / len(places), 3) if places else 0.0
        if draft.box is not None and confidence < MIN_CERTAIN_SHARE:
            box = draft.box  # where the model says it is
        placed.append(_Placed(draft, cells, box, units, confidence, found_words))
    return placed


def _find_place(places: Iterable[int], words: PageWords) -> tuple[list[int], Box | None, dict[int, int]]:
    """Return the units that are close together and contain most of the words at ``places``, the box around these
    words, and how many each unit has; a line counts only from the first of the words to the last. No word found: no
    units and None.
    """
    counts: dict[int, int] = {}
    letters: dict[int, tuple[int, int]] = {}  # of each unit, from the first of the words to the last
    for place in places:
        if place >= 0:
            unit, (start, end) = words.units[place], words.spans[place]
            counts[unit] = counts.get(unit, 0) + 1
            first, last = letters.get(unit, (start, end))
            letters[unit] = (start if start < first else first, end if end > last else last)
    if len(counts) == 1:
        return [unit], words.box_of_letters(unit, *letters[unit]), counts
    groups: list[list[int]] = []
    for unit in sorted(counts):
        if groups and unit - groups[-1][-1] <= MAX_LINES_WITHIN_PLACE:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    if not groups:
        return [], None, counts
    weights = [sum(counts[unit] for unit in group) for group in groups]
    min_weight = MIN_PLACE_SHARE * max(weights)
    units = [unit for group, weight in zip(groups, weights, strict=True) if weight >= min_weight for unit in group]
    return units, union(words.box_of_letters(unit, *letters[unit]) for unit in units), counts


def fill_gaps(page: Page, boxes: Sequence[Box | None]) -> list[Box]:
    """Return the boxes, clipped to the page; a missing box becomes the space between its neighbours."""
    following: list[Box | None] = []
    after: Box | None = None
    for box in reversed(boxes):
        following.append(after)
        after = box or after
    result: list[Box] = []
    before: Box | None = None
    for box, after in zip(boxes, reversed(following), strict=True):
        filled = box
        if filled is None:
            filled = (
                union(near for near in (before, after) if near)
                if before or after
                else Box(0.0, 0.0, page.width, page.height)
            )
            top, bottom = before.bottom if before else 0.0, after.top if after else page.height
            if top < bottom:
                filled = Box(filled.x0, top, filled.x1, bottom)
        result.append(_within(page, filled))
        before = box or before
    return result


def _within(page: Page, box: Box) -> Box:
    x0, x1 = (min(max(x, 0.0), page.width) for x in (box.x0, box.x1))
    top, bottom = (min(max(y, 0.0), page.height) for y in (box.top, box.bottom))
    return Box(x0, top, x1, bottom)


def _with_kept(page: Page, words: PageWords, placed: Sequence[_Placed], blocks: Sequence[Block]) -> Iterable[Block]:
    """Yield the blocks and, between them, the page's pictures and the running lines whose words the answer lacks."""
    last: dict[int, int] = {}  # block of the page -> the last block of the answer at that place
    used: Counter[int] = Counter()
    for index, one in enumerate(placed):
        used.update(one.counts)
        last |= {words.all_units[unit].block: index for unit in one.units}
    kept: dict[int, list[Block]] = {}
    after = -1
    for index, block in enumerate(page.blocks):
        is_kept = block.type is BlockType.PICTURE
        if not is_kept and is_running_line(page, block):
            units = [number for number, unit in enumerate(words.all_units) if unit.block == index]
            size = sum(words.sizes[unit] for unit in units)
            is_kept = sum(used[unit] for unit in units) < MIN_REPLACED_SHARE * size or not size
        if is_kept:
            kept.setdefault(after, []).append(block)
        else:
            after = last.get(index, after)
    yield from kept.get(-1, ())
    for index, block in enumerate(blocks):
        yield block
        yield from kept.get(index, ())
