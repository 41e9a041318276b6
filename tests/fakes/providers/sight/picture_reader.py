"""Read pictures as a vision model does: Tesseract's words, and their places.

It shares no code with the product. Paragraphs are words on lines below each other, a table is at least two lines whose
words keep the same wide gaps, and the bars of a chart are measured against the numbers of its axis.
"""

from __future__ import annotations

import io
import itertools
import re
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import pytesseract
from PIL import Image

ENLARGED = 2  # Tesseract reads print of 144 dpi better at twice its size
MIN_CONFIDENCE = 20
# Words of a row with more space between them, in heights of a line, are cells; lines with less below are paragraphs.
MIN_CELL_SPACE, MAX_LINE_SPACE = 1.5, 1.8
MIN_BAR_PIXELS = 40
_BAR = range(70, 140)  # grey
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Word:
    text: str
    left: int
    top: int
    right: int
    bottom: int

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2


@lru_cache(maxsize=32)
def markdown_of(picture: bytes) -> str:
    """Return what a picture (JPEG) shows as Markdown. The same picture is read once."""
    with Image.open(io.BytesIO(picture)) as opened:
        grey = opened.convert("L")
    grey = grey.resize((ENLARGED * grey.width, ENLARGED * grey.height), Image.Resampling.LANCZOS)
    found = pytesseract.image_to_data(grey, config="--psm 11", output_type=pytesseract.Output.DICT)
    words = [
        Word(text.strip(), left, top, left + width, top + height)
        for text, left, top, width, height, confidence in zip(
            *(found[name] for name in ("text", "left", "top", "width", "height", "conf")), strict=True
        )
        if text.strip() and float(confidence) >= MIN_CONFIDENCE
    ]
    lines = _lines(words)
    chart, used = _chart(grey, lines)
    parts = [*_parts([line for line in lines if not used & set(line)]), *([chart] if chart else [])]
    return "\n\n".join(parts)


def _lines(words: list[Word]) -> list[list[Word]]:
    """Return the words by printed line, from top to bottom, each from left to right."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.middle):
        if lines and word.top < median(other.middle for other in lines[-1]) < word.bottom:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda word: word.left) for line in lines]


def _parts(lines: list[list[Word]]) -> list[str]:
    """Return paragraphs and tables in order."""
    parts: list[tuple[bool, list[list[str]]]] = []
    bottom = 0.0
    for line in lines:
        height = median(word.bottom - word.top for word in line)
        cells = _cells(line, height)
        is_table = len(cells) > 1
        goes_on = (
            parts and parts[-1][0] == is_table and min(word.top for word in line) - bottom < MAX_LINE_SPACE * height
        )
        if goes_on:
            parts[-1][1].append(cells)
        else:
            parts.append((is_table, [cells]))
        bottom = max(word.bottom for word in line)
    return [_table(rows) if is_table else " ".join(row[0] for row in rows) for is_table, rows in parts]


def _cells(line: list[Word], height: float) -> list[str]:
    cells = [line[0].text]
    for before, word in itertools.pairwise(line):
        if word.left - before.right > MIN_CELL_SPACE * height:
            cells.append(word.text)
        else:
            cells[-1] += f" {word.text}"
    return cells


def _table(rows: list[list[str]]) -> str:
    return f"<table>{''.join('<tr>' + ''.join(f'<td>{text}</td>' for text in row) + '</tr>' for row in rows)}</table>"


def _chart(grey: Image.Image, lines: list[list[Word]]) -> tuple[str, set[Word]]:
    """Return the values of a chart of grey bars over a row of names, beside an axis of numbers; and its words."""
    for names in reversed(lines):
        bars = [_bar_above(grey, name) for name in names]
        if len(names) < 2 or min(bars) < MIN_BAR_PIXELS:
            continue
        ticks = [
            (word.middle, float(word.text))
            for line in lines
            for word in line[:1]
            if _NUMBER.fullmatch(word.text) and word.right < names[0].left
        ]
        if len(ticks) < 2:
            continue
        (low_at, low), (high_at, high) = max(ticks), min(ticks)
        unit = (high - low) / (low_at - high_at)
        foot = max(names, key=lambda name: name.top).top
        rows = [[name.text, str(round(height * unit))] for name, height in zip(names, bars, strict=True)]
        used = {word for line in lines for word in line if high_at - 40 < word.middle <= foot + 80}
        return _table(rows), used
    return "", set()


def _bar_above(grey: Image.Image, name: Word) -> int:
    """Return the height in pixels of the bar above a name, 0 if there is none."""
    rows = [y for y in range(name.top) if grey.getpixel((int(name.centre), y)) in _BAR]
    height = 0
    while rows and rows[-1 - height] == rows[-1] - height and height + 1 < len(rows):
        height += 1
    return height
