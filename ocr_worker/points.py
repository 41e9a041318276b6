"""Convert what an engine found from pixels of the page image to points."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.geometry import Box
from apps.pages.model.recognition import RecognizedLine, RecognizedSignature, RecognizedWord
from ocr_worker.engines.base import FoundLine
from ocr_worker.images.signatures import FoundSignature
from ocr_worker.networks.ppocr import Quad


def signature_in_points(found: FoundSignature, scale: float) -> RecognizedSignature:
    edges = (found.x0, found.top, found.x1, found.bottom)
    return RecognizedSignature(Box(*(round(edge * scale, 2) for edge in edges)), found.confidence)


def line_in_points(line: FoundLine, scale: float, detected: Sequence[Quad]) -> RecognizedLine:
    """Convert a line from pixels to points.

    Top and bottom are those of the detected line around its centre: they do not depend on the letters of the line.
    """
    x0, top = min(word.x0 for word in line.words), min(word.top for word in line.words)
    x1, bottom = max(word.x1 for word in line.words), max(word.bottom for word in line.words)
    x, y = (x0 + x1) / 2, (top + bottom) / 2
    for quad in detected:
        quad_top, quad_bottom = float(quad[:2, 1].mean()), float(quad[2:, 1].mean())
        if quad_top <= y <= quad_bottom and quad[:, 0].min() <= x <= quad[:, 0].max():
            top, bottom = quad_top, quad_bottom
            break
    words = tuple(
        RecognizedWord(
            word.text,
            round(word.x0 * scale, 2),
            round(word.top * scale, 2),
            round(word.x1 * scale, 2),
            round(word.bottom * scale, 2),
            round(min(1.0, max(0.0, word.confidence)), 3),
        )
        for word in line.words
    )
    box = Box(round(x0 * scale, 2), round(top * scale, 2), round(x1 * scale, 2), round(bottom * scale, 2))
    return RecognizedLine(words, box, round(min(1.0, max(0.0, line.confidence)), 3))
