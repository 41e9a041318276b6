"""Where the lines and words of a block are on its page, for outputs that place text: hOCR, ALTO, searchable PDF."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from apps.pages.model.blocks import Block, Word
from apps.pages.model.geometry import NO_BOX, Box


class PlacedLine(NamedTuple):
    """A line with its words in the order in which they are read."""

    box: Box
    words: tuple[Word, ...]


def placed_lines(block: Block) -> Iterator[PlacedLine]:
    """Yield the lines of a block or the cells of a table; nothing where the document knows no places.

    Words without known boxes share their line by their letters. A block that a model wrote is one line.
    """
    for line in block.lines:
        yield PlacedLine(line.box, line.words or _spread(line.text, line.box, line.confidence))
    if block.lines or block.box == NO_BOX:
        return
    for cell in block.cells:
        if cell.box is not None and cell.text.strip():
            yield from _lines_of_cell(cell.text, cell.box, cell.words)
    if not block.cells and block.text.strip():
        yield PlacedLine(block.box, _spread(block.text, block.box, block.confidence))


def _lines_of_cell(text: str, box: Box, words: tuple[Word, ...]) -> Iterator[PlacedLine]:
    if words:
        yield PlacedLine(box, words)
        return
    lines = [line for line in text.split("\n") if line.strip()]
    height = box.height / len(lines)
    for count, line in enumerate(lines):
        place = Box(box.x0, box.top + count * height, box.x1, box.top + (count + 1) * height)
        yield PlacedLine(place, _spread(line, place, None))


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
