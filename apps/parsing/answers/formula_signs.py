"""Compare the signs between the words: the letters and signs of formulas, which are no words of their own.

Formulas have many spellings, so only an exchange counts: between the same two words the page has a sign that the answer
lacks, and the answer one of the same kind that the page lacks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from apps.parsing.answers.normalized_words import PageWords

# Formulas longer than this are not compared.
MAX_GAP_CHARACTERS = 600
_LETTER = re.compile(r"(?<![^\W\d_])[^\W\d_](?![^\W\d_])")
# A minus between two parts, not a bullet or a hyphen.
_SIGN = re.compile("[\u2190-\u21ff\u2200-\u22ff<>=+\u00ac\u00b1\u00d7\u00f7]|(?<= )-(?= )")
# Signs that people and fonts do not distinguish, and those with a stroke, which is often a letter of its own.
_SAME = {"\u2a7d": "\u2264", "\u2a7e": "\u2265", "\u2260": "=", "\u2209": "\u2208", "\u21d4": "\u21d0\u21d2"}
_SAME |= {
    "\u27fa": "\u21d0\u21d2",
    "\u27f9": "\u21d2",
    "\u2194": "\u2190\u2192",
    "\u21a6": "\u2192",
    "\u27f6": "\u2192",
}
_SAME |= dict.fromkeys("\u2212\u2013\u2010", "-")
_SAME |= dict.fromkeys("\u2215\u2216\u2217\u2218\u2219\u2223\u2225\u2236\u223c\u22c5\u22ee\u22ef", " ")
_FOLDED_SIGNS = str.maketrans(_SAME)


def exchanged_signs(page: PageWords, answer: PageWords, places: Sequence[int]) -> Iterator[str]:
    """Yield what an answer exchanged between two words that follow each other on the page and in the answer."""
    wide_on_page, wide_in_answer = _after_wide_gaps(page), _after_wide_gaps(answer)
    before = -1
    for here, place in enumerate(places):
        if (
            place > 0
            and place - 1 == before
            and (place in wide_on_page or here in wide_in_answer)
            and (printed := _gap(page, before)) != (answered := _gap(answer, here - 1))
            and printed.split() != answered.split()
        ):
            yield from _exchanged(printed, answered)
        before = place


def _after_wide_gaps(words: PageWords) -> set[int]:
    """Return the words that more than a blank and a point can be before."""
    units, spans = words.units, words.spans
    return {
        place
        for place in range(1, len(units))
        if units[place] != units[place - 1] or spans[place][0] - spans[place - 1][1] > 2
    }


def _gap(words: PageWords, first: int) -> str:
    """Return the text between a word and the next one, with a newline between units."""
    unit, following = words.units[first], words.units[first + 1]
    end, start = words.spans[first][1], words.spans[first + 1][0]
    if unit == following:
        return words.texts[unit][end:start]
    between = [words.texts[unit][end:], words.texts[following][:start]]
    between[1:1] = words.texts[unit + 1 : following]
    return "\n".join(between)


def _exchanged(printed: str, answered: str) -> Iterator[str]:
    if max(len(printed), len(answered)) > MAX_GAP_CHARACTERS:
        return
    printed, answered = (
        text.translate(_FOLDED_SIGNS).replace("<=", "\u2264").replace(">=", "\u2265") for text in (printed, answered)
    )
    for pattern in (_LETTER, _SIGN):
        old = Counter(pattern.findall(printed))
        new = Counter(pattern.findall(answered))
        lost, gained = sorted((old - new).elements()), sorted((new - old).elements())
        for one, other in zip(lost, gained, strict=False):
            if one.isascii() == other.isascii() or pattern is _SIGN:
                yield f"{one} -> {other}"
