"""Ruling lines of a page image, for tables."""

from __future__ import annotations

import cv2
import numpy as np

from ocr_worker.networks.ppocr import Gray

_SHORTEST = 1 / 25
_THICKEST = 1 / 150
_MOST = 400

PixelBox = tuple[float, float, float, float]


def find_rules(image: Gray) -> list[PixelBox]:
    """Horizontal and vertical lines of a straightened page as thin boxes in pixels; [] for a page full of them."""
    # The darkest of 2x2 pixels keeps lines of one pixel at half the size.
    dark = cv2.erode(image, np.ones((2, 2), np.uint8))
    half = cv2.resize(dark, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    ink = cv2.adaptiveThreshold(half, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 15, 12)
    shortest, thickest = (round(max(half.shape) * share) for share in (_SHORTEST, _THICKEST))
    found = [
        (2.0 * x, 2.0 * y, 2.0 * (x + width), 2.0 * (y + height))
        for size in ((shortest, 1), (1, shortest))
        for x, y, width, height in _pieces(np.asarray(ink, np.uint8), size)
        if min(width, height) <= thickest
    ]
    return found if len(found) <= _MOST else []


def _pieces(ink: Gray, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    lines = cv2.morphologyEx(ink, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, size))
    _count, _labels, pieces, _middles = cv2.connectedComponentsWithStats(np.asarray(lines, np.uint8))
    return [(int(x), int(y), int(width), int(height)) for x, y, width, height, _area in pieces[1:]]
