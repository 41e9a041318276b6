"""Plain text in a grid: every line at its place on the page, so that columns and tables are side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output import render
from apps.pages.output.exports.text_lines import placed_lines

# Lines this short say little about the width of a letter.
_MIN_CHARACTERS = 4
_DEFAULT_LETTER_POINTS = 5.0
_MIN_LETTER_POINTS = 1.0
MAX_COLUMN = 400
MAX_EMPTY_LINES = 3
_NOT_TEXT = (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)


class GridScale(NamedTuple):
    """The grid: the x of its first column, and the width of a column, in points."""

    left: float
    letter: float


class _PlacedText(NamedTuple):
    box: Box
    text: str


def has_places(blocks: Iterable[Block]) -> bool:
    """Return whether the page knows where its text is."""
    return all(block.box != NO_BOX for block in blocks if block.type not in _NOT_TEXT)


def scale_of(pages: Iterable[Sequence[Block]]) -> GridScale:
    """Return the grid that fits the text of these pages: the usual width of a letter, from the leftmost line on."""
    left, widths = [], []
    for blocks in pages:
        for line in _lines(blocks):
            left.append(line.box.x0)
            if len(line.text) >= _MIN_CHARACTERS and line.box.width > line.box.height:
                widths.append(line.box.width / len(line.text))
    letter = statistics.median(widths) if widths else _DEFAULT_LETTER_POINTS
    return GridScale(min(left, default=0.0), max(letter, _MIN_LETTER_POINTS))


def spatial_text(blocks: Sequence[Block], scale: GridScale | None = None) -> str:
    """Return the text of a page in a grid; blocks have boxes of the page as displayed. Running margins are left out.

    ``scale``: None fits the grid to the page. Text that the grid has no room for is moved to the right, never cut.
    """
    lines = sorted(_lines(blocks), key=lambda line: (line.box.top + line.box.bottom, line.box.x0))
    scale = scale or scale_of([blocks])
    written: list[str] = []
    previous: Box | None = None
    for row in _rows(lines):
        if previous is not None:
            gap = min(line.box.top for line in row) - previous.bottom
            empty = int(gap / max(previous.height, _MIN_LETTER_POINTS))
            written += [""] * max(0, min(empty, MAX_EMPTY_LINES))
        text = ""
        for line in sorted(row, key=lambda line: line.box.x0):
            column = min(round((line.box.x0 - scale.left) / scale.letter), MAX_COLUMN)
            text = text.ljust(max(column, len(text) + 1 if text else 0)) + line.text
        written.append(text.rstrip())
        previous = max((line.box for line in row), key=lambda box: box.bottom)
    return "\n".join(written)


def _rows(lines: Sequence[_PlacedText]) -> Iterator[list[_PlacedText]]:
    """Yield the lines that are beside each other, from the top. ``lines`` are sorted by their middle."""
    row: list[_PlacedText] = []
    bottom = 0.0
    for line in lines:
        if row and line.box.top + line.box.height / 2 > bottom:
            yield row
            row = []
        if not row:
            bottom = line.box.bottom
        row.append(line)
    if row:
        yield row


def _lines(blocks: Iterable[Block]) -> Iterator[_PlacedText]:
    for block in blocks:
        if block.type in _NOT_TEXT:
            continue
        placed = [_PlacedText(line.box, " ".join(word.text for word in line.words)) for line in placed_lines(block)]
        placed = [line for line in placed if line.text]
        is_whole = _letters("".join(line.text for line in placed)) >= _letters(render.block_text(block))
        yield from placed if is_whole else _spread(block)


def _letters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)


def _spread(block: Block) -> Iterator[_PlacedText]:
    """Yield the lines of a block whose lines or cells have no places, evenly over its box; columns are padded."""
    if block.type is BlockType.TABLE:
        grid = [[text.replace("\n", " ") for text in row] for row in render.grid_of(block.cells)]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        texts = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in grid]
    else:
        texts = render.block_text(block).split("\n")
    height = block.box.height / max(1, len(texts))
    for number, text in enumerate(texts):
        top = block.box.top + number * height
        if text.strip():
            yield _PlacedText(Box(block.box.x0, top, block.box.x1, top + height), text)
