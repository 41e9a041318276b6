"""The markers of list items: bullets, numbers, letters."""

from __future__ import annotations

import re

# Bullets of text fonts and of the symbol fonts that office programs map into the private use area.
BULLETS = "•◦▪▫■□●○◘◙‣⁃∙·⚫➢➤►▶▸–—\\-*✓✔✗❖◆◇★\uf0b7\uf0a7\uf0d8\uf0fc\uf076\uf02d\uf0f0\uf0a8\uf06e\uf075\uf0e0"
_BULLET = re.compile(f"([{BULLETS}]|o(?= ))\\s+(?=\\S)|([•◦▪●‣\uf0b7\uf0a7\uf0d8\uf0fc\uf076\uf0f0])(?=\\S)")
_NUMBER = re.compile(r"(\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\[\d{1,3}\]|\d{1,3}(?=\s\s))\s+(?=\S)")
_LONE = re.compile(
    f"[{BULLETS}o]|\\(?(?:\\d{{1,3}}|[a-zA-Z]|[ivxIVX]{{1,5}})[.)]|\\[\\d{{1,3}}\\]|\\d+(?:\\.\\d+)+\\.?"
)
# A row of check marks belongs to a table, not to a list.
_CHECKS = "✓✔✗"
BULLET_SIGNS = frozenset(BULLETS.replace("\\-", "-") + "o")


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
    return marker not in BULLET_SIGNS
