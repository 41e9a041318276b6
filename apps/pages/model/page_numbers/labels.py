"""Page labels: the number of a page as its document writes it, such as "iv" or "A-3"."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_MAX_ROMAN, _MAX_LETTERS = 4_999, 26 * 20


class LabelRange(msgspec.Struct, frozen=True):
    """The labels from ``first_page`` on, up to the next range.

    ``style``: "D" for digits, "R" or "r" for roman numerals, "A" or "a" for letters, "" for no number. ``start``: the
    number of the first page.
    """

    first_page: int
    style: str = ""
    prefix: str = ""
    start: int = 1


def label_of(ranges: Sequence[LabelRange], page_number: int) -> str:
    """Return the label of a page; "" when the document gives it none. ``ranges``: in the order of their pages."""
    known = [each for each in ranges if each.first_page <= page_number]
    if not known:
        return ""
    number = known[-1].start + page_number - known[-1].first_page
    return known[-1].prefix + _written(number, known[-1].style)


def _written(number: int, style: str) -> str:
    if style == "D" or (style in "Rr" and number > _MAX_ROMAN) or (style in "Aa" and number > _MAX_LETTERS):
        return str(number) if style else ""
    if style in ("R", "r"):
        numeral = ""
        for value, sign in _ROMAN:
            numeral += number // value * sign
            number %= value
        return numeral.upper() if style == "R" else numeral
    if style in ("A", "a"):  # a to z, then aa to zz, aaa to zzz
        letters = chr(ord("a") + (number - 1) % 26) * (1 + (number - 1) // 26)
        return letters.upper() if style == "A" else letters
    return ""
