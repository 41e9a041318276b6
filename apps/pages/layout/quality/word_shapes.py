"""Find text that is in no language: words that cannot be pronounced, and signs in place of letters."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np

# The first characters of a text are enough for the verdict.
MAX_JUDGED_CHARACTERS = 1_500
_VOWELS = "aeiouyаеёиоуыэюяіїєѣъαεηιουω"
_WORD = re.compile("[a-z\u0370-\u03ff\u0400-\u045f]{4,}")
# Czech and Serbian have r and l as vowels.
_HARD = re.compile(f"^[^{_VOWELS}lrsлрс]{{3}}|[^{_VOWELS}lrлр]{{5}}|[{_VOWELS}]{{4}}|^[^{_VOWELS}lrлр]+$")
_PROSE = re.compile(r"(?:^|(?<=[\s(„“\"'«¿¡-]))[^\W\d_][^\W\d_A-ZА-ЯΑ-Ω]+")
# One word in fifty has five consonants or four vowels in a row, or no vowel; one in six if letters replace others.
MIN_WORDS, MIN_HARD_SHARE, MIN_PROSE_SHARE = 12, 0.12, 0.6
# Text of this many different signs, which are this share of it, has signs in place of letters. In prose one character
# in twenty is a sign, in program code one in three.
MIN_SIGNS, MIN_DIFFERENT_SIGNS, MIN_SIGN_SHARE = 20, 12, 0.85
# One character for all letters, in words of different lengths. Leaders and rules have these.
MIN_REPEATED_SHARE, MIN_DIFFERENT_LENGTHS = 0.95, 4
_LEADERS = frozenset("._-–—·•…=*~+│|0")
# Ideographs: a page of them has more different ones than an alphabet.
MIN_IDEOGRAPHS, MAX_ALPHABET = 250, 80


def is_unpronounceable(text: str) -> bool:
    """Return True for running text in Latin, Greek or Cyrillic letters whose words cannot be pronounced."""
    text = text[:MAX_JUDGED_CHARACTERS]
    prose = sum(map(len, _PROSE.findall(text)))
    if prose < MIN_PROSE_SHARE * (len(text) - text.count(" ")):
        return False
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    words = _WORD.findall(text.lower())
    return len(words) >= MIN_WORDS and sum(map(bool, map(_HARD.search, words))) >= MIN_HARD_SHARE * len(words)


def has_signs_for_letters(text: str) -> bool:
    """Return True if a text consists of signs where words have letters, or of too few different characters."""
    codes: Any = np.frombuffer(text[:MAX_JUDGED_CHARACTERS].encode("utf-32-le", "replace"), "<u4")
    codes = codes[codes > 0x20]
    if len(codes) < MIN_SIGNS:
        return False
    counts = np.bincount(np.minimum(codes, 0xFFFF))
    usual = int(counts.argmax())
    if counts[usual] >= MIN_REPEATED_SHARE * len(codes) and chr(usual) not in _LEADERS:
        return len({len(word) for word in text.split()}) >= MIN_DIFFERENT_LENGTHS
    # Signs of ASCII and Latin-1, arrows, operators, shapes and dingbats.
    letter = (codes | 0x20 >= 0x61) & (codes | 0x20 <= 0x7A)
    signs = (codes < 0x7F) & ~((codes >= 0x30) & (codes <= 0x39)) & ~letter
    signs |= (codes >= 0xA1) & (codes < 0xC0) | (codes >= 0x2190) & (codes < 0x2500)
    signs |= (codes >= 0x25A0) & (codes < 0x27C0)
    if signs.sum() >= MIN_SIGN_SHARE * len(codes):
        words = text.split()
        # Signs that stand alone are bullets, arrows and boxes.
        return bool(np.count_nonzero(counts) >= MIN_DIFFERENT_SIGNS and len(codes) >= 3 * len(words))
    ideographs = codes[(codes >= 0x3400) & (codes < 0xD7B0)]
    return len(ideographs) >= MIN_IDEOGRAPHS and len(np.unique(ideographs)) < MAX_ALPHABET
