"""Lines that an engine has read in part are read again by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.lines.lost_lines import lost_lines, lost_share, with_line
from ocr_worker.networks.ppocr import Quad


def quad(x0: float, top: float, x1: float, bottom: float) -> Quad:
    return np.array([[x0, top], [x1, top], [x1, bottom], [x0, bottom]], np.float32)


def line(*words: tuple[str, float, float], top: float = 0) -> FoundLine:
    return FoundLine(tuple(FoundWord(text, x0, top, x1, top + 20, 0.9) for text, x0, x1 in words), 0.9)


DETECTED = [quad(0, 0, 400, 20), quad(0, 30, 400, 50)]
READ = line(("whole", 0, 190), ("line", 200, 395))


def test_a_line_without_its_end_or_without_a_word_is_lost() -> None:
    cut = line(("half", 0, 180), top=30)

    assert [found.tolist() for found in lost_lines(DETECTED, [READ, cut])] == [DETECTED[1].tolist()]
    assert [found.tolist() for found in lost_lines(DETECTED, [READ])] == [DETECTED[1].tolist()]
    assert lost_share(DETECTED, [READ]) == pytest.approx(0.5)


def test_short_marks_are_no_lost_lines() -> None:
    assert lost_lines([quad(0, 0, 40, 20)], []) == []


def test_a_line_replaces_the_words_at_its_place_if_it_has_more() -> None:
    cut, again = line(("half", 0, 180), top=30), line(("half", 0, 180), ("more", 200, 390), top=30)

    assert with_line([READ, cut], DETECTED[1], again) == [READ, again]
    assert with_line([READ, again], DETECTED[1], cut) == [READ, again]
    assert with_line([READ, cut], DETECTED[1], None) == [READ, cut]
