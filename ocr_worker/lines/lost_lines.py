"""Find the detected lines of a page that an engine has read in part or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.networks.ppocr import Quad, height_of, length_of

# A line is read if words, each with this many line heights beside it, cover this share of its length.
MIN_COVERED_SHARE, WORD_GAP_HEIGHTS = 0.85, 0.45
# Shorter lines are marks and page numbers, which a reader of pages sees better.
MIN_HEIGHTS = 3.0
MAX_LOST_LINES = 40


def lost_lines(detected: Sequence[Quad], found: Sequence[FoundLine]) -> list[Quad]:
    """Return the detected lines that the words of ``found`` do not cover, at most ``MAX_LOST_LINES``."""
    words = [word for line in found for word in line.words]
    long = [quad for quad in detected if length_of(quad) >= MIN_HEIGHTS * height_of(quad)]
    return [quad for quad in long if _covered(quad, words) < MIN_COVERED_SHARE][:MAX_LOST_LINES]


def lost_share(detected: Sequence[Quad], found: Sequence[FoundLine]) -> float:
    """Return the share of the detected lines, by length, of which ``found`` has less than half."""
    words = [word for line in found for word in line.words]
    long = [quad for quad in detected if length_of(quad) >= MIN_HEIGHTS * height_of(quad)]
    lost = sum(length_of(quad) for quad in long if _covered(quad, words) < 0.5)
    return lost / max(1.0, sum(map(length_of, long)))


def with_line(found: Sequence[FoundLine], quad: Quad, line: FoundLine | None) -> list[FoundLine]:
    """Return the lines with ``line`` in place of the words at its place, if it has more letters than they have."""
    lines: list[FoundLine] = []
    replaced = 0
    for other in found:
        kept = tuple(word for word in other.words if not is_inside(word, quad))
        replaced += sum(len(word.text) for word in other.words) - sum(len(word.text) for word in kept)
        if kept:
            lines.append(FoundLine(kept, other.confidence))
    if line is None or len(line.text.replace(" ", "")) <= replaced:
        return list(found)
    return [*lines, line]


def _covered(quad: Quad, words: Sequence[FoundWord]) -> float:
    """Return the share of a line's length that words cover."""
    margin = WORD_GAP_HEIGHTS * height_of(quad)
    left, right = float(quad[:, 0].min()), float(quad[:, 0].max())
    end, covered = left, 0.0
    for word in sorted((word for word in words if is_inside(word, quad)), key=lambda word: word.x0):
        x0, x1 = max(end, word.x0 - margin), min(right, word.x1 + margin)
        covered += max(0.0, x1 - x0)
        end = max(end, x1)
    return covered / max(1.0, right - left)


def is_inside(word: FoundWord, quad: Quad) -> bool:
    """Return True if the middle of a word is inside a detected line."""
    x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    return bool(quad[:, 0].min() <= x <= quad[:, 0].max() and quad[:, 1].min() <= y <= quad[:, 1].max())
