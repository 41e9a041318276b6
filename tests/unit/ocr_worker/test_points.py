"""Lines of an engine are converted from pixels to points."""

from __future__ import annotations

import numpy as np

from apps.pages.model.geometry import Box
from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.points import line_in_points

LINE = FoundLine((FoundWord("one", 20, 22, 60, 38, 1.2), FoundWord("two", 70, 22, 120, 38, 0.5)), 0.8)


def test_top_and_bottom_of_a_line_are_those_of_the_detected_line() -> None:
    detected = np.array([[10, 16], [130, 16], [130, 44], [10, 44]], np.float32)

    line = line_in_points(LINE, 0.5, [detected + 100, detected])

    assert line.box == Box(10, 8, 60, 22)
    assert [(word.x0, word.top, word.x1, word.bottom) for word in line.words] == [(10, 11, 30, 19), (35, 11, 60, 19)]


def test_confidence_is_limited_to_one() -> None:
    line = line_in_points(LINE, 0.5, [])

    assert line.box == Box(10, 11, 60, 19)
    assert [word.confidence for word in line.words] == [1.0, 0.5]
