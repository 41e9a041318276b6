"""Letters that an engine returns one by one are words, except where a blank parts them."""

from __future__ import annotations

from ocr_worker.engines.base import FoundLine, FoundWord
from ocr_worker.lines.unspaced_words import with_words_joined, without_marks_alone


def line_of(*words: tuple[str, float, float], top: float = 0, bottom: float = 50, confidence: float = 0.9) -> FoundLine:
    return FoundLine(tuple(FoundWord(text, x0, top, x1, bottom, confidence) for text, x0, x1 in words), confidence)


def test_letters_of_thai_are_joined_up_to_the_next_phrase() -> None:
    line = line_of(("ม", 0, 15), ("น", 18, 30), ("ก", 45, 60), ("า", 62, 70))

    assert with_words_joined(line).text == "มน กา"


def test_ideographs_are_joined_and_latin_words_are_not() -> None:
    line = line_of(("人", 0, 40), ("生", 60, 100), ("is", 110, 130), ("free", 140, 190))

    assert with_words_joined(line).text == "人生 is free"


def test_syllables_of_korean_are_joined_where_their_centres_are_near() -> None:
    # The ink of a syllable may be much narrower than its square.
    line = line_of(
        ("인", 90, 98), ("간", 105, 115), ("은", 119, 128), ("태어날", 135, 176), ("때", 185, 192), ("부터", 199, 221)
    )

    assert with_words_joined(line).text == "인간은 태어날 때부터"


def test_a_line_of_marks_above_another_is_dropped() -> None:
    text, marks = line_of(("มน", 0, 300)), line_of(("a", 20, 60), ("x", 100, 120), top=-3, bottom=15, confidence=0.6)

    assert without_marks_alone([marks, text]) == [text]
