"""Count the automatic numbers of paragraphs, as presentations do."""

from __future__ import annotations

from apps.pages.office import numerals


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
    text = str(number)
    if scheme.startswith("alpha"):
        text = numerals.letters(number)
    elif scheme.startswith("roman"):
        text = numerals.roman(number)
    if "Uc" in scheme:
        text = text.upper()
    if scheme.endswith("ParenBoth"):
        return f"({text})"
    return f"{text})" if scheme.endswith("ParenR") else f"{text}."
