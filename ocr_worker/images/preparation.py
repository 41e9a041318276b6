"""Prepare a straightened page before an engine reads it.

The table in docs/benchmarking.md shows what each step gains on real scans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from ocr_worker.networks.ppocr import Gray


class Preparation(NamedTuple):
    """A named way to make a page readable."""

    name: str
    apply: Callable[[Gray], Gray]

    def __call__(self, page: Gray) -> Gray:
        return self.apply(page)


def even_light(page: Gray) -> Gray:
    """Divide by the paper's own brightness, so that shadows and grey paper become white."""
    size = max(31, round(max(page.shape) / 40) | 1)
    small = cv2.resize(page, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    paper = cv2.medianBlur(cv2.dilate(small, np.ones((5, 5), np.uint8)), min(255, size // 4 * 2 + 1))
    paper = cv2.resize(paper, (page.shape[1], page.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(page, paper, scale=255), np.uint8)


AS_IT_IS = Preparation("as it is", lambda page: page)
EVEN_LIGHT = Preparation("even light", even_light)
