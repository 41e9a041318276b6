"""Punctuation is joined to the word before it, except in other scripts and for some marks in French."""

from __future__ import annotations

import pytest

from apps.pages.model.text import languages
from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.lines.punctuation import joined


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("remotum est , vel", "la", "remotum est, vel"),
        ("so ; thus !", "en", "so; thus!"),
        ("ainsi ; enfin , voici", "fr", "ainsi ; enfin, voici"),
        (", begins with it", "en", ", begins with it"),
        ("слово , и", "ru", "слово , и"),
    ],
)
def test_marks_are_joined_to_the_word_before_them(text: str, code: str, expected: str) -> None:
    words = tuple(FoundWord(word, 10.0 * n, 0.0, 10.0 * n + 8, 12.0, 0.9) for n, word in enumerate(text.split()))
    line = joined(FoundLine(words, 0.9), languages.find_all([code]))
    assert line.text == expected
    assert (line.words[0].x0, line.words[-1].x1) == (words[0].x0, words[-1].x1)
