"""The state of a device while the commands of a metafile are read: fonts, places, and the texts drawn so far."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from apps.pages.model.text.safe_text import clean
from apps.pages.office.rtf.tokens import CHARSETS
from apps.pages.pdf.fonts import symbol_fonts

MAX_RECORDS = 500_000
MAX_TEXTS, MAX_CHARACTERS, MAX_TEXT_CHARACTERS = 20_000, 200_000, 10_000
MAX_OBJECTS, MAX_SAVED = 65_536, 1_000
MAX_PLACE = 1e9
DEFAULT_SIZE = 12.0
SYMBOL_CHARSET = 2
_PRIVATE = 0xF000
# How texts are aligned at their point (MS-WMF 2.1.2.3).
_MOVES_POINT, _RIGHT, _CENTER, _BOTTOM, _BASELINE = 1, 2, 6, 8, 24
_ASCENT, _DESCENT = 0.8, 0.2
# The mean width of letters as a share of their size, if the file does not say where each is.
_ADVANCE, _WIDE_ADVANCE = 0.5, 1.0
_FIRST_WIDE = 0x2E80
# Parts of a line are one word if the gap is smaller than this share of their size, and one line up to the second.
_MIN_GAP, _MAX_GAP, _MAX_SHIFT = 0.2, 2.0, 0.4
Matrix = tuple[float, float, float, float, float, float]
UPRIGHT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Font(NamedTuple):
    """``size``: in units of the picture."""

    size: float = DEFAULT_SIZE
    charset: int = 0
    name: str = ""

    def decoded(self, text: bytes) -> str:
        """Return text of one or two bytes a character."""
        if self.charset == SYMBOL_CHARSET or symbol_fonts.table_of(self.name) is not None:
            return self.shown("".join(chr(_PRIVATE + code) for code in text if code >= ord(" ")))
        return text.decode(CHARSETS.get(self.charset, "cp1252"), errors="replace")

    def shown(self, text: str) -> str:
        """Return text with the characters that a font of symbols shows."""
        table = symbol_fonts.table_of(self.name)
        if table is None or not any(_PRIVATE <= ord(letter) < _PRIVATE + 0x100 for letter in text):
            return text
        codes = [ord(letter) - _PRIVATE for letter in text]
        return "".join(
            chr(int(table[code])) if 0 <= code < 0x100 and table[code] else letter
            for code, letter in zip(codes, text, strict=True)
        )


DEFAULT_FONT = Font()


class DrawnText(NamedTuple):
    """``x`` of its left end, ``y`` of its baseline, width and size in units of the picture."""

    x: float
    y: float
    width: float
    size: float
    text: str


@dataclass
class Playback:
    """``matrix``: from units of the commands to those of the picture. ``point``: where lines and texts go on.

    ``is_cut``: there are more texts than are kept.
    """

    matrix: Matrix = UPRIGHT
    font: Font = DEFAULT_FONT
    alignment: int = 0
    point: tuple[float, float] = (0.0, 0.0)
    texts: list[DrawnText] = field(default_factory=list)
    objects: dict[int, Font | None] = field(default_factory=dict)
    saved: list[Playback] = field(default_factory=list)
    bitmaps: list[bytes] = field(default_factory=list)
    has_drawing: bool = False
    characters: int = 0
    is_cut: bool = False

    def save(self) -> None:
        if len(self.saved) < MAX_SAVED:
            self.saved.append(replace(self))

    def restore(self, place: int) -> None:
        """Return to a saved state: the last for -1, the first for 1."""
        index = len(self.saved) + place if place < 0 else place - 1
        if 0 <= index < len(self.saved):
            kept = self.saved[index]
            del self.saved[index:]
            self.matrix, self.font, self.alignment, self.point = kept.matrix, kept.font, kept.alignment, kept.point

    def select(self, number: int) -> None:
        self.font = self.objects.get(number) or self.font

    def draw(self, text: str, x: float, y: float, width: float = 0.0) -> None:
        """Add a text at a point of the commands, which its alignment refers to. ``width`` 0: unknown."""
        if self.is_full:
            self.is_cut = True
            return
        text = clean(text.replace("\r", " ").replace("\n", " ")).replace("\t", " ")
        size = self.font.size
        width = width or size * sum(_WIDE_ADVANCE if ord(each) >= _FIRST_WIDE else _ADVANCE for each in text)
        if self.alignment & _MOVES_POINT:
            x, y = self.point
            self.point = x + width, y
        if self.alignment & _CENTER == _CENTER:
            x -= width / 2
        elif self.alignment & _RIGHT:
            x -= width
        if self.alignment & _BASELINE != _BASELINE:
            y += -_DESCENT * size if self.alignment & _BOTTOM else _ASCENT * size
        a, b, c, d, e, f = self.matrix
        scale = abs(a * d - b * c) ** 0.5
        drawn = DrawnText(a * x + c * y + e, b * x + d * y + f, width * scale, size * scale, text)
        is_placed = all(math.isfinite(value) and abs(value) < MAX_PLACE for value in drawn[:4])
        self.characters += len(text)
        if text.strip() and is_placed:
            self.texts.append(drawn)

    @property
    def is_full(self) -> bool:
        return len(self.texts) >= MAX_TEXTS or self.characters >= MAX_CHARACTERS


def times(left: Matrix, right: Matrix) -> Matrix:
    """Return the matrix that applies ``right``, then ``left``."""
    a, b, c, d, e, f = left
    g, h, i, j, k, m = right
    return (a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * m + e, b * k + d * m + f)


def lines_of(texts: list[DrawnText]) -> list[str]:
    """Return texts from the top of the picture, those beside each other from the left as one line if they are near."""
    rows: list[list[DrawnText]] = []
    for text in sorted(texts, key=lambda each: (each.y, each.x)):
        if rows and abs(rows[-1][0].y - text.y) <= _MAX_SHIFT * max(rows[-1][0].size, text.size):
            rows[-1].append(text)
        else:
            rows.append([text])
    lines = []
    for row in rows:
        row.sort(key=lambda each: each.x)
        line, end = row[0].text, row[0].x + row[0].width
        for before, text in itertools.pairwise(row):
            gap = (text.x - end) / max(before.size, text.size, 1e-9)
            if text == before:
                continue  # drawn twice, to be bold or to have a shadow
            if gap > _MAX_GAP:
                lines.append(line)
                line = text.text
            else:
                line += (" " if gap > _MIN_GAP else "") + text.text
            end = text.x + text.width
        lines.append(line)
    return [found for line in lines if (found := " ".join(line.split()))]
