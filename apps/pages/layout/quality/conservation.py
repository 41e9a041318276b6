"""Check that a page's blocks have every visible character of the page, by counting each kind of character.

Blanks, hyphens (the layout joins words hyphenated at line ends) and codes without a shape are not counted.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.pages.layout.lists import contents_lists
from apps.pages.layout.lists.list_items import BULLET, is_symbol_font
from apps.pages.layout.regions import whitespace
from apps.pages.layout.rotated_pages import is_upright
from apps.pages.layout.text.lines import rows_of, segment_of, segments_of
from apps.pages.model.blocks import Block, BlockType, Line
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.text import scripts

# Counts are kept for 16 bits; the few characters beyond U+FFFF share the place of others.
_PLACES = 1 << 16
_UNCOUNTED = np.array(
    [
        *range(0x21), 0x2D, *range(0x7F, 0xA1), 0xAD, 0x1680, *range(0x2000, 0x2013), *range(0x2028, 0x2030),
        *range(0x205F, 0x2070), 0x3000, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF,
    ]
)  # fmt: skip
_UNCOUNTED_CODES = frozenset(_UNCOUNTED.tolist())


def lost_characters(visible: str, blocks: Sequence[Block], removed: str = "", runs: Sequence[TextRun] = ()) -> int:
    """Return how many of the ``visible`` characters, less those ``removed``, the blocks lack.

    ``runs``: of the page; a layout may write their signs of a symbol font as bullets.
    """
    texts: list[str] = [removed]
    for block in blocks:
        texts.append(block.marker)
        texts.append(block.text)
        texts += [cell.text for cell in block.cells]
    lost, more = _differences(visible, found := "".join(texts))
    if lost:
        found += "".join([contents_lists.leaders_of(block) for block in blocks])
        lost, more = _differences(visible, found)
    if not lost:
        return 0
    if max(visible) > "\uffff":
        lost, more = Counter(visible), Counter(found)
    signs = Counter(run.text[0] for run in runs if len(run.text.strip()) == 1 and is_symbol_font(run.style.font))
    bullets = max(0, more[BULLET] - lost[BULLET])
    # A layout may write a ligature or a presentation form with plain letters.
    lost = _normalized(lost) - _normalized(more)
    return lost.total() - min(bullets, (lost & _normalized(signs)).total())


def _differences(visible: str, found: str) -> tuple[Counter[str], Counter[str]]:
    """Return which characters ``found`` has less often, and which more often. See ``_PLACES``."""
    difference, counted = _counts(visible), _counts(found)
    if len(difference) < len(counted):
        difference = np.pad(difference, (0, len(counted) - len(difference)))
    difference[: len(counted)] -= counted
    if not difference.any():
        return Counter(), Counter()
    lacking, exceeding = np.flatnonzero(difference > 0).tolist(), np.flatnonzero(difference < 0).tolist()
    return (
        Counter({chr(code): int(difference[code]) for code in lacking}),
        Counter({chr(code): -int(difference[code]) for code in exceeding}),
    )


def _normalized(counts: Counter[str]) -> Counter[str]:
    """Return the counts of the characters in compatibility form (UAX 15), without those that are not counted."""
    normalized: Counter[str] = Counter()
    for character, count in counts.items():
        for part in unicodedata.normalize("NFKC", character):
            if not part.isspace() and ord(part) not in _UNCOUNTED_CODES:
                normalized[part] += count
    return normalized


def _counts(text: str) -> Any:
    """Return how often each code point occurs, by its last 16 bits; 0 for those that are not counted."""
    if text.isascii():
        codes: Any = np.frombuffer(text.encode("ascii"), "u1")
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4") & (_PLACES - 1)
    counts = np.bincount(codes, minlength=0x100)
    counts[_UNCOUNTED[len(counts) > _UNCOUNTED]] = 0
    return counts


def lines_in_order(raw: RawPage) -> list[Block]:
    """Return each line of the page as a paragraph, column after column, without tables. Rotated text comes last."""
    upright = [run for run in raw.runs if is_upright(run)]
    rtl = scripts.is_rtl("".join([run.text for run in upright]))
    found = whitespace.regions_of(segments_of(upright), rtl=rtl)
    rows = [row[::-1] if rtl else row for region in found for row in rows_of(region)]
    lines = [segment for row in rows for segment in row]
    turned = [segment_of(run) for run in raw.runs if not is_upright(run)]
    pictures = [Block(type=BlockType.PICTURE, box=box) for box in raw.pictures]
    paragraphs = []
    for segment in (*lines, *turned):
        if segment.text:
            box = Box(round(segment.x0, 2), round(segment.top, 2), round(segment.x1, 2), round(segment.bottom, 2))
            line = Line(segment.text, box, round(segment.size, 2), segment.bold, segment.italic)
            paragraphs.append(Block(BlockType.PARAGRAPH, box, segment.text, (line,)))
    return paragraphs + pictures


def text_removed(before: Sequence[TextRun], after: Sequence[TextRun]) -> str:
    """Return the characters that the runs ``before`` have more often than those ``after``."""
    counts: dict[str, int] = {}
    for run in before:
        for character in run.text:
            counts[character] = counts.get(character, 0) + 1
    for run in after:
        for character in run.text:
            counts[character] = counts.get(character, 0) - 1
    return "".join(character * count for character, count in counts.items() if count > 0)
