"""Facts about writing systems: the direction, and whether spaces separate words."""

from __future__ import annotations

import re

MIN_IDEOGRAPH_LATIN_EMS, MIN_HANGUL_LATIN_EMS = 0.45, 0.3
# A line with more than this share of its letters from right to left is read from the right.
MIN_RTL_SHARE = 0.25
# Hebrew, Arabic and their presentation forms.
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# A Chinese or Japanese letter beside a Latin one or a digit, with a space and without.
_MIXED_APART = re.compile("[\u3040-\u9fff] [A-Za-z0-9]|[A-Za-z0-9] [\u3040-\u9fff]")
_MIXED_TIGHT = re.compile("[\u3040-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u3040-\u9fff]")
_LETTER = re.compile("[^\\W\\d_]")
# Han, kana, bopomofo and full-width signs are set without spaces; Hangul is not.
_UNSPACED = (
    (0x2E80, 0x2FDF),
    (0x3000, 0x312F),
    (0x31A0, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),
    (0x20000, 0x3FFFF),
)

# Blanks part phrases here, not words.
_PHRASED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))


def is_unspaced(character: str) -> bool:
    code = ord(character)
    return code >= 0x2E80 and any(low <= code <= high for low, high in _UNSPACED)


def mixed_gap_ems(left: str, right: str) -> float:
    """Return the gap, in ems, from which a blank parts a letter of East Asia from a Latin one; 0.0 for other pairs.

    Programs set such letters apart by about a quarter of an em without a blank.
    """
    if not left or not right or left.isascii() == right.isascii():
        return 0.0
    asian = right if left.isascii() else left
    if is_unspaced(asian):
        return MIN_IDEOGRAPH_LATIN_EMS
    return MIN_HANGUL_LATIN_EMS if "\uac00" <= asian <= "\ud7a3" else 0.0


def wraps_anywhere(character: str) -> bool:
    """Return True for scripts whose lines end between letters: those without spaces, and Thai, Lao, Burmese, Khmer."""
    code = ord(character)
    return is_unspaced(character) or (code >= 0x0E00 and any(low <= code <= high for low, high in _PHRASED))


def is_rtl(text: str) -> bool:
    """Return True if most letters of the text are written from right to left."""
    if text.isascii():
        return False
    marks = len(_RTL.findall(text))
    return marks > 0 and 2 * marks > len(_LETTER.findall(text))


def has_rtl(text: str) -> bool:
    """Return True if a letter of the text is written from right to left."""
    return not text.isascii() and _RTL.search(text) is not None


def leans_rtl(text: str) -> bool:
    """Return True for a line that is read from the right edge, though Latin words may fill most of it."""
    if text.isascii():
        return False
    return len(_RTL.findall(text)) > MIN_RTL_SHARE * len(_LETTER.findall(text))


def needs_space(left: str, right: str) -> bool:
    """Return True if a space separates ``left`` from ``right`` when they are joined."""
    return not (left and right and is_unspaced(left[-1]) and is_unspaced(right[0]))


def needs_space_at_line_end(left: str, right: str) -> bool:
    """Return True if a space separates ``left``, the end of a line, from ``right``, the beginning of the next.

    Between ideographs and Latin letters the text so far shows whether its author writes one.
    """
    if not (left and right):
        return True
    before, after = wraps_anywhere(left[-1]), wraps_anywhere(right[0])
    if before and after:
        return False
    if (before and right[0].isalnum()) or (after and left[-1].isalnum()):
        return len(_MIXED_APART.findall(left)) > len(_MIXED_TIGHT.findall(left))
    return True
