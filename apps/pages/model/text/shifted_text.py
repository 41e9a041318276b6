"""Raised and lowered text as Unicode superscripts and subscripts, so that 10⁶ never reads 106."""

from __future__ import annotations

import re

_RAISED_SIGNS = dict(zip("0123456789+−-=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾", strict=True))
_RAISED_LETTERS = dict(
    zip(
        "abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUW",
        "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁᵂ",
        strict=True,
    )
)
_LOWERED_SIGNS = dict(zip("0123456789+−-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))
_LOWERED_LETTERS = dict(zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_CARET = "^"
_TABLES = {
    True: (str.maketrans(_RAISED_SIGNS), str.maketrans({**_RAISED_SIGNS, **_RAISED_LETTERS})),
    False: (str.maketrans(_LOWERED_SIGNS), str.maketrans({**_LOWERED_SIGNS, **_LOWERED_LETTERS})),
}
_LEVEL = {
    shifted: sign
    for table in (_RAISED_SIGNS, _RAISED_LETTERS, _LOWERED_SIGNS, _LOWERED_LETTERS)
    for sign, shifted in reversed(table.items())
}
_LEVEL_TABLE = str.maketrans(_LEVEL)
SHIFTED_CHARACTERS = "".join(_LEVEL)
_TAGGED = re.compile(r"<(su[pb])>([^<>\n]{1,24})</\1>", re.IGNORECASE)


def shifted(text: str, *, raised: bool, formula: bool = False) -> str:
    """Return text set above or below its line in raised or lowered characters.

    Digits and signs always have one. A word such as the ``th`` of 12th stays as it is; a single letter without a
    raised form gets a caret, and so do several letters in a formula.
    """
    signs, letters = _TABLES[raised]
    if len(text) > 1 and text.isalpha() and not formula:
        return text
    if all(code in letters for code in map(ord, text)):
        return text.translate(letters)
    return _CARET + text if raised and text.isalpha() else text.translate(signs)


def on_the_line(text: str) -> str:
    """Return the characters that ``shifted`` was given."""
    return text.removeprefix(_CARET).translate(_LEVEL_TABLE)


def without_tags(text: str) -> str:
    """Return HTML or Markdown with its ``<sup>`` and ``<sub>`` elements as raised and lowered characters."""
    if "<" not in text:
        return text
    return _TAGGED.sub(lambda found: shifted(found.group(2), raised=found.group(1).lower() == "sup"), text)
