"""Straighten a page image before it is read: quarter turns, then a few degrees of skew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ocr_worker.networks.ppocr import Gray, Quad, height_of, length_of

# The skew is measured on lines that are at least this many times as long as high.
_MIN_LINE_SHAPE = 4.0
# Turning costs sharpness, and less skew than this is invisible.
_MIN_SKEW_DEGREES = 0.1
_MAX_SKEW_DEGREES = 15.0


class Straight(NamedTuple):
    """A straightened page image and its lines.

    The page was turned: ``orientation`` is 0, 90, 180 or 270 degrees, then ``skew`` a few degrees, both clockwise.
    """

    image: Gray
    lines: list[Quad]
    orientation: int
    skew: float


def lies_on_its_side(lines: Sequence[Quad]) -> bool:
    """Return True if more of the text, measured in length of lines, runs down than across."""
    across = sum(length_of(line) for line in lines if length_of(line) > 1.5 * height_of(line))
    down = sum(height_of(line) for line in lines if height_of(line) > 1.5 * length_of(line))
    return down > across


def skew_of(lines: Sequence[Quad]) -> float:
    """Return the slope of the lines in degrees clockwise: the median of the long lines, weighted by length."""
    slopes = sorted(
        (float(np.degrees(np.arctan2(along[1], along[0]))), length_of(line))
        for line in lines
        if length_of(line) >= _MIN_LINE_SHAPE * height_of(line)
        for along in [(line[1] - line[0]) + (line[2] - line[3])]
    )
    half = sum(length for _slope, length in slopes) / 2
    for slope, length in slopes:
        half -= length
        if half <= 0:
            return slope if abs(slope) <= _MAX_SKEW_DEGREES else 0.0
    return 0.0


def straightened(image: Gray, lines: list[Quad], orientation: int) -> Straight:
    """Return the image without its skew. The lines are turned too, so they need not be detected again."""
    skew = skew_of(lines)
    if abs(skew) < _MIN_SKEW_DEGREES:
        return Straight(image, lines, orientation, 0.0)
    height, width = image.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1.0)
    turned = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    lines = [(np.c_[line, np.ones(4)] @ turn.T).astype(np.float32) for line in lines]
    return Straight(np.asarray(turned, np.uint8), lines, orientation, round(skew, 2))
