"""OCR as the third witness: where model and text layer disagree, it reads the same place, and two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from apps.pages.model.blocks import Page, Source
from apps.pages.model.geometry import union
from apps.parsing.answers.critical_words import is_critical
from apps.parsing.answers.differences import Difference
from apps.parsing.answers.normalized_words import PageWords

# OCR has read the words of one side if it has at least this share of them; all, where one is critical.
MIN_READ_SHARE = 0.75
# It has not read those of the other side if it has at most this share of them.
MAX_OTHER_SHARE = 0.34
# Where a word is missing, this many words on each side are looked at.
MIN_BESIDE = 4
# OCR puts a line this much higher or lower.
MAX_SHIFT_HEIGHTS = 0.8


def is_recognized(page: Page, words: PageWords, change: Difference) -> bool:
    """Return whether the words of the page that a change concerns were themselves read by OCR."""
    if not change.page:
        return False
    return page.blocks[words.all_units[words.units[change.place]].block].source is Source.OCR


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
