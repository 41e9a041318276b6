"""Find the ruling lines of a page image, for tables."""

from __future__ import annotations

import cv2
import numpy as np

from ocr_worker.networks.ppocr import Gray

# Shares of the longer side of the page.
_MIN_LENGTH_SHARE = 1 / 25
_MAX_WIDTH_SHARE = 1 / 150
_MAX_RULINGS = 400

PixelBox = tuple[float, float, float, float]


def find_rulings(image: Gray) -> list[PixelBox]:
    """Return horizontal and vertical lines of a straightened page as thin boxes in pixels; [] for more than 400."""
    # At half the size, the darkest of 2x2 pixels keeps lines that are one pixel wide.
    dark = cv2.erode(image, np.ones((2, 2), np.uint8))
    half = cv2.resize(dark, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    ink = cv2.adaptiveThreshold(half, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 15, 12)
    min_length, max_width = (round(max(half.shape) * share) for share in (_MIN_LENGTH_SHARE, _MAX_WIDTH_SHARE))
    found: list[PixelBox] = []
    for size in ((min_length, 1), (1, min_length)):
        lines = cv2.morphologyEx(ink, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, size))
        _count, _labels, boxes, _centres = cv2.connectedComponentsWithStats(np.asarray(lines, np.uint8))
        for x, y, width, height, _area in boxes[1:].tolist():
            if min(width, height) <= max_width:
                found.append((2.0 * x, 2.0 * y, 2.0 * (x + width), 2.0 * (y + height)))
    return found if len(found) <= _MAX_RULINGS else []
