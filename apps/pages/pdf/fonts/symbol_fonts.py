"""The characters behind the codes of fonts of symbols: Symbol (Adobe's encoding) and Wingdings (Unicode 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.model.text import symbol_signs

# Programs write code 0xA7 of such a font as U+F0A7.
_PRIVATE = 0xF000
# The pieces of tall brackets that Adobe's list of glyph names puts into the private use area, from this code.
_FIRST_PIECE = 0xF8E6
_PIECES = "⏐⎯®©™⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪⎮⎞⎟⎠⎤⎥⎦⎫⎬⎭"


def _by_code(table: str) -> Any:
    return np.array([0] * 0x20 + [ord(character) for character in table], "u4")


SYMBOL, WINGDINGS = _by_code(symbol_signs.SYMBOL), _by_code(symbol_signs.WINGDINGS)


def table_of(name: str) -> Any:
    """Return the code points of the codes 0-255 of a font, 0 where it has none; None for a font of letters."""
    plain = name.lower()
    if plain.startswith("wingdings") and plain[9:10] not in (" ", "2", "3"):
        return WINGDINGS
    return SYMBOL if plain.startswith(("symbol", "standardsymbol")) else None


def replace(characters: Any, codes: Any, here: Any, table: Any) -> None:
    """Replace, in place, the characters at ``here``, of one font of symbols; ``codes``: in the font."""
    found = characters[here]
    private = (found >= _PRIVATE) & (found < _PRIVATE + 0x100)
    # Without a map, a dingbat comes as the letter that has its code.
    known = private if table is SYMBOL else private | (found < 0x100) & (found == codes[here])
    named = table[np.where(known, found & 0xFF, 0)]
    characters[here] = np.where(named > 0, named, found)


def piece_of_bracket(character: int) -> int:
    """Return the public code point of a piece of a tall bracket, 0 for any other character."""
    place = character - _FIRST_PIECE
    return ord(_PIECES[place]) if 0 <= place < len(_PIECES) else 0
