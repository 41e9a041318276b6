"""Find lines in another script than the rest of their page: a reading has few letters for them, or doubts them."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_worker.engines.base import FoundLine
from ocr_worker.lines.lost_lines import is_inside
from ocr_worker.networks.ppocr import Quad, height_of, length_of

# Letters for each line height of a line's length, and the confidence, below which a line was not read.
MIN_DENSITY, MIN_CONFIDENCE = 0.35, 0.6
# Shorter lines show no script, and drawings have some.
MIN_HEIGHTS = 6.0


def strange_lines(detected: Sequence[Quad], found: Sequence[FoundLine]) -> list[Quad]:
    """Return the long detected lines that the reading ``found`` does not have, or has in few or doubtful letters."""
    words = [word for line in found for word in line.words]
    strange = []
    for quad in detected:
        heights = length_of(quad) / height_of(quad)
        if heights < MIN_HEIGHTS:
            continue
        inside = [word for word in words if is_inside(word, quad)]
        letters = sum(character.isalnum() for word in inside for character in word.text)
        total = sum(len(word.text) for word in inside)
        confidence = sum(word.confidence * len(word.text) for word in inside) / total if total else 0.0
        if letters < MIN_DENSITY * heights or confidence < MIN_CONFIDENCE:
            strange.append(quad)
    return strange


def without_lines(found: Sequence[FoundLine], quads: Sequence[Quad]) -> list[FoundLine]:
    """Return the lines without the words inside these detected lines."""
    kept = []
    for line in found:
        words = tuple(word for word in line.words if not any(is_inside(word, quad) for quad in quads))
        if words:
            kept.append(FoundLine(words, line.confidence))
    return kept


def lines_inside(found: Sequence[FoundLine], quads: Sequence[Quad]) -> list[FoundLine]:
    """Return the lines with only the words inside these detected lines."""
    kept = []
    for line in found:
        words = tuple(word for word in line.words if any(is_inside(word, quad) for quad in quads))
        if words:
            kept.append(FoundLine(words, line.confidence))
    return kept
