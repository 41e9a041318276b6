"""Which word of an answer is which word of the page, whatever order either has them in. Time grows with the words.

Runs of words that stand once on both sides are anchors; from them the match goes on in both directions as long as the
words agree, stepping over a few that do not. What is left is matched where it stands once, then near its neighbours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

# The longest runs first: they cannot be chance.
ANCHOR_LENGTHS = (4, 2, 1)
# Words that may differ between two that agree.
MOST_SKIPPED = 3
_SKIPS = tuple((more, less) for more in range(1, MOST_SKIPPED + 1) for less in range(more + 1))
# A word that is left over is looked for so many words around the place where its neighbour was found.
NEIGHBOURHOOD = 40


def matched(answer: Sequence[str], page: Sequence[str]) -> list[int]:
    """For each word of the answer its place on the page, -1 for none; no place is given twice."""
    matching = _Matching(answer, page)
    for length in ANCHOR_LENGTHS:
        matching.grow_from_runs(length)
    matching.fill()
    return matching.places


def _once(words: Sequence[str], length: int, free: Sequence[bool]) -> dict[tuple[str, ...], int]:
    """Where the runs of words begin that stand once among those whose first word is free."""
    places: dict[tuple[str, ...], int] = {}
    repeated = set()
    for place, run in enumerate(zip(*(words[shift:] for shift in range(length)), strict=False)):
        if not free[place]:
            continue
        if run in places:
            repeated.add(run)
        places[run] = place
    for run in repeated:
        del places[run]
    return places


class _Matching:
    def __init__(self, answer: Sequence[str], page: Sequence[str]) -> None:
        self._answer = answer
        self._page = page
        self.places = [-1] * len(answer)
        self._taken = [False] * len(page)

    def grow_from_runs(self, length: int) -> None:
        """Match what stands around runs of this length that both sides have once."""
        there_once = _once(self._page, length, [not taken for taken in self._taken])
        for run, here in _once(self._answer, length, [place < 0 for place in self.places]).items():
            there = there_once.get(run, -1)
            if there >= 0 and self.places[here] < 0 and not self._taken[there]:
                self._take(here, there)
                self._grow(here, there, 1)
                self._grow(here, there, -1)

    def _take(self, here: int, there: int) -> None:
        self.places[here] = there
        self._taken[there] = True

    def _grow(self, here: int, there: int, step: int) -> None:
        """Go on from a matched pair while the words agree."""
        answer, page, places, taken = self._answer, self._page, self.places, self._taken
        last_here, last_there = (len(answer) - 1, len(page) - 1) if step > 0 else (0, 0)
        while here != last_here and there != last_there:
            here, there = here + step, there + step
            if places[here] >= 0 or taken[there]:
                return
            if answer[here] != page[there]:
                found = self._skipped(here, there, step)
                if found is None:
                    return
                here, there = found
            places[here] = there
            taken[there] = True

    def _skipped(self, here: int, there: int, step: int) -> tuple[int, int] | None:
        """The nearest pair further on that agrees, and whose next words agree too."""
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
            and not self._taken[there]
        )

    def fill(self) -> None:
        """Give words that stand several times the place nearest to where their neighbour was found."""
        free: dict[str, list[int]] = defaultdict(list)
        for there, word in enumerate(self._page):
            if not self._taken[there]:
                free[word].append(there)
        expected = max(0, next((there - here for here, there in enumerate(self.places) if there >= 0), 0))
        for here, there in enumerate(self.places):
            if there >= 0:
                expected = there + 1
            elif (nearest := self._nearest(free.get(self._answer[here], ()), expected)) >= 0:
                self._take(here, nearest)
                expected = nearest + 1

    def _nearest(self, places: Sequence[int], expected: int) -> int:
        start = bisect_left(places, expected - NEIGHBOURHOOD)
        near = [
            place
            for place in places[start : start + 2 * NEIGHBOURHOOD]
            if not self._taken[place] and place <= expected + NEIGHBOURHOOD
        ]
        return min(near, key=lambda place: abs(place - expected), default=-1)
