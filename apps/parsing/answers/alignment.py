"""Give the blocks of an answer their boxes: find their words among the words of the page, which have boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.model import scripts
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
# Up to this many letters before the first word and after the last are punctuation that belongs to them.
MAX_MARGIN_LETTERS = 2
# An answer that contains at least this share of a running line's words replaces it.
MIN_REPLACED_SHARE = 0.5


class _Placed(msgspec.Struct):
    """A draft, the index of each of its words on the page (-1: not found), and the box of the words that were found."""

    draft: Draft
    cells: list[list[int]]
    box: Box | None = None
    units: list[int] = []
    confidence: float = 0.0


def align(page: Page, drafts: Sequence[Draft], words: PageWords | None = None) -> tuple[Block, ...]:
    """Return the drafts as blocks, in order, each with a box; its confidence is the share of its words on the page.

    The page's pictures, and the running lines that the answer left out, are inserted between them.
    """
    words = words or page_words(page)
    placed = _placed(drafts, words)
    for one in placed:
        _locate(one, words)
    boxes = _without_gaps(page, [one.box for one in placed])
    blocks = [_block(page, one, box, words) for one, box in zip(placed, boxes, strict=True)]
    return tuple(_with_kept(page, words, placed, blocks))


def _placed(drafts: Sequence[Draft], words: PageWords) -> list[_Placed]:
    """Match the words of the drafts; a table has one list for each cell, any other draft has one list."""
    tokens: list[str] = []
    lengths: list[list[int]] = []
    for draft in drafts:
        counts = []
        for text in [cell.text for cell in draft.cells] or [f"{draft.marker} {draft.text}"]:
            found = words_of(text)
            counts.append(len(found))
            tokens += found
        lengths.append(counts)
    places = iter(match_words(tokens, words.tokens))
    return [
        _Placed(draft, [[next(places) for _ in range(count)] for count in counts])
        for draft, counts in zip(drafts, lengths, strict=True)
    ]


def _locate(placed: _Placed, words: PageWords) -> None:
    """Set the lines and the box of a draft from the words that were found."""
    places = [place for cell in placed.cells for place in cell]
    found = [place for place in places if place >= 0]
    if not found:
        return
    placed.confidence = round(len(found) / len(places), 3)
    counts = Counter(words.units[place] for place in found)
    kept = _one_place(counts)
    placed.units = sorted(kept)
    placed.box = _box_of((place for place in found if words.units[place] in kept), words)


def _one_place(counts: Counter[int]) -> set[int]:
    """Return the units that are close together, without strays; ``counts`` is the number of words found in each."""
    groups: list[list[int]] = []
    for unit in sorted(counts):
        if groups and unit - groups[-1][-1] <= MAX_LINES_WITHIN_PLACE:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    weights = [sum(counts[unit] for unit in group) for group in groups]
    least = MIN_PLACE_SHARE * max(weights)
    return {unit for group, weight in zip(groups, weights, strict=True) if weight >= least for unit in group}


def _box_of(places: Iterable[int], words: PageWords) -> Box:
    """Return the box around words; a line counts only from the first of these words in it to the last."""
    stretches: dict[int, tuple[int, int]] = {}
    for place in places:
        unit = words.units[place]
        start, end = words.spans[place]
        if unit in stretches:
            first, last = stretches[unit]
            start, end = min(first, start), max(last, end)
        stretches[unit] = start, end
    return union(_stretch(words, unit, *stretch) for unit, stretch in stretches.items())


def _stretch(words: PageWords, number: int, start: int, end: int) -> Box:
    """Return the box of a part of a line, assuming letters of equal width; for a cell, which may have several lines,
    the whole box."""
    unit, length = words.all_units[number], words.lengths[number]
    box = unit.box
    start = start if start > MAX_MARGIN_LETTERS else 0
    end = end if end < length - MAX_MARGIN_LETTERS else length
    if unit.line is None or end - start == length:
        return box
    if scripts.is_rtl(unit.text):
        start, end = length - end, length - start
    letter = box.width / length
    return Box(round(box.x0 + start * letter, 2), box.top, round(box.x0 + end * letter, 2), box.bottom)


def _without_gaps(page: Page, boxes: Sequence[Box | None]) -> list[Box]:
    """Return the boxes, clipped to the page; a missing box becomes the space between its neighbours."""
    after: list[Box | None] = []
    following: Box | None = None
    for box in reversed(boxes):
        after.append(following)
        following = box or following
    result: list[Box] = []
    before: Box | None = None
    for box, behind in zip(boxes, reversed(after), strict=True):
        result.append(_within(page, box or _between(page, before, behind)))
        before = box or before
    return result


def _between(page: Page, before: Box | None, after: Box | None) -> Box:
    if before is None and after is None:
        return Box(0.0, 0.0, page.width, page.height)
    near = [box for box in (before, after) if box is not None]
    top = before.bottom if before is not None else 0.0
    bottom = after.top if after is not None else page.height
    around = union(near)
    return Box(around.x0, top, around.x1, bottom) if top < bottom else around


def _within(page: Page, box: Box) -> Box:
    x0, x1 = (min(max(x, 0.0), page.width) for x in (box.x0, box.x1))
    top, bottom = (min(max(y, 0.0), page.height) for y in (box.top, box.bottom))
    return Box(x0, top, x1, bottom)


def _block(page: Page, placed: _Placed, box: Box, words: PageWords) -> Block:
    draft = placed.draft
    cells = draft.cells and tuple(
        _cell(page, cell, places, words) for cell, places in zip(draft.cells, placed.cells, strict=True)
    )
    lines = () if cells else _lines(placed, words)
    return Block(draft.type, box, draft.text, lines, draft.level, draft.marker, cells, Source.MODEL, placed.confidence)


def _cell(page: Page, cell: Cell, places: Sequence[int], words: PageWords) -> Cell:
    found = [place for place in places if place >= 0]
    if not found:
        return cell
    kept = _one_place(Counter(words.units[place] for place in found))
    box = _box_of((place for place in found if words.units[place] in kept), words)
    return msgspec.structs.replace(cell, box=_within(page, box))


def _lines(placed: _Placed, words: PageWords) -> tuple[Line, ...]:
    counts = Counter(words.units[place] for cell in placed.cells for place in cell if place >= 0)
    found = ((words.all_units[unit].line, counts[unit], unit) for unit in placed.units)
    return tuple(
        line for line, count, unit in found if line is not None and count >= MIN_LINE_SHARE * words.sizes[unit]
    )


def _with_kept(page: Page, words: PageWords, placed: Sequence[_Placed], blocks: Sequence[Block]) -> Iterable[Block]:
    """Yield the blocks and, between them, the blocks of the page that the answer does not contain."""
    last: dict[int, int] = {}  # block of the page -> the last block of the answer at that place
    for index, one in enumerate(placed):
        for unit in one.units:
            last[words.all_units[unit].block] = index
    used = Counter(words.units[place] for one in placed for cell in one.cells for place in cell if place >= 0)
    kept: dict[int, list[Block]] = {}
    after = -1
    for index, block in enumerate(page.blocks):
        if block.type is BlockType.PICTURE or _is_left_out(page, index, words, used):
            kept.setdefault(after, []).append(block)
        else:
            after = last.get(index, after)
    yield from kept.get(-1, ())
    for index, block in enumerate(blocks):
        yield block
        yield from kept.get(index, ())


def _is_left_out(page: Page, index: int, words: PageWords, used: Counter[int]) -> bool:
    """Return whether a block is a running line whose words are not in the answer."""
    if not is_running_line(page, page.blocks[index]):
        return False
    units = [number for number, unit in enumerate(words.all_units) if unit.block == index]
    size = sum(words.sizes[unit] for unit in units)
    return sum(used[unit] for unit in units) < MIN_REPLACED_SHARE * size or not size
