"""The markers of list items: bullets, numbers, letters."""

from __future__ import annotations

import re

# Bullets of text fonts and of the symbol fonts that office programs map into the private use area.
BULLETS = (
    "•◦▪▫■□●○◘◙‣⁃∙·⚫➢➤►▶▸–—−\\-*✓✔✗✘❖◆◇★➔→»›❑❒☐☑☒◻❍⬧⬥⧫⇨"
    "\uf0b7\uf0a7\uf0d8\uf0fc\uf076\uf02d\uf0f0\uf0a8\uf06e\uf075\uf0e0\uf06c\uf071\uf06f\uf0fe\uf0a1\uf0a4\uf09f"
)
CHECK_BOXES = frozenset("☐☑☒✓✔✗✘")
"""Check marks and crosses: they carry meaning, so they stay in the text of their item."""
CHECKED, UNCHECKED = frozenset(("☑", "☒", "[x]", "[X]")), frozenset(("☐", "[ ]"))
_BULLET = re.compile(
    f"([{BULLETS}]|o(?= ))\\s+(?=\\S)|([•◦▪●‣❑❒☐☑☒\uf0b7\uf0a7\uf0d8\uf0fc\uf076\uf0f0])(?=\\S)|\\[[ xX]\\]\\s+(?=\\S)"
)
_NUMBER = re.compile(r"(\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\[\d{1,3}\]|\d{1,3}(?=\s\s))\s+(?=\S)")
_LONE = re.compile(
    f"[{BULLETS}o]|\\(?(?:\\d{{1,3}}|[a-zA-Z]|[ivxIVX]{{1,5}})[.)]|\\[\\d{{1,3}}\\]|\\d+(?:\\.\\d+)+\\.?"
)
# A row of check marks belongs to a table, not to a list.
_CHECKS = "✓✔✗✘"
BULLET_SIGNS = frozenset(BULLETS.replace("\\-", "-") + "o")
_ORDINAL = re.compile(r"([(\[]?)(?:(\d+)|([a-zA-Z]+))([.)\]]?)")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_ROMAN_IN_LISTS = frozenset("ivxlc")


def split(text: str) -> tuple[str, str]:
    """Split a line into its marker and the rest. Return ("", text) when there is no marker."""
    first = text[:1]
    if first.isalpha() and (len(text) < 3 or (text[1] not in ".) " and first not in "ivxIVX")):
        return "", text
    found = _BULLET.match(text) or _NUMBER.match(text)
    if found is None or (first in _CHECKS and not text[found.end()].isalpha()):
        return "", text
    return found.group().strip(), text[found.end() :]


def is_lone(text: str) -> bool:
    """Return True if the whole text is a marker; the text of its list item follows on the same line."""
    return len(text) <= 8 and _LONE.fullmatch(text) is not None


def is_ordered(marker: str) -> bool:
    return bool(marker) and marker not in BULLET_SIGNS and not is_check_box(marker)


def is_check_box(marker: str) -> bool:
    return marker in CHECK_BOXES or (len(marker) == 3 and marker[0] == "[" and marker[1] in " xX")


def ordinals(marker: str) -> list[tuple[str, int]]:
    """Return what a marker may count: its kind, as in "(1)" or "a.", and its number. "i." is a letter or a numeral."""
    found = _ORDINAL.fullmatch(marker)
    if found is None:
        return []
    opening, digits, letters, closing = found.groups()
    if digits:
        return [(f"{opening}1{closing}", int(digits))]
    sign = "A" if letters.isupper() else "a"
    result = []
    if len(letters) == 1:
        result.append((f"{opening}{sign}{closing}", ord(letters.lower()) - ord("a") + 1))
    if all(letter in _ROMAN_IN_LISTS for letter in letters.lower()):
        result.append((f"{opening}{'I' if sign == 'A' else 'i'}{closing}", roman_value(letters)))
    return result


def roman_value(numeral: str) -> int:
    """Return the number that a roman numeral, in either case, stands for. Its letters are not checked."""
    values = [_ROMAN[letter] for letter in numeral.lower()]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)


def kind(marker: str) -> str:
    """Return the kind that a number or letter has, "" for bullets."""
    found = ordinals(marker)
    return found[0][0] if found else ""


def follows(first: str, second: str) -> bool:
    """Return True if one numbered marker comes directly after the other."""
    after = ordinals(second)
    return any((name, number + 1) in after for name, number in ordinals(first))
