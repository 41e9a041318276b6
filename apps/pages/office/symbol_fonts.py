"""Write the text of symbol fonts in Unicode. Their letters are signs: "m" in Symbol is shown as "μ".

Office programs write the code of a sign as it is, or in the private use area, 0xF000 higher.
"""

from __future__ import annotations

from apps.pages.model.text import symbol_signs

_PRIVATE = range(0xF020, 0xF100)
_BOXES = {0x6F: "☐", 0x78: "☒", 0xA8: "☐", 0xFE: "☒"}
"""As Word writes the check boxes of forms."""
_WINGDINGS_2 = {
    0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x95: "•", 0x96: "•", 0x97: "●", 0x98: "●",
    0x99: "○", 0xA2: "■", 0xA3: "☐", 0x69: "⓪", **{0x6A + place: chr(0x2460 + place) for place in range(10)},
    0x74: "⓿", **{0x75 + place: chr(0x2776 + place) for place in range(10)},
}  # fmt: skip
_WINGDINGS_3 = {
    0x70: "▲", 0x71: "▼", 0x72: "△", 0x73: "▽", 0x74: "◀", 0x75: "▶", 0x76: "◁", 0x77: "▷", 0x7C: "◀", 0x7D: "▶",
    0x7E: "▲", 0x80: "▼",
}  # fmt: skip
_WEBDINGS = {
    0x33: "◀", 0x34: "▶", 0x35: "▲", 0x36: "▼", 0x61: "✔", 0x63: "☐", 0x67: "■", 0x6E: "●", 0x72: "✖",
}  # fmt: skip


def _by_code(signs: str) -> dict[int, str]:
    return {code: sign for code, sign in enumerate(signs, 0x20) if sign != "\0"}


_FONTS = {
    **dict.fromkeys(("symbol", "symbol mt", "symbolmt"), _by_code(symbol_signs.SYMBOL)),
    "wingdings": _by_code(symbol_signs.WINGDINGS) | _BOXES,
    "wingdings 2": _WINGDINGS_2,
    "wingdings 3": _WINGDINGS_3,
    "webdings": _WEBDINGS,
}


def is_symbol_font(name: str) -> bool:
    return name.strip().lower() in _FONTS


def written(text: str, font: str, *, private_only: bool = False) -> str:
    """Return text that is set in a font. Signs without a letter in Unicode stay as they are.

    ``private_only``: the font is only for signs that are written in the private use area.
    """
    signs = _FONTS.get(font.strip().lower())
    if signs is None:
        return text

    def sign(letter: str) -> str:
        code = ord(letter)
        if code in _PRIVATE:
            return signs.get(code - 0xF000, letter)
        return letter if private_only else signs.get(code, letter)

    return "".join(map(sign, text))
