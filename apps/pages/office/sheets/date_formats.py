"""Show a moment as a spreadsheet program shows it with the tokens of a number format."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

_MONTHS, _DAYS = tuple(calendar.month_name)[1:], tuple(calendar.day_name)
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30, tzinfo=UTC), datetime(1904, 1, 1, tzinfo=UTC)
MAX_DATE = 2_958_466  # the day after 9999-12-31
Token = tuple[str, str]
"""The kind of a part of a format, and what it says."""


def shown(value: float, tokens: Sequence[Token], *, is_1904: bool) -> str | None:
    """Return the days since the first day of the workbook as a date and time; None if there is no such date."""
    if not 0 <= value < MAX_DATE:
        return None
    fraction = next((len(text) - 1 for kind, text in tokens if kind == "date" and text.startswith(".0")), 0)
    unit = Decimal(1).scaleb(-fraction)
    seconds = (Decimal(repr(value)) * 86_400).quantize(unit, ROUND_HALF_UP)
    epoch = _EPOCH_1904 if is_1904 else _EPOCH
    days = 0 if is_1904 or value >= 61 else 1  # the year 1900 has a 29th of February in these files
    try:
        moment = epoch + timedelta(days=days, seconds=int(seconds))
    except OverflowError:
        return None
    has_half = any(text in ("AM/PM", "A/P") for _kind, text in tokens)
    pieces = []
    for kind, text in tokens:
        if kind == "elapsed":
            size = {"h": 3_600, "m": 60, "s": 1}[text[0]]
            pieces.append(f"{int(seconds) // size:0{len(text)}d}")
        elif kind == "date" and text.startswith(".0"):
            pieces.append("." + f"{seconds % 1:.{fraction}f}"[2:])
        elif kind == "date":
            pieces.append(_date_part(moment, text, has_half=has_half))
        elif kind == "text":
            pieces.append(text)
    return "".join(pieces).strip()


def _date_part(moment: datetime, text: str, *, has_half: bool) -> str:
    hour = (moment.hour % 12 or 12) if has_half else moment.hour
    size = len(text)
    number = {"h": hour, "n": moment.minute, "s": moment.second, "d": moment.day, "m": moment.month}.get(text[0])
    if text == "AM/PM":
        return "AM" if moment.hour < 12 else "PM"
    if text == "A/P":
        return "A" if moment.hour < 12 else "P"
    if text[0] in "ye":
        return f"{moment.year % 100:02d}" if size <= 2 and text[0] == "y" else f"{moment.year:04d}"
    if text[0] == "m" and size > 2:
        name = _MONTHS[moment.month - 1]
        return name[:3] if size == 3 else name[0] if size == 5 else name
    if text[0] == "d" and size > 2:
        return _DAYS[moment.weekday()][:3] if size == 3 else _DAYS[moment.weekday()]
    return "" if number is None else f"{number:02d}" if size > 1 else str(number)
