"""Count the automatic numbers of paragraphs, as presentations do."""

from __future__ import annotations

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"))
_ROMAN_ONES = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
MAX_ROMAN = 3_999


class Numbers:
    """Counts in one shape. A number goes on until a paragraph of its level has none, or a higher one comes."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[tuple[str, int], int]] = {}

    def marker(self, level: int, bullet: str, scheme: tuple[str, int] | None) -> str:
        """Return the bullet or the number of a paragraph; "" for none."""
        self._last = {deeper: known for deeper, known in self._last.items() if deeper <= level}
        if scheme is None:
            self._last.pop(level, None)
            return bullet
        known = self._last.get(level)
        number = known[1] + 1 if known and known[0] == scheme else scheme[1]
        self._last[level] = scheme, number
        return written(number, scheme[0])


def written(number: int, scheme: str) -> str:
    """Return a number as a scheme of DrawingML writes it, such as "arabicPeriod" or "alphaLcParenBoth"."""
    if scheme.startswith("alpha"):
        text = ""
        while number > 0:
            number, letter = divmod(number - 1, 26)
            text = chr(97 + letter) + text
    elif scheme.startswith("roman") and 0 < number <= MAX_ROMAN:
        text = roman(number)
    else:
        text = str(number)
    if "Uc" in scheme:
        text = text.upper()
    if scheme.endswith("ParenBoth"):
        return f"({text})"
    return f"{text})" if scheme.endswith("ParenR") else f"{text}."


def roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text + _ROMAN_ONES[number]
