"""Write the text of symbol fonts in Unicode. Their letters are signs: "m" in Symbol is shown as "μ".

Office programs write the code of a sign as it is, or in the private use area, 0xF000 higher.
"""

from __future__ import annotations

_PRIVATE = range(0xF020, 0xF100)
# The encoding of Adobe's Symbol from 0x20, from 0xA0 and from 0xF1 on.
_SYMBOL = " !∀#∃%&∋()*+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
_SYMBOL_HIGH = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪"
_SYMBOL_END = "⟩∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
_WINGDINGS = {
    0x22: "✂", 0x28: "☎", 0x2A: "✉", 0x36: "⌛", 0x37: "⌨", 0x3E: "✇", 0x3F: "✍", 0x41: "✌", 0x43: "👍", 0x44: "👎",
    0x45: "☜", 0x46: "☞", 0x47: "☝", 0x48: "☟", 0x4A: "☺", 0x4B: "😐", 0x4C: "☹", 0x4E: "☠", 0x51: "✈", 0x52: "☼",
    0x54: "❄", 0x58: "✠", 0x59: "✡", 0x5A: "☪", 0x5B: "☯", 0x6C: "●", 0x6D: "❍", 0x6E: "■", 0x6F: "☐", 0x71: "❑",
    0x72: "❒", 0x73: "⬧", 0x74: "⧫", 0x75: "◆", 0x76: "❖", 0x77: "⬥", 0x78: "☒", 0x9E: "·", 0x9F: "•", 0xA1: "○",
    0xA4: "◉", 0xA5: "◎", 0xA7: "▪", 0xA8: "☐", 0xAB: "★", 0xB5: "✪", 0xB6: "✰", 0xD8: "➢", 0xDF: "←", 0xE0: "→",
    0xE1: "↑", 0xE2: "↓", 0xE3: "↖", 0xE4: "↗", 0xE5: "↙", 0xE6: "↘", 0xE8: "➔", 0xEF: "⇦", 0xF0: "⇨", 0xF1: "⇧",
    0xF2: "⇩", 0xF3: "⬄", 0xF4: "⇳", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☒",
    0x80: "⓪", **{0x81 + place: chr(0x2460 + place) for place in range(10)},
    0x8B: "⓿", **{0x8C + place: chr(0x2776 + place) for place in range(10)},
    **{0x5E + place: chr(0x2648 + place) for place in range(12)},
}  # fmt: skip
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
_ADOBE = {
    first + place: sign
    for first, signs in ((0x20, _SYMBOL), (0xA0, _SYMBOL_HIGH), (0xF1, _SYMBOL_END))
    for place, sign in enumerate(signs)
}
_FONTS = {
    **dict.fromkeys(("symbol", "symbol mt", "symbolmt"), _ADOBE),
    "wingdings": _WINGDINGS,
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
