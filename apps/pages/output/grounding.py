"""Where the lines, words and table cells of an item are on the page: the boxes that a request asks for by level.

A span counts characters of the item's property that ``source`` names, or of the text in a table's ``rows``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from apps.pages.model.blocks import Block, Cell, Word
from apps.pages.model.geometry import Box, union

LINE, WORD, CELL = "line", "word", "cell"
Span = tuple[int, int]
# At most this many characters, such as markup and list markers, are between two words of the page.
_MAX_SKIPPED = 8
_HYPHENS = "-\u00ad\u2010"


def box_of(box: Box) -> dict[str, float]:
    return {"x": box.x0, "y": box.top, "w": round(box.x1 - box.x0, 2), "h": round(box.bottom - box.top, 2)}


def of_text(block: Block, source: str, text: str, levels: frozenset[str]) -> dict[str, Any] | None:
    """Return the lines of a block of text. ``source``: the property of the item with this ``text``."""
    if not levels & {LINE, WORD} or not block.lines or not text:
        return None
    finder = _Finder(text)
    lines = []
    for number, line in enumerate(block.lines):
        words: Sequence[Word] = line.words
        tokens = [word.text for word in words] or line.text.split()
        if number == 0 and block.marker and not text.startswith(block.marker):
            first = _length_of_marker(tokens, block.marker)
            tokens, words = tokens[first:], words[first:]
        entry = _line(finder.find(tokens), line.box, words, levels)
        if entry is not None:
            lines.append(entry | ({} if line.confidence is None else {"confidence": line.confidence}))
    return {"source": source, "lines": lines} if lines else None


def of_table(cells: Sequence[Cell], rows: Sequence[Sequence[str]], levels: frozenset[str]) -> dict[str, Any] | None:
    """Return the cells of a table in the shape of its ``rows``, null where a cell covers others."""
    grid: list[list[dict[str, Any] | None]] = [[None] * len(row) for row in rows]
    for cell in cells:
        if cell.box is None:
            continue
        entry: dict[str, Any] = {"bbox": [box_of(cell.box)]} if CELL in levels else {}
        if levels & {LINE, WORD} and (lines := _lines_of_cell(cell, levels)):
            entry["lines"] = lines
        if cell.row_span > 1:
            entry["row_span"] = cell.row_span
        if cell.column_span > 1:
            entry["column_span"] = cell.column_span
        grid[cell.row][cell.column] = entry
    return {"rows": grid} if any(entry for row in grid for entry in row) else None


def _lines_of_cell(cell: Cell, levels: frozenset[str]) -> list[dict[str, Any]]:
    finder = _Finder(cell.text)
    tall = sum(word.box.height > word.box.width for word in cell.words if len(word.text) > 1)
    is_turned = 2 * tall > len(cell.words)
    rows: list[list[Word]] = []
    for word in cell.words:
        last, box = rows[-1][-1].box if rows else None, word.box
        if last is not None and (
            last.x0 < (box.x0 + box.x1) / 2 < last.x1 if is_turned else last.top < box.middle < last.bottom
        ):
            rows[-1].append(word)
        else:
            rows.append([word])
    lines = []
    for words in rows:
        spans = finder.find([word.text for word in words])
        lines.append(_line(spans, union(word.box for word in words), words, levels))
    return [line for line in lines if line is not None]


def _line(
    spans: Sequence[Span | None], box: Box, words: Sequence[Word], levels: frozenset[str]
) -> dict[str, Any] | None:
    """Return a line with its words; None if none of it is in the text."""
    known = [span for span in spans if span]
    if not known:
        return None
    line: dict[str, Any] = {
        "span": [min(start for start, _end in known), max(end for _start, end in known)],
        "bbox": box_of(box),
    }
    if WORD in levels and words:
        line["words"] = [
            {"span": list(span), "bbox": box_of(word.box)}
            | ({} if word.confidence is None else {"confidence": word.confidence})
            for span, word in zip(spans, words, strict=True)
            if span
        ]
    return line


def _length_of_marker(tokens: Sequence[str], marker: str) -> int:
    """Return how many words a list marker is."""
    begun = ""
    for count, token in enumerate(tokens, 1):
        begun += token
        if begun == "".join(marker.split()):
            return count
    return 0


class _Finder:
    """Finds the words of a text line by line, each line after the one before."""

    def __init__(self, text: str) -> None:
        self._text = _folded(text)
        self._at = 0

    def find(self, tokens: Sequence[str]) -> list[Span | None]:
        """Return the place of each word of the next line, None for one that the text does not have there.

        A line in two directions has words in another order than the text.
        """
        start, at, missed = self._at, self._at, 0
        until = start + sum(map(len, tokens)) + len(tokens) + _MAX_SKIPPED
        spans: list[Span | None] = []
        for token in map(_folded, tokens):
            span = self._place(token, at, at + missed + _MAX_SKIPPED) or self._place(token, start, until)
            if span is None:
                missed += len(token) + 1
            else:
                at, missed = span[1], 0
                self._at = max(self._at, at)
            spans.append(span)
        return spans

    def _place(self, token: str, low: int, high: int) -> Span | None:
        for part in (token, token.rstrip(_HYPHENS)):
            found = self._text.find(part, low, high + len(part)) if part else -1
            if found >= 0:
                return found, found + len(part)
        return None


def _folded(text: str) -> str:
    """Return the text with raised and other compatible signs as plain ones, character by character."""
    if text.isascii():
        return text
    return "".join(
        plain if len(plain := unicodedata.normalize("NFKC", character)) == 1 else character for character in text
    )
