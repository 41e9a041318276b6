"""How often languages in Latin letters use each letter, and how well a text fits them.

Sources: letter frequencies of running text as published for each language, letters with accents counted as plain ones.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

# Per ten thousand letters, from a to z.
_FREQUENCIES = {
    "en": "817 149 278 425 1270 223 202 609 697 15 77 403 241 675 751 193 10 599 633 906 276 98 236 15 197 7",
    "de": "710 190 270 510 1640 170 300 460 660 27 140 340 250 980 300 67 2 700 760 620 520 85 190 3 4 110",
    "fr": "820 90 330 370 1750 107 87 74 750 60 7 550 300 710 580 250 136 670 790 720 630 180 5 43 13 33",
    "es": "1200 220 400 500 1260 70 180 70 690 50 1 500 320 700 950 250 90 690 800 460 310 110 2 20 100 50",
    "it": "1170 90 450 370 1210 120 160 60 1010 1 1 650 250 690 980 310 50 640 500 560 300 210 3 1 2 120",
    "pt": "1590 100 440 500 1340 100 130 80 620 40 2 280 470 440 1070 250 120 650 680 430 360 160 4 45 1 47",
    "nl": "750 160 120 590 1890 80 340 240 650 150 220 360 220 1000 610 160 1 640 370 680 200 290 150 4 4 140",
    "pl": "990 150 440 330 880 30 140 110 820 230 350 390 280 570 860 310 1 470 500 400 250 4 470 2 380 640",
    "sv": "1250 150 150 470 1010 200 290 210 580 60 310 530 350 850 580 180 2 840 660 770 190 240 10 20 70 7",
    "fi": "1580 30 30 100 800 20 40 190 1080 200 500 580 320 880 600 180 1 290 790 880 500 230 10 3 170 5",
    "cs": "850 160 300 360 1000 30 30 140 740 210 370 380 320 650 870 340 1 490 530 570 390 470 1 8 290 290",
    "tr": "1190 280 220 470 890 50 240 120 1370 3 470 590 380 750 330 90 1 670 480 300 510 100 1 1 330 150",
    "id": "2000 260 80 430 830 30 370 230 800 80 510 330 420 930 130 260 1 460 420 560 500 20 50 1 150 10",
    "hu": "1250 190 70 190 1500 50 280 130 460 120 480 670 410 550 650 50 1 280 700 720 130 240 1 1 230 400",
}
LETTERS = 26
_MIN_FREQUENCY = 5.0
_CODES = 128
# Text given with each letter moved along the character set: by up to this many places.
_MAX_SHIFT = 40
_CASE_SHIFT = 32
_UPPER, _LOWER = ord("A"), ord("a")


class Fit(msgspec.Struct, frozen=True):
    """How a text fits the best language: the mean logarithm of the frequency of its letters (running text: about -2.9,
    letters at random: -3.8) unshifted, and after the best shift. ``letter_share``: how many of its characters are
    letters after that shift, 0.0-1.0."""

    plain: float
    shifted: float
    letter_share: float


_ROWS = np.maximum([[float(number) for number in row.split()] for row in _FREQUENCIES.values()], _MIN_FREQUENCY)
_LOGARITHMS = np.log(_ROWS / _ROWS.sum(axis=1, keepdims=True))
# One row for each language and rotation of the alphabet by 1 to 25 letters: what a letter is worth after the rotation.
_ROTATED = np.concatenate([np.roll(_LOGARITHMS, shift, axis=1) for shift in range(1, LETTERS)])


def letter_counts(counts: Any) -> Any:
    """Return how often each letter occurs, in either case. ``counts``: of the ASCII codes."""
    return counts[_UPPER : _UPPER + LETTERS] + counts[_LOWER : _LOWER + LETTERS]


def plain_fit(letters: Any) -> float:
    """Return the mean logarithm of the frequency of the letters in the language that fits best."""
    return float((_LOGARITHMS @ letters).max() / letters.sum())


def fit(counts: Any) -> Fit:
    """Return how the text with these ``counts`` of ASCII codes (blanks are not counted) fits, plain and shifted."""
    letters = letter_counts(counts)
    total, plain = counts.sum(), plain_fit(letters)
    found = Fit(plain, float((_ROTATED @ letters).max() / letters.sum()), float(letters.sum() / total))
    for shift in range(-_MAX_SHIFT, _MAX_SHIFT + 1):
        if shift in (0, _CASE_SHIFT, -_CASE_SHIFT):
            continue
        moved = np.zeros(_CODES)
        moved[max(0, shift) : _CODES + min(0, shift)] = counts[max(0, -shift) : _CODES - max(0, shift)]
        letters = letter_counts(moved)
        share = float(letters.sum() / total)
        if share >= found.letter_share and (value := plain_fit(letters)) > found.shifted:
            found = Fit(plain, value, share)
    return found
