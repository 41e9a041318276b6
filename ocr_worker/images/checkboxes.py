"""Find the check boxes that are printed on a page, and whether they are checked.

A box is a square of four drawn sides that stands alone. Text engines read it as a letter such as O or D, or not at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.networks.ppocr import Gray, Quad, height_of

CHECKED, UNCHECKED = "☑", "☐"
# The side of a box, relative to the height of the lines of the page, and in pixels.
MIN_SIDE_HEIGHTS, MAX_SIDE_HEIGHTS, MIN_SIDE_PIXELS = 0.45, 1.7, 11
# Height over width.
MIN_SHAPE, MAX_SHAPE = 0.8, 1.25
# A side is at least this long, relative to the part of the page in which a check mark crosses the box.
MIN_LINE_SHARE = 0.7
# Of a side, this share is ink in this many rows of pixels.
MIN_SIDE_SHARE, STRAIGHT_ROWS = 0.95, 3
# Within this share of its side from each corner there is ink: letters such as O are round there.
CORNER_SHARE = 0.12
# Its sides are thin, relative to its side.
MAX_BORDER_SHARE = 0.15
# The share of the inside that is ink: below the first it is empty, from the second on a box is a filled square.
MIN_MARK_SHARE, MAX_MARK_SHARE = 0.03, 0.75
# Around a box there is this much paper, relative to its side.
MIN_GAP_SHARE = 0.3
# Of a row of this paper, this share may be ink, as of specks, and above the box as of a check mark.
MAX_INK_BESIDE, MAX_INK_ABOVE = 0.12, 0.35
# Boxes in a row at a distance below this, relative to their side, are for letters of one word each.
MAX_COMB_GAP_SHARE, MIN_COMB_BOXES = 0.6, 3
MAX_BOXES = 500
# What engines read in a checked box.
_MARKS = frozenset("xXvVyY✓✔✗✘×√/\\|+*.,'`-‐–—_:;~^<>«»¥κχΧ•●○·∙■▪")
# What they read for the end of a check mark that crosses its box.
_ENDS = frozenset("'‘’`´/\"^")
_OUTLINES = frozenset("□☐◻▢■▪☑☒oO0DQ口ロ[]()|lIi!")

Boxes = Sequence["CheckBox"]


class CheckBox(NamedTuple):
    """A box in pixels. ``border``: the width of its sides."""

    x0: int
    top: int
    x1: int
    bottom: int
    border: int
    is_checked: bool

    @property
    def side(self) -> float:
        return (self.x1 - self.x0 + self.bottom - self.top) / 2


def find_checkboxes(image: Gray, lines: Sequence[Quad]) -> list[CheckBox]:
    """Return the check boxes of a straightened page, from the top. ``lines``: those of its text."""
    if not lines:
        return []
    height = float(np.median([height_of(line) for line in lines]))
    shortest = max(MIN_SIDE_PIXELS, round(MIN_SIDE_HEIGHTS * height))
    longest = round(MAX_SIDE_HEIGHTS * height)
    found_ink = cv2.adaptiveThreshold(image, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    ink: Gray = np.asarray(found_ink, np.uint8)
    across, down = (_strokes(ink, size) for size in ((round(0.7 * shortest), 1), (1, round(0.7 * shortest))))
    strokes = np.maximum(across, down)
    joined = cv2.dilate(strokes, np.ones((2, 2), np.uint8))
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(joined)
    found = []
    for x, y, width, height_of_part, _area in stats[1:].tolist():
        if not all(shortest <= length <= 1.4 * longest for length in (width, height_of_part)):
            continue
        edges = _edges(across, down, (x, y, x + width, y + height_of_part))
        if edges is None:
            continue
        x0, top, x1, bottom = edges
        if not all(shortest <= length <= longest for length in (x1 - x0, bottom - top)):
            continue
        box = _measured(ink, strokes, edges) if MIN_SHAPE <= (bottom - top) / (x1 - x0) <= MAX_SHAPE else None
        if box is not None:
            found.append(box)
    return sorted(_without_combs(found), key=lambda box: (box.top, box.x0))[:MAX_BOXES]


def _strokes(ink: Gray, size: tuple[int, int]) -> Gray:
    """Return the straight lines of this length; letters and check marks have none."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, size)
    return np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, kernel), np.uint8)


def _edges(across: Gray, down: Gray, part: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """Return where the outermost long lines of a part of the page are, without a check mark that crosses them."""
    x0, top, x1, bottom = part
    columns = np.flatnonzero((down[top:bottom, x0:x1] > 0).sum(axis=0) >= MIN_LINE_SHARE * (bottom - top))
    rows = np.flatnonzero((across[top:bottom, x0:x1] > 0).sum(axis=1) >= MIN_LINE_SHARE * (x1 - x0))
    if not len(columns) or not len(rows):
        return None
    return x0 + int(columns[0]), top + int(rows[0]), x0 + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _measured(ink: Gray, strokes: Gray, edges: tuple[int, int, int, int]) -> CheckBox | None:
    """Return the box of four drawn sides with paper around them; None for anything else."""
    x0, top, x1, bottom = edges
    part = cv2.dilate(strokes[top:bottom, x0:x1], np.ones((2, 2), np.uint8)) > 0
    rim = max(2, round(0.2 * min(part.shape)))
    sides = (part[:rim], part[-rim:], part[:, :rim].T, part[:, -rim:].T)
    if min(map(_straightness, sides)) < MIN_SIDE_SHARE:
        return None
    corner = max(2, round(CORNER_SHARE * min(part.shape)))
    corners = (
        part[rows, columns]
        for rows in (slice(corner), slice(-corner, None))
        for columns in (slice(corner), slice(-corner, None))
    )
    if not all(bool(found.any()) for found in corners):
        return None
    border = max(1, round(float(np.median([side.sum(axis=0).mean() for side in sides]))) - 1)
    if border > max(2.0, MAX_BORDER_SHARE * min(part.shape)):
        return None
    if not _stands_alone(ink, edges):
        return None
    inset = border + max(1, round(0.08 * min(part.shape)))
    inside = ink[top + inset : bottom - inset, x0 + inset : x1 - inset] > 0
    share = float(inside.mean()) if inside.size else 1.0
    if share > MAX_MARK_SHARE:
        return None
    return CheckBox(x0, top, x1, bottom, border, share >= MIN_MARK_SHARE)


def _straightness(side: NDArray[np.bool_]) -> float:
    """Return the share of a side, 0.0-1.0, along which three neighbouring rows have ink: that of letters is bent."""
    rows = [side[start : start + STRAIGHT_ROWS] for start in range(max(1, len(side) - STRAIGHT_ROWS + 1))]
    return max(float(part.any(axis=0).mean()) for part in rows)


def _stands_alone(ink: Gray, edges: tuple[int, int, int, int]) -> bool:
    """Return whether there is paper around a box, except where a check mark may cross it: above, and to the right."""
    x0, top, x1, bottom = edges
    gap = max(2, round(MIN_GAP_SHARE * min(x1 - x0, bottom - top)))
    middle = (top + bottom) // 2
    left = ink[top:bottom, max(0, x0 - 1 - gap) : max(0, x0 - 1)]
    right = ink[middle:bottom, x1 + 1 : x1 + 1 + gap]
    below = ink[bottom + 1 : bottom + 1 + max(2, gap // 2), x0:x1]
    above = ink[max(0, top - 1 - gap) : max(0, top - 1), x0:x1]
    beside = max(map(_densest, (left.T, right.T, below)))
    return beside <= MAX_INK_BESIDE and (above.size == 0 or float((above > 0).mean()) <= MAX_INK_ABOVE)


def _densest(rows: NDArray[np.uint8]) -> float:
    """Return the share of ink, 0.0-1.0, in the row with the most. Round letters reach beyond their straight parts."""
    return float((rows > 0).mean(axis=1).max()) if rows.size else 0.0


def _without_combs(boxes: Boxes) -> list[CheckBox]:
    """Return the boxes that are not in a row of boxes for single letters."""
    combs: set[CheckBox] = set()
    for row in _rows(boxes):
        for chain in _chains(row):
            if len(chain) >= MIN_COMB_BOXES:
                combs.update(chain)
    return [box for box in boxes if box not in combs]


def _rows(boxes: Boxes) -> Iterator[list[CheckBox]]:
    row: list[CheckBox] = []
    for box in sorted(boxes, key=lambda box: box.top):
        if row and box.top - row[0].top > 0.5 * row[0].side:
            yield sorted(row)
            row = []
        row.append(box)
    yield sorted(row)


def _chains(row: Boxes) -> Iterator[list[CheckBox]]:
    """Yield the boxes of a row, from the left, in groups of near ones."""
    chain = list(row[:1])
    for left, right in itertools.pairwise(row):
        if right.x0 - left.x1 > MAX_COMB_GAP_SHARE * left.side:
            yield chain
            chain = []
        chain.append(right)
    yield chain


def without_outlines(image: Gray, boxes: Boxes) -> Gray:
    """Return the image with the sides of the boxes painted white; what is inside of them stays."""
    if not boxes:
        return image
    image = image.copy()
    for box in boxes:
        width = box.border + 2
        outer = image[box.top - 1 : box.bottom + 2, box.x0 - 1 : box.x1 + 2]
        inner = outer[width:-width, width:-width].copy()
        outer[:] = 255
        outer[width:-width, width:-width] = inner
    return image


def with_marks(lines: Sequence[FoundLine], boxes: Boxes) -> list[FoundLine]:
    """Return the lines with a word for each box, ☑ or ☐, in place of what was read in it.

    It is on the line of the text beside it. A box with other letters or digits in it is none, such as a field that a
    letter is written into.
    """
    result = list(lines)
    for box in boxes:
        result = _with_mark(result, box)
    return result


def _with_mark(lines: list[FoundLine], box: CheckBox) -> list[FoundLine]:
    kept: list[FoundLine] = []
    for line in lines:
        words = []
        for word in line.words:
            rest = _outside(word, box)
            if rest is None:
                return lines
            if rest.text:
                words.append(rest)
        if words:
            kept.append(line._replace(words=tuple(words)))
    mark = FoundWord(CHECKED if box.is_checked else UNCHECKED, box.x0, box.top, box.x1, box.bottom, 1.0)
    place = min(range(len(kept)), key=lambda index: _distance(kept[index], box), default=None)
    if place is None or _distance(kept[place], box) > 4 * box.side:
        return [*kept, FoundLine((mark,), 1.0)]
    words = sorted((*kept[place].words, mark), key=lambda word: word.x0)
    kept[place] = kept[place]._replace(words=tuple(words))
    return kept


def _outside(word: FoundWord, box: CheckBox) -> FoundWord | None:
    """Return what of a word is not in the box; None if the box has letters in it that are no mark."""
    if box.is_checked and word.text[:1] in _ENDS and 0 <= word.x0 - box.x1 + 0.4 * box.side <= 0.8 * box.side:
        word = word._replace(text=word.text[1:])
    across = min(word.x1, box.x1) - max(word.x0, box.x0)
    down = min(word.bottom, box.bottom) - max(word.top, box.top)
    if across <= 0.25 * box.side or down <= 0.3 * box.side:
        return word
    if word.x1 <= box.x1 + 0.4 * box.side and word.x0 >= box.x0 - 0.4 * box.side:
        is_mark = all(letter in _MARKS or letter in _OUTLINES for letter in word.text)
        return word._replace(text="") if is_mark else None
    first = word.text[:1]
    if word.x0 >= box.x0 - 0.4 * box.side and (first in _MARKS or first in _OUTLINES):
        return word._replace(text=word.text[1:], x0=float(box.x1))
    return word


def _distance(line: FoundLine, box: CheckBox) -> float:
    """Return how far a box is from the text of a line, in pixels; infinite if it is not on the line."""
    top, bottom = min(word.top for word in line.words), max(word.bottom for word in line.words)
    if not top <= (box.top + box.bottom) / 2 <= bottom:
        return float("inf")
    return min(max(word.x0 - box.x1, box.x0 - word.x1, 0.0) for word in line.words)
