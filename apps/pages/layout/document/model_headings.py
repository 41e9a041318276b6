"""Levels of the headings that models found, consistent over all pages of a document.

A model sees one page, so it gives the same kind of heading different levels on different pages. Which text is a heading
is up to the model. Its level follows the outline of the document; then the headings of pages read without a model; and
where levels contradict each other, size, weight and numbering.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

from apps.pages.layout.document.headings import MAX_LEVEL, HeadingSurvey, depth_of
from apps.pages.model.blocks import Block, BlockType, Page, Source

# The size in half points and the weight of a heading, the largest first; (0, False) if unknown.
_Look = tuple[float, bool]
_UNKNOWN: _Look = (0.0, False)


def is_model_heading(block: Block) -> bool:
    return block.type is BlockType.HEADING and block.source is Source.MODEL


class ModelHeadings:
    """First ``add`` every page, then ``finish``, then ask ``level_of``."""

    def __init__(self, survey: HeadingSurvey) -> None:
        self._survey = survey
        self._levels: dict[tuple[_Look, int], set[int]] = defaultdict(set)  # by look and depth of the number
        self._together: set[tuple[_Look, _Look]] = set()  # looks on one page: the model saw how they compare
        self._ranks: dict[tuple[_Look, int], int] = {}
        self._read: dict[_Look, int] = {}  # levels of the headings of pages read without a model
        self._is_mixed = False

    def add(self, page: Page) -> None:
        looks = set()
        for block in filter(is_model_heading, page.blocks):
            self._levels[_look_of(block), depth_of(block)].add(block.level)
            looks.add(_look_of(block))
        self._together.update(itertools.permutations(looks, 2))
        self._is_mixed |= any(block.lines and block.source is not Source.MODEL for block in page.blocks) and not any(
            block.source is Source.MODEL for block in page.blocks
        )

    def finish(self) -> None:
        """Find the levels; the survey of the headings is finished."""
        if self._is_mixed:
            for size, bold, level in self._survey.looks():
                self._read.setdefault((size, bold), level)
        if not self._contradicts():
            return
        level = min(min(levels) for levels in self._levels.values()) - 1
        for look in sorted({look for look, _ in self._levels}, reverse=True):
            # Headings without a number are on the level of the highest number.
            depths = sorted({max(depth, 1) for other, depth in self._levels if other == look})
            if look == _UNKNOWN:
                level = 0 if not self._ranks else min(self._ranks.values()) - 1
            for depth in depths:
                level = min(MAX_LEVEL, level + 1)
                self._ranks[look, depth] = level

    def _contradicts(self) -> bool:
        """Return whether alike headings have several levels, or smaller ones elsewhere are not below larger ones."""
        if any(len(levels) > 1 for (look, depth), levels in self._levels.items() if look != _UNKNOWN or depth):
            return True
        by_look: dict[_Look, set[int]] = defaultdict(set)
        for (look, _), levels in self._levels.items():
            by_look[look] |= levels
        by_look.pop(_UNKNOWN, None)
        return any(
            large[0] > small[0] and min(by_look[small]) <= max(by_look[large]) and (large, small) not in self._together
            for large, small in itertools.permutations(by_look, 2)
        )

    def level_of(self, block: Block) -> int:
        """Return the level of a heading that a model found."""
        look, depth = _look_of(block), depth_of(block)
        outline = self._survey.level_in_outline(block)
        if outline:
            return outline
        if look == _UNKNOWN and not depth:
            return block.level
        return self._read.get(look) or self._ranks.get((look, max(depth, 1))) or block.level


def _look_of(block: Block) -> _Look:
    """Return how a heading looks. Sizes of lines that OCR read are too rough."""
    if not block.lines or any(line.confidence is not None for line in block.lines):
        return _UNKNOWN
    return round(block.lines[0].size * 2) / 2, all(line.bold for line in block.lines)
