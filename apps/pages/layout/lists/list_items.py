"""Lists: which lines begin an item, also with drawn bullets or symbol fonts, and how deep items are nested."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import Box
from apps.pages.model.segments import Segment
from apps.pages.model.text import list_markers
from apps.pages.model.text.safe_text import REPLACEMENT

BULLET = "•"
# A drawn bullet is this far from its line at most, ...
MAX_BULLET_GAP_EMS = 3.0
# ... and is a single one only on a page with few such marks.
MAX_LONE_DOTS = 2
# Items whose markers begin within this distance are on one level, ...
MAX_LEVEL_SHIFT_EMS = 0.45
# ... and within this one if both are numbers, which may be set flush right.
MAX_NUMBER_SHIFT_EMS = 0.95
# Neighbours in the alphabet are letters of one list when at most this many lines are between them.
MAX_LETTERED_LINES = 8
# A dash before text that hangs this far behind it is no dash of a sentence.
MIN_HANGING_EMS = 0.6
# A shorter line is not full, even if no other is longer.
MIN_FULL_CHARACTERS = 32
_INITIALS = re.compile(r"(?:[^\W\d_]\.[\s-]?){2,}\s*[^\W\d_]")
_SYMBOL_FONT = re.compile(r"dingbats|wingdings|webdings|symbol|monotypesorts|bullets", re.IGNORECASE)
_FIRST = frozenset({"a.", "i."})
_DASHES = "–—-−"
_EM_DASH = "—"
_SENTENCE_END = re.compile("[.!?:;。！？：]['\")\\]”’»]*$")


def mark_drawn_bullets(segments: Sequence[Segment], dots: Sequence[Box], *, rtl: bool = False) -> None:
    """Put a bullet before the text of lines with a small mark drawn beside their start, in place."""
    found: list[tuple[Segment, Box]] = []
    for dot in dots:
        line = _line_of(segments, dot, rtl)
        if line is not None:
            found.append((line, dot))
    if len(found) < 2 and len(dots) > MAX_LONE_DOTS:
        return
    for line, dot in found:
        if not list_markers.split(line.text)[0]:
            line.text = f"{BULLET} {line.text}"
            if line.runs:
                drawn = msgspec.structs.replace(line.runs[0], text=f"{BULLET} ", x0=dot.x0, x1=dot.x1, words=None)
                line.runs = [*line.runs, drawn] if rtl else [drawn, *line.runs]
            line.x0, line.x1 = min(line.x0, dot.x0), max(line.x1, dot.x1)


def _line_of(segments: Sequence[Segment], dot: Box, rtl: bool) -> Segment | None:
    """Return the line that a dot is the bullet of: the nearest one behind it, at the same height."""
    middle = (dot.top + dot.bottom) / 2
    nearest: tuple[float, Segment] | None = None
    for segment in segments:
        if not segment.top <= middle <= segment.bottom or segment.block is not None:
            continue
        gap = dot.x0 - segment.x1 if rtl else segment.x0 - dot.x1
        if gap < -0.5 * dot.width:
            if segment.x0 < dot.x1 + segment.size and segment.x1 > dot.x0 - segment.size:
                return None  # inside or right behind other text: a mark of that text
            continue
        if nearest is None or gap < nearest[0]:
            nearest = gap, segment
    if nearest is None or nearest[0] > MAX_BULLET_GAP_EMS * nearest[1].size:
        return None
    return nearest[1] if max(dot.width, dot.height) < 0.8 * nearest[1].size else None


def mark_symbol_bullets(segments: Sequence[Segment]) -> None:
    """Replace the first sign of lines by a bullet, in place, where it is one sign of a symbol font."""
    for segment in segments:
        first = segment.runs[0] if segment.runs else None
        if first is None or len(first.text) > 2 or not is_symbol_font(first.style.font):
            continue
        sign, rest = segment.text[:1], segment.text[1:].strip()
        is_lost = sign == REPLACEMENT or not sign.isprintable() or "\ue000" <= sign <= "\uf8ff"
        if "symbol" in first.style.font.lower() and not is_lost:
            continue  # Greek letters and signs of formulas in Symbol are no bullets
        is_marker = sign in list_markers.BULLET_SIGNS or sign in list_markers.CHECK_BOXES
        if sign and (is_lost or sign == "o" or not (is_marker or sign.isnumeric())):
            segment.text = f"{BULLET} {rest}".strip()
            segment.runs = [msgspec.structs.replace(first, text=f"{BULLET} "), *segment.runs[1:]]
        elif rest:
            segment.text = f"{sign} {rest}"


@lru_cache(maxsize=512)
def is_symbol_font(name: str) -> bool:
    """Return True for fonts whose letters are pictures."""
    return _SYMBOL_FONT.search(name) is not None


def markers_of(lines: Sequence[Segment]) -> list[str]:
    """Return the list marker of each line of a column, "" for lines that begin no item.

    Initials, a heading's numeral and a number that a sentence happens to have at the start of a line are no markers:
    letters and numerals need a neighbour in their sequence, numbers inside a paragraph too.
    """
    found = [list_markers.split(line.text)[0] for line in lines]
    for _ in range(2):  # A line that turned out to be no item is no neighbour of others.
        for index, marker in enumerate(found):
            if marker and not _is_item(lines, found, index):
                found[index] = ""
    return found


def _is_item(lines: Sequence[Segment], found: list[str], index: int) -> bool:
    line, marker = lines[index], found[index]
    if not list_markers.is_ordered(marker):
        if marker == "o":
            is_alone = bool(line.runs) and line.runs[0].text.strip() == marker
            return is_alone or (found.count(marker) > 1 and not _goes_on(lines, index))
        if marker == _EM_DASH and found.count(marker) < 2:
            return False  # the name under a quotation
        if marker not in _DASHES or found[index - 1] != "" or not _goes_on(lines, index):
            return True
        runs = line.runs or []
        if len(runs) > 1 and runs[0].text.strip() == marker and runs[1].x0 - runs[0].x1 > MIN_HANGING_EMS * line.size:
            return True
        alike = (other for other in range(len(lines)) if other != index and found[other] == marker)
        return any(abs(lines[other].x0 - line.x0) < 0.3 * line.size and not _goes_on(lines, other) for other in alike)
    if marker[-1] == "." and marker[:-1].isupper():
        rest = line.text[len(marker) :].strip()
        if _INITIALS.match(line.text) or (rest.isupper() and len(rest) > 1):
            return False
        return not _goes_on(lines, index) and _has_neighbour(lines, found, index, MAX_LETTERED_LINES)
    if marker[-1] == "." and marker[:-1].isalpha():
        if index and found[index - 1] and marker in _FIRST and line.x0 > lines[index - 1].x0 + 0.8 * line.size:
            return True  # the first item of an inner list
        return marker in found[:index] + found[index + 1 :] or _has_neighbour(lines, found, index, len(lines))
    return not _goes_on(lines, index) or found[index - 1] != "" or _has_neighbour(lines, found, index, len(lines))


def _goes_on(lines: Sequence[Segment], index: int) -> bool:
    """Return True if a line goes on with the one before, which is full, ends no sentence and begins where it does."""
    if not index:
        return False
    line, last = lines[index], lines[index - 1]
    right = max(other.x1 for other in lines[max(0, index - 5) : index + 5])
    return (
        len(last.text) >= MIN_FULL_CHARACTERS
        and abs(last.x0 - line.x0) < 0.3 * line.size
        and -0.5 * line.size < line.top - last.bottom < 0.6 * line.size
        and last.x1 > right - 0.12 * (right - line.x0)
        and not _SENTENCE_END.search(last.text)
    )


def _has_neighbour(lines: Sequence[Segment], found: Sequence[str], index: int, reach: int) -> bool:
    """Return True if the marker before or after this one of its kind, near its left edge, is among the lines."""
    line = lines[index]
    here = list_markers.ordinals(found[index])
    for other in range(max(0, index - reach), min(len(lines), index + reach + 1)):
        if other == index or not found[other] or abs(lines[other].x0 - line.x0) > MAX_NUMBER_SHIFT_EMS * line.size:
            continue
        step = 1 if other > index else -1
        if any((kind, number + step) in list_markers.ordinals(found[other]) for kind, number in here):
            return True
    return False


class _Level(msgspec.Struct):
    """An open level of a list: where its markers begin, of what kind they are, and the last of them."""

    x0: float
    marker: str


def with_levels(blocks: Sequence[Block], *, rtl: bool = False) -> list[Block]:
    """Return the blocks of a page with the level of each list item, by the indentation of the markers in their list."""
    result = list(blocks)
    levels: list[_Level] = []
    last: Block | None = None
    for index, block in enumerate(blocks):
        if block.type is not BlockType.LIST_ITEM:
            if levels and not _is_within_list(block, levels, rtl):
                levels = []
            continue
        if last is not None and levels and block.box.top < last.box.top:
            levels = _moved(levels, block, rtl)
        if not levels:
            levels = _outer_levels(blocks, index, rtl)
        _enter(levels, block, rtl)
        last = block
        if len(levels) != block.level:
            result[index] = msgspec.structs.replace(block, level=len(levels))
    return result


def _is_within_list(block: Block, levels: Sequence[_Level], rtl: bool) -> bool:
    """Return True if a block between two items belongs to the first: a picture, or text indented like its text."""
    if block.type is BlockType.PICTURE:
        return True
    size = block.lines[0].size if block.lines else 10.0
    return (-block.box.x1 if rtl else block.box.x0) > levels[0].x0 + 0.8 * size and block.type is not BlockType.TABLE


def _outer_levels(blocks: Sequence[Block], start: int, rtl: bool) -> list[_Level]:
    """Return the levels outside of the first item of a list: those to which later items of it go back."""
    levels: list[_Level] = []
    first = blocks[start]
    left, top = _start_of(first, rtl), first.box.top
    for block in blocks[start + 1 :]:
        if block.type is not BlockType.LIST_ITEM or block.box.top < top:
            break
        top = block.box.top
        x0 = _start_of(block, rtl)
        size = block.lines[0].size
        kinds = {list_markers.kind(first.marker), list_markers.kind(block.marker)}
        is_flush_right = (
            len(kinds) == 1 and "" not in kinds and abs(_start_of(first, rtl) - x0) <= MAX_NUMBER_SHIFT_EMS * size
        )
        if x0 < left - MAX_LEVEL_SHIFT_EMS * size and not is_flush_right:
            levels.insert(0, _Level(x0, block.marker))
            left, first = x0, block
    return levels


def _enter(levels: list[_Level], block: Block, rtl: bool) -> None:
    """Close and open levels, so that the last one is that of the item."""
    x0, size = _start_of(block, rtl), block.lines[0].size if block.lines else 10.0
    while levels:
        level = levels[-1]
        shift = abs(level.x0 - x0)
        follows = shift <= MAX_NUMBER_SHIFT_EMS * size and list_markers.follows(level.marker, block.marker)
        if follows or shift <= MAX_LEVEL_SHIFT_EMS * size:
            levels[-1] = _Level(x0, block.marker)
            return
        if x0 > level.x0:
            break
        levels.pop()
    levels.append(_Level(x0, block.marker))


def _moved(levels: Sequence[_Level], block: Block, rtl: bool) -> list[_Level]:
    """Return the levels moved to another column, where the list goes on with ``block``; [] if another list begins."""
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        is_bullet = not list_markers.is_ordered(block.marker)
        if level.marker == block.marker if is_bullet else list_markers.follows(level.marker, block.marker):
            shift = _start_of(block, rtl) - level.x0
            return [_Level(each.x0 + shift, each.marker) for each in levels[: depth + 1]]
    return []


def _start_of(block: Block, rtl: bool) -> float:
    """Return where a block's first line begins, growing inwards."""
    box = block.lines[0].box if block.lines else block.box
    return -box.x1 if rtl else box.x0
