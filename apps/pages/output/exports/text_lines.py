"""Where the lines and words of a block are on its page, for outputs that place text: hOCR, ALTO, searchable PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from apps.pages.model.blocks import Block, Word
from apps.pages.model.geometry import NO_BOX, Box

_WIDTH_OF_LETTERS = 0.5  # of the height of a line


class PlacedLine(NamedTuple):
    """A line with its words in the order in which they are read."""

    box: Box
    words: tuple[Word, ...]


def placed_lines(block: Block) -> Iterator[PlacedLine]:
    """Yield the lines of a block or the cells of a table; nothing where the document knows no places.

    Words without known boxes share their line by their letters; lines without known boxes share the box around them.
    """
    for line in block.lines:
        yield PlacedLine(line.box, line.words or _spread(line.text, line.box, line.confidence))
    if block.lines or block.box == NO_BOX:
        return
    for cell in block.cells:
        if cell.box is None:
            continue
        if cell.words:
            yield PlacedLine(cell.box, cell.words)
        else:
            yield from _lines_in(cell.box, cell.text, None)
    if not block.cells:
        yield from _lines_in(block.box, block.text, block.confidence)


def _lines_in(box: Box, text: str, confidence: float | None) -> Iterator[PlacedLine]:
    """Yield a text in the lines that it has or, if it has one, in as many as letters of a usual shape would fill."""
    if not text.strip() or box.width <= 0 or box.height <= 0:
        return
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) == 1:
        lines = [""]
        count = max(1, round((_WIDTH_OF_LETTERS * len(text) * box.height / box.width) ** 0.5))
        for word in text.split():
            if lines[-1] and len(lines[-1]) + len(word) / 2 > len(text) / count and len(lines) < count:
                lines.append(word)
            else:
                lines[-1] = f"{lines[-1]} {word}".strip()
    height = box.height / len(lines)
    for number, line in enumerate(lines):
        place = Box(box.x0, box.top + number * height, box.x1, box.top + (number + 1) * height)
        yield PlacedLine(place, _spread(line, place, confidence))


def _spread(text: str, box: Box, confidence: float | None) -> tuple[Word, ...]:
    """Return the words of a line, each with its share of the line's box."""
    words = text.split()
    letters = sum(map(len, words)) + len(words) - 1
    is_right_to_left = next(
        (kind != "L" for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL")), False
    )
    placed, at = [], 0
    for word in words:
        start, end = at / letters, (at + len(word)) / letters
        if is_right_to_left:
            start, end = 1 - end, 1 - start
        place = Box(box.x0 + start * box.width, box.top, box.x0 + end * box.width, box.bottom)
        placed.append(Word(word, place, confidence))
        at += len(word) + 1
    return tuple(placed)
