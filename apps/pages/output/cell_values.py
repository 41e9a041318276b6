"""The value and the number format of a cell of a workbook that shows exactly the text of a table's cell.

A text stays text where its value is not certain: numbers with leading zeros, of more than 15 digits, in brackets, or
with a decimal comma. The separators are those of English, because a workbook shows them in the language of its reader.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import NamedTuple

MAX_NUMBER_DIGITS = 15
_GENERAL = "General"
_NUMBER = re.compile(
    r"(?P<minus>-?)(?P<before>(?:[$€£¥]|(?:USD|EUR|GBP|CHF|JPY)(?=[ \u00a0]))[ \u00a0]?)?"
    r"(?P<whole>0|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d*)(?P<point>\.\d+)?"
    r"(?P<after>[ \u00a0]?(?:%|[$€£¥]|USD|EUR|GBP|CHF|JPY))?",
    re.ASCII,
)
# Excel counts days from here. It takes 1900 for a leap year, so its days are those of the calendar from March on.
_DAY_ZERO, _FIRST_DATE = datetime(1899, 12, 30, tzinfo=UTC), datetime(1900, 3, 1, tzinfo=UTC)
_DATES = (
    (re.compile(r"\d{4}-\d\d-\d\d", re.ASCII), "%Y-%m-%d", "yyyy-mm-dd"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII), "%Y-%m-%d %H:%M", "yyyy-mm-dd hh:mm"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII), "%Y-%m-%d %H:%M:%S", "yyyy-mm-dd hh:mm:ss"),
)
# Numbers with a decimal comma, or with points between thousands.
_COMMA_IS_DECIMAL = re.compile(r"\d,(?:\d{1,2}|\d{4,})(?![\d,])|\d\.\d{3}[.,]\d|(?<![\d.,])0,\d", re.ASCII)
# Numbers with commas between thousands, which can be nothing else.
_COMMA_IS_GROUP = re.compile(r"\d,\d{3}(?:,\d{3}|\.\d)", re.ASCII)

_POINT_BEFORE_THREE = re.compile(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)


class Separators(Enum):
    """How the numbers of a table are written."""

    ENGLISH = "1,234.5"
    OTHER = "1.234,5"
    UNKNOWN = "?"


class CellValue(NamedTuple):
    """``value``: a number; of a date, the days by which Excel counts."""

    value: float
    number_format: str


def separators_of(texts: Iterable[str]) -> Separators:
    """Return how the numbers of a table are written, as far as its cells show it."""
    is_english = False
    for text in texts:
        if "," not in text and text.count(".") < 2:
            continue
        if _COMMA_IS_DECIMAL.search(text):
            return Separators.OTHER
        is_english = is_english or bool(_COMMA_IS_GROUP.search(text))
    return Separators.ENGLISH if is_english else Separators.UNKNOWN


def cell_value(text: str, separators: Separators = Separators.UNKNOWN) -> CellValue | None:
    """Return the number or the moment that is written as exactly this text; None if the text stays text."""
    if not text or len(text) > 40:
        return None
    for pattern, layout, number_format in _DATES:
        if pattern.fullmatch(text):
            return _moment(text, layout, number_format)
    found = _NUMBER.fullmatch(text)
    return _number(found, separators) if found else None


def _moment(text: str, layout: str, number_format: str) -> CellValue | None:
    try:
        moment = datetime.strptime(text, layout).replace(tzinfo=UTC)
    except ValueError:
        return None
    return CellValue((moment - _DAY_ZERO) / timedelta(days=1), number_format) if moment >= _FIRST_DATE else None


def _number(found: re.Match[str], separators: Separators) -> CellValue | None:
    minus, before, whole, point, after = (found[name] or "" for name in ("minus", "before", "whole", "point", "after"))
    digits = f"{whole.replace(',', '')}{point}"
    if len(digits.replace(".", "")) > MAX_NUMBER_DIGITS or (before and after):
        return None
    if "," in whole and not point and whole.count(",") == 1 and separators is not Separators.ENGLISH:
        return None
    if separators is Separators.OTHER and ("," in whole or _POINT_BEFORE_THREE.fullmatch(digits)):
        return None
    number = float(f"{minus}{digits}")
    if not math.isfinite(number) or (minus and number == 0):
        return None
    is_percent = after.strip() == "%"
    number_format = f"{'#,##0' if ',' in whole else '0'}{'.' + '0' * (len(point) - 1) if point else ''}"
    if not before and not after and "," not in whole and f"{minus}{digits}" in (repr(number), f"{number:.0f}"):
        return CellValue(number, _GENERAL)
    if before or not is_percent:
        number_format = f"{_literal(before)}{number_format}{_literal(after)}"
    else:
        number_format += _literal(after[:-1]) + "%"
        number = float(f"{minus}{digits}e-2")
    return CellValue(number, number_format)


def _literal(text: str) -> str:
    return f'"{text}"' if text else ""
