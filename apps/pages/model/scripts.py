"""Facts about writing systems: the direction, and whether spaces separate words."""

from __future__ import annotations

import re

# Hebrew, Arabic and their presentation forms.
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
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


def is_unspaced(character: str) -> bool:
    code = ord(character)
    return code >= 0x2E80 and any(low <= code <= high for low, high in _UNSPACED)


def is_rtl(text: str) -> bool:
    """Return True if most letters of the text are written from right to left."""
    if text.isascii():
        return False
    marks = len(_RTL.findall(text))
    return marks > 0 and 2 * marks > len(_LETTER.findall(text))


def needs_space(left: str, right: str) -> bool:
    """Return True if a space separates ``left`` from ``right`` when they are joined."""
    return not (left and right and is_unspaced(left[-1]) and is_unspaced(right[0]))
