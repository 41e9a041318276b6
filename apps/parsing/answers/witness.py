"""OCR as the third witness: where model and text layer disagree, it reads the same place, and two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher

import msgspec

from apps.pages.model.blocks import Page, Source
from apps.pages.model.geometry import union
from apps.parsing.answers.critical_words import is_critical
from apps.parsing.answers.differences import Difference
from apps.parsing.answers.normalized_words import PageWords, is_number

# OCR has read the words of one side if it has at least this share of them; all, where one is critical.
MIN_READ_SHARE = 0.75
# It has not read those of the other side if it has at most this share of them.
MAX_OTHER_SHARE = 0.34
# Where a word is missing, this many words on each side are looked at.
MIN_BESIDE = 4
# OCR is sure of a line with this confidence: .99 of 1,647 words on such lines of scans were right.
MIN_SURE = 0.98
# More words on such a line are not left out.
MAX_LOST_WORDS = 2
# A misread word on such a line, if it has at least this many letters, is at least as much like the printed one, ...
MIN_WORD_LETTERS = 3
MIN_LIKENESS = 0.5
# ... and has at most this many letters more or less.
MAX_MORE_LETTERS = 2
# Of a longer change the limits of the whole page decide.
MAX_JUDGED_WORDS = 20
# OCR puts a line this much higher or lower.
MAX_SHIFT_HEIGHTS = 0.8


def judged_words(page: Page, words: PageWords, change: Difference, *, image: bool) -> Difference | None:
    """Return the part of a change that counts where the page was read by OCR; the whole change where it was not.

    A model corrects words that OCR misread. Where OCR is sure, it may not lose numbers and negations. One that does not
    see the page may not read other numbers either, leave out words or write others that are not like them; of one that
    does, numbers are disputed (``second_look``).
    """
    if not words.units:
        return change
    place = min(change.place, len(words.units) - 1)
    unit = words.all_units[words.units[place]]
    block = page.blocks[unit.block]
    if block.source is not Source.OCR:
        return change
    confidence = unit.line.confidence if unit.line is not None else block.confidence
    if (confidence or 0.0) < MIN_SURE:
        return None
    if change.page and change.answer:
        return None if image else _judged_exchange(words, change)
    if not image and (change.is_inside or change.is_whole or len(change.page) > MAX_LOST_WORDS):
        return msgspec.structs.replace(change, is_whole=True)
    sure = _legible_words(words, change)
    if not words.is_cell[words.units[place]]:  # a spot beside text is often read as a letter or a digit
        sure = [word for word in sure if len(word) > 1 or word == "%"]
    return msgspec.structs.replace(change, page=tuple(sure), is_whole=False, is_inside=False) if sure else None


def _judged_exchange(words: PageWords, change: Difference) -> Difference | None:
    """Return the numbers that became others, or the change if it has words that are not like those that OCR read."""
    lost, gained = Counter(change.page) - Counter(change.answer), Counter(change.answer) - Counter(change.page)
    new = tuple(filter(is_number, gained))
    numbers = [word for word in change.page if word in lost and is_number(word)]
    if list(map(len, numbers)) != list(map(len, new)):  # OCR may have read a letter for a digit
        numbers = [word for word in _legible_words(words, change) if is_number(word)]
    if new and numbers:
        return msgspec.structs.replace(change, page=tuple(numbers), answer=new)
    pairs = [("".join(change.page), "".join(change.answer))]
    if len(change.page) == len(change.answer):
        pairs = list(zip(change.page, change.answer, strict=True))
    is_short = len(change.page) <= MAX_JUDGED_WORDS
    return change if is_short and any(_is_another_word(*pair) for pair in pairs) else None


def _legible_words(words: PageWords, change: Difference) -> list[str]:
    """Return the numbers and critical words that only the page has, without those that OCR makes out of a spot."""
    lost = Counter(change.page) - Counter(change.answer)
    places = range(change.place, change.place + len(change.page))
    return [words.tokens[here] for here in places if words.tokens[here] in lost and _is_legible(words, here)]


def _is_another_word(read: str, answered: str) -> bool:
    """Return whether a word is no correction of a misread one."""
    if min(len(read), len(answered)) < MIN_WORD_LETTERS or not (read.isalpha() and answered.isalpha()):
        return False
    is_alike = SequenceMatcher(None, read, answered, autojunk=False).ratio() >= MIN_LIKENESS
    return not is_alike or abs(len(read) - len(answered)) > MAX_MORE_LETTERS


def _is_legible(words: PageWords, place: int) -> bool:
    """Return whether OCR does not make a word out of a spot, a bullet or a part of another word."""
    word, text = words.tokens[place], words.texts[words.units[place]]
    start, end = words.spans[place]
    if is_number(word):
        return not (text[max(start - 1, 0) : start] + text[end : end + 1]).strip(" .,:;()[]%-/$\u20ac\u00a3")
    return word == "%" or (len(word) > 1 and is_critical(word))


def is_confirmed(change: Difference, words: PageWords, witness: PageWords) -> bool:
    """Return whether OCR reads what the answer has, and not what the text layer has."""
    read = Counter(_words_near(change, words, witness))
    gained, lost = Counter(change.answer) - Counter(change.page), Counter(change.page) - Counter(change.answer)
    if not gained:
        # OCR reads the words beside the missing ones, so it would have read these.
        start, end = max(change.place - MIN_BESIDE, 0), change.place + len(change.page)
        beside = Counter(words.tokens[start : change.place] + words.tokens[end : end + MIN_BESIDE])
        is_legible = bool(beside) and (beside & read).total() >= MIN_READ_SHARE * beside.total()
        return is_legible and bool(lost) and not lost & read
    has_answer = (gained & read).total() >= MIN_READ_SHARE * gained.total()
    if any(map(is_critical, gained)):
        has_answer = gained <= read
    return has_answer and (lost & read).total() <= MAX_OTHER_SHARE * lost.total()


def _words_near(change: Difference, words: PageWords, witness: PageWords) -> Iterator[str]:
    """Yield the words that OCR reads on the lines of a change and of the words beside it."""
    first = max(change.place - MIN_BESIDE, 0)
    last = min(change.place + len(change.page) + MIN_BESIDE, len(words.tokens)) - 1
    units = {words.units[place] for place in range(first, last + 1)}
    if not units:
        return
    area = union(words.all_units[unit].box for unit in units)
    for token, unit in zip(witness.tokens, witness.units, strict=True):
        box = witness.all_units[unit].box
        slack = MAX_SHIFT_HEIGHTS * box.height
        if (
            area.top - slack < box.middle < area.bottom + slack
            and area.x0 < box.x1 + slack
            and box.x0 - slack < area.x1
        ):
            yield token
