"""Find where an answer differs from its page: words changed, left out, added or moved, each at its place.

Every word of the answer is matched with one of the page (``match_words``). Within a paragraph, a list item or a cell of
the answer the places must ascend. Only at the ends of printed lines and cells may the answer go on elsewhere, because
columns and tables are read in several orders. Words out of order count as left out in one place and added in another.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Iterator, Sequence

import msgspec

from apps.parsing.answers.normalized_words import PageWords, is_number, is_sign, with_usual_letters

# Letters that are lost with a ligature.
_LIGATURE = re.compile("ffi|ffl|ff|fi|fl|ft|st|tt|ti")
# What the other side may have instead of a sign: a dash with spaces, the bracket of an exponent or of a tag.
_ALIKE = dict.fromkeys("\u2610\u2713\u2717", "[\u25a1\u2751\u2752\uf0fc\uf0fe\uf0a8\uf06f*-\u2022")
_ALIKE |= {"-": "-\u2010\u2011\u2212\u2013\u2014(", "(": "([{-\u2212\u2013", "<": "<\u2264", ">": ">\u2265"}
# A dollar sign begins a formula, so one that the page lacks is no currency.
_DOLLAR = "$"
_BLANK = re.compile(r"_{4,}")
_FORMULA = re.compile(r"[{}^]|\$.*\$")


# A title with more words is not matched with the beginning of the text below it.
MAX_TITLE_WORDS = 8
# Words at the end of a line that OCR misread, and that the answer therefore has otherwise.
MAX_MISREAD = 2
# Folding the case of a text moves its letters by up to this many places.
MAX_SHIFT_LETTERS = 3


class Difference(msgspec.Struct, frozen=True, gc=False):
    """The words that only the page has at a place, and those that only the answer has there.

    ``place``: the index of the first such word of the page, or of the next one; ``unit``: the unit of the answer that
    has the words, or -1. ``is_spelling``: a word became a similar one; names have none. ``is_whole``: all words of a
    title or of a cell are missing or added, or a blank is filled in. ``is_inside``: words are missing between others
    of a paragraph or a cell.
    """

    page: tuple[str, ...]
    answer: tuple[str, ...]
    place: int
    unit: int
    is_spelling: bool = False
    is_whole: bool = False
    is_inside: bool = False


class Run(msgspec.Struct, gc=False):
    """Consecutive words (``first`` to ``last``) that have no counterpart; ``before`` and ``after``: the places on the
    page of the nearest words that have one."""

    first: int
    last: int
    before: int
    after: int


def in_order(page: PageWords, answer: PageWords, places: Sequence[int]) -> list[int]:
    """Return the places that ``match_words`` found, with -1 for words that do not follow those before them in their
    unit."""
    kept = _joined_at_edges(page, answer, places)
    claimed = set(kept)
    chain: list[int] = []  # indexes of the answer
    for here, place in enumerate(kept):
        if place < 0:
            continue
        if chain and (
            answer.units[here] != answer.units[chain[-1]]
            or (place != kept[chain[-1]] + 1 and _may_go_on(page, kept[chain[-1]], place, claimed))
        ):
            _keep_rising(page, chain, kept, claimed)
            chain = []
        chain.append(here)
    _keep_rising(page, chain, kept, claimed)
    return kept


def _joined_at_edges(page: PageWords, answer: PageWords, places: Sequence[int]) -> list[int]:
    """Return the places with the first words of each unit beside the next one, where the page has the same words.

    A title often begins the text below it, so that one may have been matched with the words of the other.
    """
    kept = list(places)
    where = {place: here for here, place in enumerate(places) if place >= 0}
    start = 0
    for size in answer.sizes:
        last = min(size - 1, MAX_TITLE_WORDS)
        if last > 0 and kept[start + last] - last != kept[start]:
            steps = range(1, last + 1)
            leap = next((n for n in steps if kept[start + n] >= 0 and kept[start + n - 1] != kept[start + n] - 1), 0)
            beside = kept[start + leap] - leap
            if leap and beside >= 0 and page.tokens[beside : beside + leap] == answer.tokens[start : start + leap]:
                for here, place in enumerate(range(beside, beside + leap), start):
                    other = where.get(place, -1)
                    if other >= 0:
                        kept[other], where[kept[here]] = kept[here], other
                    kept[here], where[place] = place, here
        start += size
    return kept


def _may_go_on(page: PageWords, before: int, place: int, claimed: Container[int]) -> bool:
    """Return whether an answer may go on at another place: from the end of a line to the start of one, not upwards."""
    if not (_is_last(page, before, claimed) and _is_first(page, place, claimed)):
        return False
    if page.units[place] == page.units[before]:
        return place > before
    line, last = page.all_units[page.units[place]], page.all_units[page.units[before]]
    box, below = line.box, last.box
    return line.block != last.block or box.middle >= below.top or box.x0 >= below.x1 or below.x0 >= box.x1


def _is_last(page: PageWords, place: int, claimed: Container[int]) -> bool:
    """Return whether a word ends its unit, but for words that the answer does not have."""
    for _ in range(MAX_MISREAD):
        if page.ends_unit(place):
            return True
        place += 1
        if place in claimed:
            return False
    return page.ends_unit(place)


def _is_first(page: PageWords, place: int, claimed: Container[int]) -> bool:
    """Return whether a word starts its unit, but for words that the answer does not have."""
    for _ in range(MAX_MISREAD):
        if page.starts_unit(place):
            return True
        place -= 1
        if place in claimed:
            return False
    return page.starts_unit(place)


def _keep_rising(page: PageWords, chain: Sequence[int], kept: list[int], claimed: set[int]) -> None:
    """Set the places of a chain to -1 that do not rise, and those behind a leap from within a line into another."""
    places = [kept[here] for here in chain]
    if places and places == list(range(places[0], places[0] + len(places))):
        return
    rising = _longest_rising(places)
    parts: list[list[int]] = [[]]
    for index in rising:
        here = chain[index]
        if parts[-1]:
            before, place = kept[parts[-1][-1]], kept[here]
            skipped = range(before + 1, place)
            if (
                len(skipped) > MAX_MISREAD
                and not _is_last(page, before, claimed)
                and not _is_first(page, place, claimed)
                and sum(one in claimed and not page.optional[one] for one in skipped) > MAX_MISREAD
            ):
                parts.append([])
        parts[-1].append(here)
    sizes = [len(part) for part in parts]
    longest = set(parts[sizes.index(max(sizes))])
    for here in chain:
        if here not in longest:
            kept[here] = -1


def _longest_rising(values: Sequence[int]) -> Sequence[int]:
    """Return the indexes of a longest rising subsequence (patience sorting)."""
    if all(low < high for low, high in itertools.pairwise(values)):
        return range(len(values))
    ends: list[int] = []  # the smallest last value of a subsequence of each length
    at: list[int] = []
    previous: list[int] = []
    for index, value in enumerate(values):
        length = bisect_left(ends, value)
        previous.append(at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(value)
            at.append(index)
        else:
            ends[length] = value
            at[length] = index
    found = []
    index = at[-1]
    while index >= 0:
        found.append(index)
        index = previous[index]
    return found[::-1]


def changes(page: PageWords, answer: PageWords, places: Sequence[int], matches: Sequence[int]) -> Iterator[Difference]:
    """Yield the changes that an answer makes. ``places`` are the ``matches`` that are in order."""
    where = {place: here for here, place in enumerate(places) if place >= 0}
    end = len(page.tokens)
    own = [place if place in where else -1 for place in range(end)]
    missing = list(_runs(own, page.optional, end))
    added = list(_runs(places, answer.optional, end))
    starts = {run.before: run for run in missing}
    ends = {run.after: run for run in missing}
    paired: dict[int, Run] = {}
    for run in added:
        other = starts.pop(run.before, None) or ends.pop(run.after, None)
        if other is not None and other.first not in paired:
            paired[other.first] = run
            starts.pop(other.before, None)
            ends.pop(other.after, None)
    used = {run.first for run in paired.values()}
    alone = [run for run in added if run.first not in used]
    unpaired = [run for run in missing if run.first not in paired]
    # Whole lines that occur several times may have been matched with each other.
    unmatched = [run for run in alone if max(matches[run.first : run.last + 1]) < 0]
    whole = [run for run in unpaired if page.starts_unit(run.first) and page.ends_unit(run.last)]
    for run in whole if unmatched else ():
        words = page.tokens[run.first : run.last + 1]
        twin = next((other for other in unmatched if answer.tokens[other.first : other.last + 1] == words), None)
        if twin is not None:
            unpaired.remove(run)
            alone.remove(twin)
            unmatched.remove(twin)
    yield from filter(
        None, (_change(page, answer, run, paired[run.first], where) for run in missing if run.first in paired)
    )
    yield from filter(None, (_change(page, answer, run, None, where) for run in unpaired))
    yield from filter(None, (_change(page, answer, None, run, where) for run in alone))


def _runs(counterparts: Sequence[int], optional: Sequence[bool], end: int) -> Iterator[Run]:
    """Yield the runs of words without a counterpart (-1), without the optional ones at their ends.

    ``end``: the place after the last word of the page, for a run that nothing follows.
    """
    run: Run | None = None
    before = -1
    for here, place in enumerate(counterparts):
        if place >= 0:
            if run is not None:
                run.after = place
                yield run
                run = None
            before = place
        elif not optional[here]:
            if run is None:
                run = Run(here, here, before, end)
            run.last = here
    if run is not None:
        yield run


def _change(
    page: PageWords, answer: PageWords, missing: Run | None, added: Run | None, where: dict[int, int]
) -> Difference | None:
    """Return the change that two runs at one place make, or None if they only differ in their spelling."""
    old = page.tokens[missing.first : missing.last + 1] if missing else []
    new = answer.tokens[added.first : added.last + 1] if added else []
    if missing:
        first, last = missing.first, missing.last
    else:
        assert added is not None
        first, last = added.before + 1, added.before
    if added:
        start, end = added.first, added.last
    else:
        start = where.get(first - 1, -2) + 1
        start, end = (start, start - 1) if start >= 0 else (0, -1)
    lost, gained = Counter(old) - Counter(new), Counter(new) - Counter(old)
    if not lost and not gained and len(old) <= 1:
        return None
    if [word for word in old if is_number(word)] == [word for word in new if is_number(word)]:
        if "".join(old) == "".join(new):
            return None
        there, here = _raw(page, first, last), _raw(answer, start, end)
        if all(any(sign in here for sign in _ALIKE.get(word, word)) for word in lost if is_sign(word)) and all(
            word == _DOLLAR or any(sign in there for sign in _ALIKE.get(word, word)) for word in gained if is_sign(word)
        ):
            if lost + gained and all(map(is_sign, (*lost, *gained))):
                return None
            if (old and new and _letters(there) == _letters(here)) or _LIGATURE.sub("", "".join(new)) == "".join(old):
                return None
    unit = answer.units[added.first] if added else -1
    if not lost and not gained and _FORMULA.search(answer.all_units[unit].text):
        return None  # the parts of a formula have no one order
    is_spelling = len(old) == len(new) and all(map(_is_respelled, old, new)) and not _has_capital(page, first, last)
    is_line_to_write_on = not old and _BLANK.search(_raw(page, first, last)) is not None
    is_whole = _is_whole(page, missing) or _is_whole(answer, added) or is_line_to_write_on
    is_inside = not new and _is_inside(page, answer, first, last, where)
    return Difference(tuple(old), tuple(new), first, unit, is_spelling, is_whole, is_inside)


def _is_inside(page: PageWords, answer: PageWords, first: int, last: int, where: dict[int, int]) -> bool:
    """Return whether an answer leaves out words of a paragraph or a cell, and has those beside them next to each other.

    A word that is printed twice may be left out once.
    """
    before, after = where.get(first - 1, -2), where.get(last + 1, -2)
    if before < 0 or after != before + 1 or answer.units[before] != answer.units[after]:
        return False
    one, other = page.units[first - 1], page.units[last + 1]
    is_one_text = one == other or (not page.is_cell[one] and page.all_units[one].block == page.all_units[other].block)
    is_doubled = page.tokens[first : last + 1] in (
        page.tokens[2 * first - last - 1 : first],
        page.tokens[last + 1 : 2 * last + 2 - first],
    )
    return is_one_text and not is_doubled


def _is_whole(words: PageWords, run: Run | None) -> bool:
    """Return whether a run contains all words of a cell or a title, but for its marker."""
    if run is None:
        return False
    for unit in range(words.units[run.first], words.units[run.last] + 1):
        if words.sizes[unit] and (words.is_cell[unit] or words.is_title[unit]):
            first = bisect_left(words.units, unit)
            outside = (*range(first, run.first), *range(run.last + 1, first + words.sizes[unit]))
            if all(words.optional[place] for place in outside):
                return True
    return False


def _has_capital(page: PageWords, first: int, last: int) -> bool:
    """Return whether one of the words is printed with a capital, as a name is."""
    for place in range(first, last + 1):
        text = page.all_units[page.units[place]].text
        start, end = page.spans[place]
        if len(text) != page.lengths[page.units[place]]:
            text, start, end = with_usual_letters(text), start, end + MAX_SHIFT_LETTERS
            start = max(0, start - MAX_SHIFT_LETTERS)
        if any(letter.isupper() for letter in text[start:end]):
            return True
    return False


def _raw(words: PageWords, first: int, last: int) -> str:
    """Return the text between the word before ``first`` and the word after ``last``."""
    before, after = max(first - 1, 0), min(last + 1, len(words.tokens) - 1)
    if not words.tokens or after - before > 200:
        return ""
    parts = []
    for unit in range(words.units[before], words.units[after] + 1):
        text = words.texts[unit]
        end = words.spans[after][0] if unit == words.units[after] and after > last else len(text)
        start = words.spans[before][1] if unit == words.units[before] and before < first else 0
        parts.append(text[start:end])
    return " ".join(parts)


def _letters(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if sign.isalnum())


def _is_respelled(old: str, new: str) -> bool:
    """Return whether a word became a similar one: the same first letter, and one letter changed, lost or added."""
    if old[0] != new[0] or min(len(old), len(new)) < 5 or abs(len(old) - len(new)) > 1 or not old.isalpha():
        return False
    start = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    if len(old) == len(new):
        swapped = old[start + 1 : start + 2] + old[start : start + 1] + old[start + 2 :] == new[start:]
        return swapped or old[start + 1 :] == new[start + 1 :]
    longer, shorter = (old, new) if len(old) > len(new) else (new, old)
    return longer[start + 1 :] == shorter[start:]
