"""Find signatures on a page: large connected strokes of a pen that no engine read, at a line or a word for signatures.

Only the place is found: who signed is not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.images.rulings import PixelBox
from ocr_worker.networks.ppocr import Gray

# Words at places for signatures, in the languages in which forms are frequent.
_WORDS = re.compile(
    r"signature|\bsigned\b|\bsign here|signatory|unterschrift|unterzeichne|\bgez\.|\bfirma(?![a-zà-ÿ])|\bfirmado|"
    r"\bsigné|assinatura|\bassinado|handtekening|ondertekend|underskrift|namnteckning|allekirjoitus|\bpodpis|"
    r"\bpodepsán|aláírás|semnătur|\bimza\b|chữ ký|tanda tangan|υπογραφή|подпис|підпис|توقيع|امضا|חתימה|"
    r"签名|签字|簽名|署名|서명|हस्ताक्षर",
    re.IGNORECASE,
)
# Words below or before a line on which something else is written.
_OTHER_FIELDS = re.compile(
    r"\b(?:date|datum|fecha|data|dato|name|nom|nombre|nome|namn|navn|place|ort|lieu|lugar|luogo|address|adresse|"
    r"dirección|phone|tel|telefon|e-?mail|title|titel|city|zip|iban|amount|betrag|total)\b|дата|имя|адрес|日期|姓名|氏名|住所",
    re.IGNORECASE,
)
# All lengths are in heights of the text of the page. A line for signatures has this length. One without a word for
# signatures beside it counts only if no upright ruling touches it, as in a table.
MIN_LINE, MAX_LINE = 6.0, 45.0
# A signature is this far from its line or word: above it, below it, and to its right.
MAX_ABOVE, MAX_BELOW, MAX_BESIDE = 5.0, 2.2, 32.0
MIN_HEIGHT, MAX_HEIGHT, MIN_WIDTH, MAX_WIDTH = 1.25, 7.0, 2.5, 34.0
MIN_SHAPE, MAX_SHAPE = 0.9, 14.0
# Parts of a signature are this near to each other; smaller ones are specks.
MAX_GAP, MIN_PART = 0.9, 0.3
# The largest stroke has at least this length and this share of the width, because letters of print are not connected.
# Strokes of at least MIN_LONG_STROKE have at least the share MIN_STROKE_INK of the ink.
MIN_STROKE_LENGTH, MIN_STROKE_WIDTH, MIN_LONG_STROKE, MIN_STROKE_INK = 2.2, 0.28, 1.5, 0.6
# Shorter upright rulings may be strokes of a signature.
MIN_UPRIGHT = 3.5
# The share of its box that is ink, and the width of the pen.
MIN_INK, MAX_INK, MAX_PEN = 0.015, 0.31, 0.3
# Its outline runs in all directions: of eight, none has more than this share; 1.0 is the same share for each.
MIN_DIRECTIONS = 0.74
# The strokes enclose at most this share of the box: stamps and logos enclose more.
MAX_ENCLOSED = 0.62
# Words with at least the first confidence are text, not a signature. Connected ink is text only with at least the
# second one and if it is at most LARGE high, because engines read loops as letters.
MIN_READ, MIN_READ_IF_CONNECTED, LARGE = 0.8, 0.97, 1.35
MIN_CONFIDENCE = 0.6
# Strokes around this many printed words are those of a stamp.
MIN_WORDS_OF_STAMP = 2
# A word for signatures may have at most this many letters more, as an ending.
MAX_ENDING = 3
RULING_SPACE = 5
"""Pixels above and below a ruling in which a stroke that touches it has ink."""
MAX_PLACES, MAX_PARTS, MAX_HIDDEN = 60, 400, 400
"""Limits of a page: more places are not searched, and a place with more strokes is taken for a drawing."""


class FoundSignature(NamedTuple):
    """A signature in pixels; ``confidence`` 0.0-1.0."""

    x0: float
    top: float
    x1: float
    bottom: float
    confidence: float


class _SigningPlace(NamedTuple):
    """A place where people sign, in pixels. ``has_word``, ``has_line``: what shows it."""

    x0: float
    top: float
    x1: float
    bottom: float
    has_word: bool
    has_line: bool


class _Part(NamedTuple):
    """Connected ink."""

    label: int
    x0: int
    top: int
    x1: int
    bottom: int
    ink: int


def find_signatures(image: Gray, lines: Sequence[FoundLine], rulings: Sequence[PixelBox]) -> list[FoundSignature]:
    """Return the signatures of a straightened page, from the top. ``lines``: what was read on it."""
    words = [word for line in lines for word in line.words if word.text.strip()]
    heights = [word.bottom - word.top for word in words if word.confidence >= MIN_READ]
    if not heights:
        return []
    height = float(np.median(heights))
    places = _places(lines, rulings, height)
    if not places:
        return []
    ink, printed = _unread_ink(image, words, rulings, height)
    labels = {word for line in lines if _WORDS.search(line.text) for word in line.words}
    found: list[FoundSignature] = []
    for place in places:
        for one in _in_place(ink, place, height):
            inside = sum(_has_middle_of(one, word) for word in printed if word not in labels)
            if inside < MIN_WORDS_OF_STAMP and not any(
                _share(one, other) > 0.3 or _share(other, one) > 0.3 for other in found
            ):
                found.append(one)
    return sorted(found, key=lambda one: (one.top, one.x0))


def _places(lines: Sequence[FoundLine], rulings: Sequence[PixelBox], height: float) -> list[_SigningPlace]:
    """Return the places where people sign, those with a word and a line first."""
    words = [box for line in lines for box in _signature_words(line)]
    labels = [_box(line.words) for line in lines if _OTHER_FIELDS.search(line.text) and not _WORDS.search(line.text)]
    across = [one for one in rulings if one[2] - one[0] > one[3] - one[1]]
    down = [one for one in rulings if one[3] - one[1] >= MIN_UPRIGHT * height]
    found: list[_SigningPlace] = []
    used: set[PixelBox] = set()
    for line in across:
        x0, top, x1, bottom = line
        if not MIN_LINE * height <= x1 - x0 <= MAX_LINE * height:
            continue
        is_table = any(x0 - height < one[0] < x1 + height and one[1] - height < top < one[3] + height for one in down)
        near = [word for word in words if _is_label_of(word, line, height)]
        if not near and (is_table or any(_is_label_of(label, line, height) for label in labels)):
            continue
        used.update(near)
        reach = MAX_ABOVE * height
        found.append(_SigningPlace(x0 - height, top - reach, x1 + height, bottom + 1.5 * height, bool(near), True))
    for word in words:
        if word not in used:
            x0, top, x1, bottom = word
            below, above = MAX_BELOW * height, MAX_ABOVE * height
            found.append(_SigningPlace(x0 - height, top - above, x1 + MAX_BESIDE * height, bottom + below, True, False))
    return sorted(found, key=lambda place: (not place.has_word, not place.has_line))[:MAX_PLACES]


def _signature_words(line: FoundLine) -> Iterator[PixelBox]:
    """Yield where a line names a signature; a sentence with the word is none."""
    text = line.text
    if _WORDS.search(text) and len(text.split()) <= 8:
        named = [word for word in line.words if _WORDS.search(word.text)] or line.words
        x0, top, _x1, bottom = _box(named)
        yield x0, top, _end_of_label(named[-1]), bottom


def _end_of_label(word: FoundWord) -> float:
    """Return where a word ends, or the label in it if an engine read a signature as the rest of the word."""
    label = _WORDS.search(word.text)
    if label is None or len(word.text) - label.end() <= MAX_ENDING:
        return word.x1
    return word.x0 + (word.x1 - word.x0) * label.end() / len(word.text)


def _box(words: Sequence[FoundWord]) -> PixelBox:
    return (
        min(word.x0 for word in words),
        min(word.top for word in words),
        max(word.x1 for word in words),
        max(word.bottom for word in words),
    )


def _is_label_of(word: PixelBox, line: PixelBox, height: float) -> bool:
    """Return True for a word just below or above a line, or before it on the same line of text."""
    x0, top, x1, bottom = word
    overlaps = x0 < line[2] + height and line[0] - height < x1
    if overlaps and (-0.5 * height <= top - line[3] <= 2 * height):
        return True
    if overlaps and 2 * height <= line[1] - bottom <= 6 * height and x0 < line[0] + 3 * height:
        return True
    return -0.5 * height <= line[0] - x1 <= 3 * height and abs((top + bottom) / 2 - line[1]) <= 1.5 * height


def _unread_ink(
    image: Gray, words: Sequence[FoundWord], rulings: Sequence[PixelBox], height: float
) -> tuple[NDArray[np.uint8], list[FoundWord]]:
    """Return the ink of a page without its rulings and without the words that are print, and these words."""
    block = max(15, round(2 * height) | 1)
    smooth = cv2.GaussianBlur(image, (3, 3), 0)  # less grain
    found = cv2.adaptiveThreshold(smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 14)
    ink = np.asarray(found, np.uint8)
    across = cv2.getStructuringElement(cv2.MORPH_RECT, (round(MIN_LINE * height), 1))
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(
        np.asarray(cv2.morphologyEx(ink, cv2.MORPH_OPEN, across), np.uint8)
    )
    # A signature that runs along its line hides the line from the search for rulings.
    hidden = [(x, y, x + wide, y + tall) for x, y, wide, tall, _area in stats[1 : 1 + MAX_HIDDEN].tolist()]
    for x0, top, x1, bottom in [*rulings, *hidden]:
        if max((x1 - x0) / MIN_LINE, (bottom - top) / MIN_UPRIGHT) >= height:
            _erase_ruling(ink, round(x0), round(top), round(x1), round(bottom))
    margin = max(2, round(0.12 * height))
    printed = []
    for word in words:
        if word.confidence < MIN_READ:
            continue
        label = _WORDS.search(word.text)
        rows = slice(max(0, round(word.top) - margin), round(word.bottom) + margin)
        part = ink[rows, max(0, round(word.x0) - margin) : round(_end_of_label(word)) + margin]
        is_large = word.bottom - word.top > LARGE * height
        if label or not _is_connected(part, height) or (word.confidence >= MIN_READ_IF_CONNECTED and not is_large):
            part[:] = 0
            printed.append(word)
    return ink, printed


def _has_middle_of(found: FoundSignature, word: FoundWord) -> bool:
    across, down = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    return found.x0 < across < found.x1 and found.top < down < found.bottom


def _is_connected(ink: NDArray[np.uint8], height: float) -> bool:
    """Return True if the ink of a word is a long stroke; the letters of most scripts are apart."""
    _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(ink, connectivity=8)
    wide = max((part[2] for part in stats[1:].tolist()), default=0)
    return wide >= MIN_STROKE_LENGTH * height and wide >= MIN_STROKE_WIDTH * ink.shape[1]


def _erase_ruling(ink: NDArray[np.uint8], x0: int, top: int, x1: int, bottom: int) -> None:
    """Remove a ruling except where a stroke crosses or touches it: there the ink is higher than the ruling."""
    if x1 - x0 < bottom - top:
        ink, x0, top, x1, bottom = ink.T, top, x0, bottom, x1
    first, x0 = max(0, top - RULING_SPACE), max(0, x0 - 3)
    part = ink[first : bottom + RULING_SPACE, x0 : x1 + 3]
    if not part.size:
        return
    heights = (part > 0).sum(axis=0)
    own = float(np.percentile(heights, 30))
    part[:, heights <= own + 1] = 0


def _in_place(ink: NDArray[np.uint8], place: _SigningPlace, height: float) -> Iterator[FoundSignature]:
    """Yield the signatures in a place; ink that reaches far out of it is none."""
    margin = round(2 * height)
    x0, top = max(0, round(place.x0) - margin), max(0, round(place.top) - margin)
    window = ink[top : round(place.bottom) + margin, x0 : round(place.x1) + margin]
    if not window.size:
        return
    joined = cv2.morphologyEx(window, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _count, labels, stats, _centres = cv2.connectedComponentsWithStats(joined, connectivity=8)
    inner = (place.x0 - x0, place.top - top, place.x1 - x0, place.bottom - top)
    parts = []
    for label, (x, y, wide, tall, area) in enumerate(stats.tolist()):
        part = _Part(label, x, y, x + wide, y + tall, area)
        if label and max(wide, tall) >= MIN_PART * height and _is_mostly_inside(part, inner):
            parts.append(part)
    if len(parts) > MAX_PARTS:
        return
    for group in _groups(parts, MAX_GAP * height):
        confidence = _confidence(np.asarray(labels, np.int32), group, place, height)
        if confidence >= MIN_CONFIDENCE:
            left, upper, right, lower = _edges(group)
            yield FoundSignature(x0 + left, top + upper, x0 + right, top + lower, confidence)


def _is_mostly_inside(part: _Part, box: PixelBox) -> bool:
    across = min(part.x1, box[2]) - max(part.x0, box[0])
    down = min(part.bottom, box[3]) - max(part.top, box[1])
    return across >= 0.7 * (part.x1 - part.x0) and down >= 0.7 * (part.bottom - part.top)


def _groups(parts: Sequence[_Part], gap: float) -> list[list[_Part]]:
    """Return the parts that are near each other."""
    groups: list[list[_Part]] = []
    for part in sorted(parts, key=lambda part: part.x0):
        near = [group for group in groups if any(_distance(part, other) <= gap for other in group)]
        groups = [group for group in groups if group not in near] + [[part, *(one for group in near for one in group)]]
    return groups


def _edges(group: Sequence[_Part]) -> tuple[int, int, int, int]:
    return (
        min(part.x0 for part in group),
        min(part.top for part in group),
        max(part.x1 for part in group),
        max(part.bottom for part in group),
    )


def _distance(first: _Part, second: _Part) -> float:
    across = max(first.x0 - second.x1, second.x0 - first.x1, 0)
    down = max(first.top - second.bottom, second.top - first.bottom, 0)
    return math.hypot(across, down)


def _confidence(labels: NDArray[np.int32], group: Sequence[_Part], place: _SigningPlace, height: float) -> float:
    """Return how sure it is that a group of strokes is a signature; 0.0 for what is none."""
    x0, top, x1, bottom = _edges(group)
    wide, tall = (x1 - x0) / height, (bottom - top) / height
    main = max(group, key=lambda part: (part.x1 - part.x0) * (part.bottom - part.top))
    stroke = max(part.x1 - part.x0 for part in group) / height
    ink = sum(part.ink for part in group)
    connected = sum(part.ink for part in group if part.x1 - part.x0 >= MIN_LONG_STROKE * height) / ink
    if not (
        MIN_HEIGHT <= tall <= MAX_HEIGHT and MIN_WIDTH <= wide <= MAX_WIDTH and MIN_SHAPE <= wide / tall <= MAX_SHAPE
    ):
        return 0.0
    if stroke < max(MIN_STROKE_WIDTH * wide, MIN_STROKE_LENGTH) or connected < MIN_STROKE_INK:
        return 0.0
    if not MIN_INK <= ink / ((x1 - x0) * (bottom - top)) <= MAX_INK:
        return 0.0
    shape = np.asarray(labels[main.top : main.bottom, main.x0 : main.x1] == main.label, np.uint8)
    pen = 2 * float(np.mean(cv2.distanceTransform(np.pad(shape, 1), cv2.DIST_L2, 3)[np.pad(shape, 1) > 0])) / height
    outlines, _tree = cv2.findContours(np.pad(shape, 1), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    directions = _directions([np.asarray(outline, np.int32) for outline in outlines])
    outer, _tree = cv2.findContours(np.pad(shape, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    enclosed = sum(map(cv2.contourArea, outer)) / max(1, shape.size)
    if pen > MAX_PEN or directions < MIN_DIRECTIONS or enclosed > MAX_ENCLOSED:
        return 0.0
    evidence = 0.3 * place.has_word + 0.15 * place.has_line
    size = min(1.0, max(0.0, (tall - 1.0) / 2.0))
    curved = min(1.0, (directions - MIN_DIRECTIONS) / (1 - MIN_DIRECTIONS))
    return round(min(0.99, 0.2 + evidence + 0.12 * size + 0.12 * connected + 0.1 * curved), 3)


def _directions(outlines: Sequence[NDArray[np.int32]]) -> float:
    """Return how evenly outlines run in eight directions, 0.0-1.0: the entropy of their directions."""
    counts = np.zeros(8)
    for outline in outlines:
        points = outline[:, 0, :].astype(np.float32)
        if len(points) < 12:
            continue
        steps = np.roll(points, -5, axis=0) - points
        angles = np.arctan2(steps[:, 1], steps[:, 0]) % math.pi
        counts += np.bincount((angles / math.pi * 8).astype(int) % 8, minlength=8)
    if not counts.sum():
        return 0.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum() / 3)


def _share(one: FoundSignature, other: FoundSignature) -> float:
    """Return the share of one box that is in another."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(0.0, across) * max(0.0, down) / max(1.0, (one.x1 - one.x0) * (one.bottom - one.top))
