"""Match each word of an answer with a word of the page, in any order, in time that is about linear in the words.

Sequences of words that occur once on both sides are anchors. A match grows from its anchor in both directions while
the words agree, skipping a few that do not. Remaining words are matched where they occur once, then near their
neighbours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

ANCHOR_LENGTHS = (4, 2, 1)  # in words; long anchors first, since they do not match by chance
# Words that may differ between two words that agree.
MAX_SKIPPED_WORDS = 3
_SKIPS = tuple((more, less) for more in range(1, MAX_SKIPPED_WORDS + 1) for less in range(more + 1))
# A remaining word is searched within this many words of its neighbour's match.
MAX_NEIGHBOUR_WORDS = 40


def match_words(answer: Sequence[str], page: Sequence[str]) -> list[int]:
    """Return for each word of the answer its index on the page, or -1; no index occurs twice."""
    matching = _Matching(answer, page)
    matching.match_ends()
    for length in ANCHOR_LENGTHS[:-1]:
        if min(matching.places, default=0) >= 0:
            return matching.places
        matching.grow_from_runs(length)
    if min(matching.places) >= 0:
        return matching.places
    matching.grow_over_differences()
    matching.grow_from_runs(ANCHOR_LENGTHS[-1])
    matching.grow_over_differences()
    matching.fill()
    return matching.places


def _once(words: Sequence[str], length: int, free: Sequence[bool]) -> dict[tuple[str, ...], int]:
    """Return the start of each sequence of ``length`` words that occurs once among those whose first word is free."""
    runs = zip(*(words[shift:] for shift in range(length)), strict=False)
    found = [(run, place) for place, run in enumerate(runs) if free[place]]
    places = dict(found)
    if len(places) < len(found):
        times = Counter(run for run, _ in found)
        places = {run: place for run, place in places.items() if times[run] == 1}
    return places


def _common(pairs: Iterable[tuple[str, str]], shorter: int) -> int:
    """Return how many words are the same; with a difference, without as many before it as may match by chance."""
    for number, (one, other) in enumerate(pairs):
        if one != other:
            return max(0, number - ANCHOR_LENGTHS[0] + 1)
    return shorter


class _Matching:
    def __init__(self, answer: Sequence[str], page: Sequence[str]) -> None:
        self._answer = answer
        self._page = page
        self.places = [-1] * len(answer)
        self._matched = [False] * len(page)

    def match_ends(self) -> None:
        """Match the words at the beginning and at the end that both have; those beside a difference may be chance."""
        answer, page = self._answer, self._page
        shorter = min(len(answer), len(page))
        first = _common(zip(answer, page, strict=False), shorter)
        self.places[:first] = range(first)
        self._matched[:first] = [True] * first
        last = min(_common(zip(reversed(answer), reversed(page), strict=False), shorter), shorter - first)
        self.places[len(answer) - last :] = range(len(page) - last, len(page))
        self._matched[len(page) - last :] = [True] * last

    def grow_from_runs(self, length: int) -> None:
        """Match around sequences of this length that occur once on both sides."""
        there_once = _once(self._page, length, [not matched for matched in self._matched])
        for run, here in _once(self._answer, length, [place < 0 for place in self.places]).items():
            there = there_once.get(run, -1)
            if there >= 0 and self.places[here] < 0 and not self._matched[there]:
                self._match(here, there)
                self._grow(here, there, 1, skips=False)
                self._grow(here, there, -1, skips=False)

    def grow_over_differences(self) -> None:
        """Extend all matches past a few words that differ."""
        for step in (1, -1):
            ends = [here for here, there in enumerate(self.places) if there >= 0]
            for here in ends if step > 0 else reversed(ends):
                beside = here + step
                if 0 <= beside < len(self.places) and self.places[beside] < 0:
                    self._grow(here, self.places[here], step, skips=True)

    def _match(self, here: int, there: int) -> None:
        self.places[here] = there
        self._matched[there] = True

    def _grow(self, here: int, there: int, step: int, *, skips: bool) -> None:
        """Extend the match from a matched pair while the words agree."""
        answer, page, places, matched = self._answer, self._page, self.places, self._matched
        last_here, last_there = (len(answer) - 1, len(page) - 1) if step > 0 else (0, 0)
        while here != last_here and there != last_there:
            here, there = here + step, there + step
            if places[here] >= 0 or matched[there]:
                return
            if answer[here] != page[there]:
                found = self._skipped(here, there, step) if skips else None
                if found is None:
                    return
                here, there = found
            places[here] = there
            matched[there] = True

    def _skipped(self, here: int, there: int, step: int) -> tuple[int, int] | None:
        """Return the nearest later pair that agrees and whose next words agree too."""
        for more, less in _SKIPS:
            for i, j in ((here + less * step, there + more * step), (here + more * step, there + less * step)):
                if self._agree(i, j) and self._agree(i + step, j + step):
                    return i, j
        return None

    def _agree(self, here: int, there: int) -> bool:
        return (
            0 <= here < len(self._answer)
            and 0 <= there < len(self._page)
            and self._answer[here] == self._page[there]
            and self.places[here] < 0
            and not self._matched[there]
        )

    def fill(self) -> None:
        """Match words that occur several times with the occurrence nearest to their neighbour's match."""
        free: dict[str, list[int]] = defaultdict(list)
        for there, word in enumerate(self._page):
            if not self._matched[there]:
                free[word].append(there)
        expected = max(0, next((there - here for here, there in enumerate(self.places) if there >= 0), 0))
        for here, there in enumerate(self.places):
            if there >= 0:
                expected = there + 1
                continue
            places = free.get(self._answer[here], ())
            start = bisect_left(places, expected - MAX_NEIGHBOUR_WORDS)
            near = [
                place
                for place in places[start : start + 2 * MAX_NEIGHBOUR_WORDS]
                if not self._matched[place] and place <= expected + MAX_NEIGHBOUR_WORDS
            ]
            if near:
                nearest = min(near, key=lambda place: abs(place - expected))
                self._match(here, nearest)
                expected = nearest + 1
