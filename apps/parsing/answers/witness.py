"""OCR as the third witness: where model and text layer disagree, it reads the same place, and two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

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
# OCR puts a line this much higher or lower.
MAX_SHIFT_HEIGHTS = 0.8


def judged_words(page: Page, words: PageWords, change: Difference, *, image: bool) -> Difference | None:
    """Return the part of a change that counts where the page was read by OCR; the whole change where it was not.

    A model corrects words that OCR misread. Where OCR is sure, it may not lose numbers and negations. One that does not
    see the page may not read other numbers either; of one that does, they are disputed (``second_look``).
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
    lost, gained = Counter(change.page) - Counter(change.answer), Counter(change.answer) - Counter(change.page)
    places = range(change.place, change.place + len(change.page))
    sure = [words.tokens[here] for here in places if words.tokens[here] in lost and _is_legible(words, here)]
    new = tuple(filter(is_number, gained))
    if change.answer:
        sure = [word for word in sure if is_number(word)] if new and not image else []
    else:
        sure = [word for word in sure if len(word) > 1 or word == "%"]
    return (
        msgspec.structs.replace(change, page=tuple(sure), answer=new, is_whole=False, is_inside=False) if sure else None
    )


def _is_legible(words: PageWords, place: int) -> bool:
    """Return whether OCR does not make a word out of a spot, a bullet or a part of another word."""
    word, text = words.tokens[place], words.texts[words.units[place]]
    start, end = words.spans[place]
    if is_number(word):
        return not (text[max(start - 1, 0) : start] + text[end : end + 1]).strip(" .,:;()[]%-/")
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
