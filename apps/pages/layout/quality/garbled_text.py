"""Find text that is not what its page shows: characters without a letter, shifted alphabets, mixed scripts.

Fonts of a file may map their glyphs wrongly, each font by itself, so the text is judged font by font. Text of formulas
is not judged by its letters. A verdict here is a suspicion: OCR of the page confirms it or not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.pages.layout.quality import letter_frequencies, word_shapes
from apps.pages.model.raw_page import TextRun

# Replacement characters, the private use area and controls. Symbol fonts put bullets there, so a few mean nothing.
_NO_LETTERS = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
# Letters without a character in a row, and the letters of UTF-8 that was read as Latin-1 or Windows-1252.
_NO_WORD = re.compile(
    f"(?:{_NO_LETTERS.pattern}){{3}}|Ã[\x80-\xbfƒ„†‡‰‹Œœž]|â€[œž™˜¦\x80-\xbf]|(?:[ÐÑ][\x80-\xbf°±µ¾]){{2}}"
)
_SIGNS_OF_UTF8 = ("Ã", "â€", "Ð", "Ñ")
_REPEATED = re.compile(r"(.)\1{2,}")
_WORD = re.compile(r"\b[a-z]{4,}\b")

# Fewer letters do not show the language of a text.
MIN_LETTERS, MIN_DIFFERENT_LETTERS = 40, 12
MIN_LETTER_SHARE = 0.6
# Running text, lists and tables in fourteen languages fit with -2.8 to -3.2, letters at random with -3.8.
MAX_STRANGE_FIT, MIN_FIT, MIN_GAIN = -3.3, -3.1, 0.5
# Running text with fewer of the usual letters than this is looked at word by word.
MAX_DOUBTFUL_FIT = -3.15
# Words without a vowel: 0.02 in running text, 0.1 in program code, 0.3 where letters replace others.
MIN_WORDS, MIN_SHARE_WITHOUT_VOWEL = 25, 0.25
# Of a text beyond ASCII: letters that no language uses much, and neighbours of two scripts.
MIN_FOREIGN_LETTERS, MIN_RARE_SHARE, MIN_CHANGE_SHARE = 15, 0.3, 0.2
# Phonetic script consists of rare letters; it has these marks of stress and length.
_PHONETIC_MARKS, MIN_PHONETIC_SHARE = "ˈˌː", 0.05
# Accented letters of Europe are less than a quarter of any language's text; misread Cyrillic consists of them.
MIN_ACCENTED_LETTERS, MIN_ACCENTED_SHARE = 20, 0.6


class GarbledText(NamedTuple):
    """``characters``: how many are garbled. ``runs``: those with more of them than a bullet or an icon has."""

    characters: int
    runs: list[TextRun]


_NONE, _LATIN, _GREEK, _EAST_ASIAN, _RARE = 0, 1, 2, 3, 4
# First and last code of a script's letters; other scripts are numbered from 5.
_SCRIPTS = (
    (0x41, 0x5A, _LATIN), (0x61, 0x7A, _LATIN), (0xC0, 0x17F, _LATIN), (0x180, 0x19F, _RARE), (0x1A2, 0x1AE, _RARE),
    (0x1B1, 0x1CC, _RARE), (0x1CD, 0x1DC, _LATIN), (0x1DD, 0x217, _RARE), (0x218, 0x21B, _LATIN), (0x21C, 0x2AF, _RARE),
    (0x370, 0x3FF, _GREEK), (0x1F00, 0x1FFF, _GREEK), (0x400, 0x45F, 5), (0x460, 0x48F, _RARE), (0x490, 0x4FF, 5),
    (0x500, 0x52F, _RARE), (0x531, 0x58F, 6), (0x591, 0x5FF, 7), (0x600, 0x77F, 8), (0xFB50, 0xFDFF, 8),
    (0xFE70, 0xFEFC, 8), (0x780, 0x7BF, 9), (0x900, 0x97F, 10), (0x980, 0x9FF, 11), (0xA00, 0xA7F, 12),
    (0xA80, 0xAFF, 13), (0xB00, 0xB7F, 14), (0xB80, 0xBFF, 15), (0xC00, 0xC7F, 16), (0xC80, 0xCFF, 17),
    (0xD00, 0xD7F, 18), (0xD80, 0xDFF, 19), (0xE00, 0xE7F, 20), (0xE80, 0xEFF, 21), (0xF00, 0xFFF, 22),
    (0x1000, 0x109F, 23), (0x10A0, 0x10FF, 24), (0x1100, 0x11FF, _EAST_ASIAN), (0x1200, 0x139F, 25),
    (0x13A0, 0x13FF, 26), (0x1400, 0x167F, 27), (0x1780, 0x17FF, 28), (0x1800, 0x18AF, 29), (0x1E00, 0x1EFF, _LATIN),
    (0x2E80, 0x9FFF, _EAST_ASIAN), (0xA000, 0xA4CF, 30), (0xAC00, 0xD7AF, _EAST_ASIAN), (0xF900, 0xFAFF, _EAST_ASIAN),
    (0xFF66, 0xFFDC, _EAST_ASIAN),
)  # fmt: skip


def _script_numbers() -> Any:
    numbers = np.zeros(1 << 16, "u1")
    for first, last, number in _SCRIPTS:
        numbers[first : last + 1] = number
    return numbers


_SCRIPT_OF = _script_numbers()
# Formulas and abbreviations mix these with others inside a word.
_MIXED = np.isin(np.arange(64), (_NONE, _GREEK, _EAST_ASIAN))


def garbled_text(runs: Sequence[TextRun]) -> GarbledText:
    """Return the text that is no letters, or belongs to a font whose text is in no language."""
    fonts: dict[str, list[TextRun]] = defaultdict(list)
    formulas: list[str] = []
    for run in runs:
        if run.style.mathematics:
            formulas.append(run.text)
        else:
            fonts[run.style.font].append(run)
    count = len(_NO_LETTERS.findall("".join(formulas)))
    found: list[TextRun] = []
    for of_font in fonts.values():
        text = " ".join([run.text for run in of_font])
        if is_garbled(text):
            count += len(text) - text.count(" ")
            found += of_font
        elif not (text.isascii() and text.isprintable()):
            unclear = len(_NO_LETTERS.findall(text))
            count += unclear
            if unclear >= 3 or any(sign in text for sign in _SIGNS_OF_UTF8):
                found += [run for run in of_font if _NO_WORD.search(run.text)]
    return GarbledText(count, found)


def is_clear(text: str) -> bool:
    """Return True for text without a sign of being garbled."""
    return not _NO_LETTERS.search(text) and not is_garbled(text)


def is_garbled(text: str) -> bool:
    """Return True if the letters of a text are probably not those that its page shows."""
    if len(text) < MIN_FOREIGN_LETTERS:
        return False
    if not text.isascii() and _mixes_scripts(text):
        return True
    if len(text) < MIN_LETTERS:
        return not text.isascii() and word_shapes.has_signs_for_letters(text)
    return _has_strange_letters(text)


def _mixes_scripts(text: str) -> bool:
    if len(text) - len(text.encode("ascii", "ignore")) < MIN_FOREIGN_LETTERS:
        return False
    codes: Any = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4")
    scripts = _SCRIPT_OF[codes[codes < len(_SCRIPT_OF)]]
    letters = np.count_nonzero(scripts)
    if letters < MIN_FOREIGN_LETTERS:
        return False
    if sum(map(text.count, _PHONETIC_MARKS)) >= MIN_PHONETIC_SHARE * letters:
        return False
    if np.count_nonzero(scripts == _RARE) >= MIN_RARE_SHARE * letters:
        return True
    left, right = scripts[:-1], scripts[1:]
    changes = np.count_nonzero((left != right) & ~_MIXED[left] & ~_MIXED[right])
    if changes >= MIN_CHANGE_SHARE * letters:
        return True
    accented = np.count_nonzero((codes >= 0xC0) & (codes <= 0x17F))
    return bool(accented >= MIN_ACCENTED_LETTERS and accented >= MIN_ACCENTED_SHARE * letters)


def _has_strange_letters(text: str) -> bool:
    counts = _ascii_counts(text)
    letters = letter_frequencies.letter_counts(counts)
    few = letters.sum() < MIN_LETTERS
    if (few or np.count_nonzero(letters) < MIN_DIFFERENT_LETTERS) and word_shapes.has_signs_for_letters(text):
        return True
    if few:
        return not text.isascii() and word_shapes.is_unpronounceable(text)
    plain = letter_frequencies.plain_fit(letters)
    if plain <= MAX_DOUBTFUL_FIT and word_shapes.is_unpronounceable(text):
        return True
    if plain > MAX_STRANGE_FIT:
        return False
    # Fill characters such as XXXX do not show the language.
    counts = _ascii_counts(_REPEATED.sub(r"\1", text))
    letters = letter_frequencies.letter_counts(counts)
    if letters.sum() < MIN_LETTERS or np.count_nonzero(letters) < MIN_DIFFERENT_LETTERS:
        return False
    fit = letter_frequencies.fit(counts)
    if fit.plain > MAX_STRANGE_FIT:
        return False
    if fit.shifted >= MIN_FIT and fit.shifted - fit.plain >= MIN_GAIN and fit.letter_share >= MIN_LETTER_SHARE:
        return True
    words = _WORD.findall(text.lower())
    without_vowel = sum(1 for word in words if not any(vowel in word for vowel in "aeiouy"))
    return len(words) >= MIN_WORDS and without_vowel >= MIN_SHARE_WITHOUT_VOWEL * len(words)


def _ascii_counts(text: str) -> Any:
    """Return how often each ASCII code occurs, blanks not counted."""
    codes = np.frombuffer(text.encode("ascii", "ignore"), "u1")
    counts = np.bincount(codes, minlength=0x80).astype("f8")
    counts[:0x21] = 0
    return counts
