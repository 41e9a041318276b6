"""Find the parts of an answer that fail the check, so that the next request asks only for them.

A part is one or more blocks of the page with the blocks of the answer that have their words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import Box, union
from apps.parsing.answer_check import PageToParse, findings, source_of
from apps.parsing.answers import fidelity
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.fidelity import TEXT_LAYER, Fidelity
from apps.parsing.answers.matching import match_words
from apps.parsing.answers.normalized_words import PageWords, answer_words, is_running_line, page_words

# If more of the page's words are in failing parts, or if there are more parts, the whole page is asked for.
MAX_FAILING_SHARE = 0.5
MAX_PARTS = 3
# A block of the answer says a block of the page if it has this share of the words of the smaller one.
MIN_COMMON_SHARE = 0.5
CROP_MARGIN_POINTS = 8.0


class FailingPart(msgspec.Struct, frozen=True):
    """A part that fails. ``first`` to ``last`` (excluded): its blocks of the answer; ``wrong``: how they differ."""

    blocks: tuple[Block, ...]
    first: int
    last: int
    box: Box
    wrong: str


def failing_parts(to_parse: PageToParse, drafts: Sequence[Draft], *, sees_picture: bool) -> list[FailingPart]:
    """Return the parts of an answer that fail, in its order; none if the answer fails as a whole."""
    page, words = to_parse.page, to_parse.words
    parts = []
    failing_words = 0
    for blocks, places in _groups(to_parse, drafts):
        own = tuple(page.blocks[block] for block in blocks)
        found = part_fidelity(to_parse, own, [drafts[place] for place in places], sees_picture=sees_picture)
        if not found.words or not fails(found, source_of(page)):
            continue
        if not places and all(is_running_line(page, block) for block in own):
            continue  # an answer may leave them out
        if len(places) > 1 and places[-1] - places[0] >= len(places):
            return []
        if places:
            first, last = places[0], places[-1] + 1
        else:  # the text is missing before this block of the answer
            above = [place for other, place in _links(words, answer_words(drafts)) if other < blocks[0]]
            first = last = max(above, default=-1) + 1
        around = union(block.box for block in own)
        box = Box(
            max(0.0, around.x0 - CROP_MARGIN_POINTS),
            max(0.0, around.top - CROP_MARGIN_POINTS),
            min(page.width, around.x1 + CROP_MARGIN_POINTS),
            min(page.height, around.bottom + CROP_MARGIN_POINTS),
        )
        parts.append(FailingPart(own, first, last, box, findings(found)))
        failing_words += found.words
    if len(parts) > MAX_PARTS or failing_words > MAX_FAILING_SHARE * max(len(words.tokens), 1):
        return []
    return sorted(parts, key=lambda part: part.first)


def part_fidelity(
    to_parse: PageToParse, blocks: Sequence[Block], drafts: Sequence[Draft], *, sees_picture: bool
) -> Fidelity:
    """Return how blocks of an answer compare with blocks of the page, as if these were all of the page."""
    page = to_parse.page
    witness = to_parse.recognized if sees_picture and source_of(page) == TEXT_LAYER else None
    pictures = [block for block in page.blocks if block.type is BlockType.PICTURE]
    only = msgspec.structs.replace(page, blocks=(*blocks, *pictures))
    return fidelity.compare(only, drafts, image=sees_picture, witness=page_words(witness) if witness else None)


def fails(found: Fidelity, source: str) -> bool:
    """Return whether a part fails the check; a part has few words, so it is stricter than that of a page."""
    is_wrong = source == TEXT_LAYER and bool(found.altered or found.numbers_missing or found.misplaced)
    return is_wrong or bool(fidelity.verdict(found, source=source))


def _groups(to_parse: PageToParse, drafts: Sequence[Draft]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield blocks of the page with the blocks of the answer that have their words, both ascending."""
    words = to_parse.words
    answer = answer_words(drafts)
    links = _links(words, answer)
    leaders = list(range(len(to_parse.page.blocks)))

    def leader(block: int) -> int:
        while leaders[block] != block:
            block = leaders[block]
        return block

    by_draft: dict[int, int] = {}
    for block, place in sorted(links):
        if place in by_draft:
            leaders[leader(block)] = leader(by_draft[place])
        by_draft.setdefault(place, block)
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for block in range(len(to_parse.page.blocks)):
        groups.setdefault(leader(block), ([], []))[0].append(block)
    for place, block in sorted(by_draft.items()):
        groups[leader(block)][1].append(place)
    yield from groups.values()


def _links(words: PageWords, answer: PageWords) -> list[tuple[int, int]]:
    """Return the pairs of a block of the page and a block of the answer with the same text."""
    common: Counter[tuple[int, int]] = Counter()
    for here, place in enumerate(match_words(answer.tokens, words.tokens)):
        if place >= 0:
            common[words.all_units[words.units[place]].block, answer.all_units[answer.units[here]].block] += 1
    sizes = Counter(words.all_units[unit].block for unit in words.units)
    said = Counter(answer.all_units[unit].block for unit in answer.units)
    return [pair for pair, count in common.items() if count >= MIN_COMMON_SHARE * min(sizes[pair[0]], said[pair[1]])]
