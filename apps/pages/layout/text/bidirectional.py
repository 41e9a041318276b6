"""From the order of display to the order of reading: the inverse of the Unicode bidirectional algorithm (UAX 9).

For one line of a paragraph that runs to the left and has no embeddings.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence

_RIGHT_TO_LEFT = ("R", "AL")
_NUMBERS = ("EN", "AN")
# Part of a number between its digits: in any number, and in one with European digits (rule W4).
_COMMON_SEPARATOR, _EUROPEAN_SEPARATOR, _TERMINATOR = "CS", "ES", "ET"
_MIRRORED = str.maketrans("()[]{}<>«»‹›≤≥", ")(][}{><»«›‹≥≤")
_PERCENT = "%٪‰"
_OPENING, _CLOSING = "([{", ")]}"
_OTHER_BRACKET = dict(zip(_OPENING + _CLOSING, _CLOSING + _OPENING, strict=True))
# A unit of measure after a number is displayed as a name before it would be; units are short and in small letters.
_UNIT = re.compile(r"(?:[^\W\d_]{1,2}|[^\W\d_A-Z]{1,4}|[a-z]{0,2}[A-Z][a-z]{0,2})[²³]?")


def in_reading_order(display: Sequence[str]) -> list[tuple[int, str]]:
    """Return clusters of characters, given from the left edge, in reading order: each with its place.

    Programs write a bracket of a line to the left as it is drawn, or as it is read. Those outside Latin text are
    mirrored if more of them open before they close then.
    """
    order = reading_order(display)
    latin = {place for pair in itertools.pairwise(order) if pair[1] == pair[0] + 1 for place in pair}
    texts = [display[place] for place in order]
    mirrored = [text if place in latin else text.translate(_MIRRORED) for place, text in zip(order, texts, strict=True)]
    if _unmatched("".join(mirrored)) < _unmatched("".join(texts)):
        texts = mirrored
    return list(zip(order, texts, strict=True))


def in_display_order(word: str) -> str:
    """Return the characters of a word from the left edge, with brackets as they are drawn.

    A word with letters that run to the left is turned, except for its numbers and Latin letters.
    """
    kinds = [unicodedata.bidirectional(character) for character in word]
    if not any(kind in _RIGHT_TO_LEFT for kind in kinds):
        return word
    straight = [kind == "L" or kind in _NUMBERS for kind in kinds]
    for at, kind in enumerate(kinds):
        sides = [each in ("L", *_NUMBERS) for each in (*kinds[max(0, at - 1) : at], *kinds[at + 1 : at + 2])]
        is_inside = len(sides) == 2 and all(sides)  # of a number, or of Latin letters
        if kind not in _RIGHT_TO_LEFT and (is_inside or (kind == _TERMINATOR and any(sides) and "AL" not in kinds)):
            straight[at] = True
    turned = []
    for is_straight, run in itertools.groupby(zip(straight, word, strict=True), key=lambda each: each[0]):
        text = "".join(character for _, character in run)
        turned.append(text if is_straight else text[::-1].translate(_MIRRORED))
    return "".join(reversed(turned))


def reading_order(display: Sequence[str]) -> list[int]:
    """Return the places of clusters of characters, given from the left edge, in reading order."""
    kinds = [_kind_of(cluster) for cluster in display]
    order: list[int] = []
    right = len(display)
    arabic = False
    while right > 0:
        at = right - 1
        if kinds[at] in _RIGHT_TO_LEFT:
            arabic = kinds[at] == "AL"
            order.append(at)
            right = at
            continue
        left = at
        while left > 0 and kinds[left - 1] not in _RIGHT_TO_LEFT:
            left -= 1
        order += _between(display, kinds, left, right, arabic=arabic)
        right = left
    return order


def _between(display: Sequence[str], kinds: Sequence[str], left: int, right: int, *, arabic: bool) -> list[int]:
    """Return the places of a stretch without letters from the right, in reading order."""
    strong = [at for at in range(left, right) if kinds[at] == "L" or kinds[at] in _NUMBERS]
    if not strong:
        return list(range(right - 1, left - 1, -1))
    latin = next((at for at in strong if kinds[at] == "L"), None)
    if latin is None:
        return _numbers(display, kinds, left, right, arabic=arabic)
    # Numbers left of Latin words are no part of them, unless nothing parts them, as in "2FA", or the words before them
    # are in the line above.
    first, last = latin if right < len(display) else strong[0], strong[-1]
    word = first
    while word > left and not display[word - 1].isspace():
        word -= 1
    first = next((at for at in range(word, first) if kinds[at] in _NUMBERS), first)
    unit = _unit_before_number(display, kinds, first, last)
    if unit:
        middle = [*range(unit[1], last + 1), *range(unit[1] - 1, unit[0], -1), *range(first, unit[0] + 1)]
    else:
        first, last = _with_brackets(display, kinds, left, right, first, last)
        middle = list(range(first, last + 1))
    before = _numbers(display, kinds, left, first, arabic=arabic)
    return [*range(right - 1, last, -1), *middle, *before]


def _with_brackets(
    display: Sequence[str], kinds: Sequence[str], left: int, right: int, first: int, last: int
) -> tuple[int, int]:
    """Return the ends of a Latin stretch with the brackets and terminators that belong to it (rules N0 and W5)."""
    inner = "".join(display[first : last + 1])
    if last + 1 < right and display[last + 1] in _CLOSING and _lacks(inner, display[last + 1]):
        last += 1
    if first > left and display[first - 1] in _OPENING and _lacks(inner, display[first - 1]):
        first -= 1
    if last + 1 < right and kinds[last + 1] == _TERMINATOR and kinds[last] == "EN":
        last += 1
    return first, last


def _lacks(inner: str, bracket: str) -> bool:
    """Return True if a text has more of the other bracket of a pair than of this one."""
    return inner.count(_OTHER_BRACKET[bracket]) > inner.count(bracket)


def _unit_before_number(display: Sequence[str], kinds: Sequence[str], first: int, last: int) -> tuple[int, int] | None:
    """Return the last place of a unit and the first of the number right of it, where a stretch is just these two."""
    end = first
    while end <= last and (kinds[end] == "L" or display[end] in "²³"):
        end += 1
    start = end
    while start <= last and display[start].isspace():
        start += 1
    if start == end or start > last or kinds[start] not in _NUMBERS or not _UNIT.fullmatch("".join(display[first:end])):
        return None
    inside = all(kinds[at] in (*_NUMBERS, _COMMON_SEPARATOR) for at in range(start, last + 1))
    return (end - 1, start) if inside else None


def _numbers(display: Sequence[str], kinds: Sequence[str], left: int, right: int, *, arabic: bool) -> list[int]:
    """Return the places of a stretch with numbers and marks: each number keeps its order, the stretch is turned."""
    order: list[int] = []
    at = right - 1
    while at >= left:
        start = at
        if start > left and display[at] in _PERCENT and kinds[at - 1] in _NUMBERS:
            start -= 1
        while start >= left and _belongs(kinds, start, left, at, arabic=arabic):
            start -= 1
        if start < at:
            order += range(start + 1, at + 1)
            at = start
        else:
            order.append(at)
            at -= 1
    return order


def _belongs(kinds: Sequence[str], at: int, left: int, end: int, *, arabic: bool) -> bool:
    """Return True if a place belongs to the number whose rightmost place is ``end``."""
    kind = kinds[at]
    if kind in _NUMBERS:
        return True
    european = not arabic and "AN" not in kinds[left : end + 1]
    if european and kind == _TERMINATOR:
        # A terminator belongs to a number if only terminators part it from a digit.
        for step in (-1, 1):
            place = at
            while left <= place <= end and kinds[place] == _TERMINATOR:
                place += step
            if left <= place <= end and kinds[place] == "EN":
                return True
        return False
    if at in (end, left) or kinds[at - 1] not in _NUMBERS or kinds[at + 1] not in _NUMBERS:
        return False
    return kind == _COMMON_SEPARATOR or (european and kind == _EUROPEAN_SEPARATOR)


def _kind_of(cluster: str) -> str:
    """Return the bidirectional class of the first character of a cluster that has a direction."""
    kinds = [unicodedata.bidirectional(character) for character in cluster]
    return next((kind for kind in kinds if kind not in ("NSM", "BN", "")), kinds[0] if kinds else "ON")


def _unmatched(text: str) -> int:
    """Return how many brackets have no partner."""
    opened: list[str] = []
    alone = 0
    for character in text:
        if character in _OPENING:
            opened.append(character)
        elif character in _CLOSING:
            if opened and opened[-1] == _OPENING[_CLOSING.index(character)]:
                opened.pop()
            else:
                alone += 1
    return alone + len(opened)
