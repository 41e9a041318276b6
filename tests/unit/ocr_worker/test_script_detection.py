"""The script of a page follows from the letters that the network reads in some of its lines."""

from __future__ import annotations

import numpy as np
import pytest

from apps.pages.model.text.languages import HAN, KANA, LATIN
from ocr_worker.networks.ppocr import Strip
from ocr_worker.script_detection import NOTHING, Sample, sample_of, script_of_letter


def sample(text: str, *, confidence: float = 0.95, line_heights: int | None = None) -> Sample:
    width = 10 * (line_heights or len(text))
    strip = Strip(text, confidence, tuple(0.0 for _ in text), tuple(confidence for _ in text))
    return sample_of([np.zeros((10, width), np.uint8)], [strip])


@pytest.mark.parametrize(("letter", "script"), [("a", LATIN), ("ß", LATIN), ("7", LATIN), ("漢", HAN), ("カ", KANA)])
def test_letters_have_scripts(letter: str, script: str) -> None:
    assert script_of_letter(letter) == script


@pytest.mark.parametrize(
    ("text", "script"),
    [("Latin letters", LATIN), ("漢字漢字漢字", HAN), ("漢字かな漢字", KANA), ("ελληνικά", "")],
)
def test_the_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert sample(text).script == script


def test_a_page_is_readable_if_the_network_is_confident_of_many_letters() -> None:
    assert sample("readable").is_readable
    assert not sample("readable", confidence=0.5).is_readable
    assert not sample("readable", line_heights=40).is_readable


def test_lines_without_letters_give_no_sample() -> None:
    assert sample("- . -") == NOTHING
    assert sample_of([np.zeros((10, 100), np.uint8)], []) == NOTHING._replace(taken=False)
