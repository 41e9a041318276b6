"""Rebuild right-to-left lines from their chars.

LiteParse orders runs and words from left to right, which scrambles sentences that mix directions, so pages in Hebrew or
Arabic script are read char by char: from the right edge to the left, with numbers and Latin words reversed again. This
reverses the display order of the Unicode bidirectional algorithm (UAX 9) for one level of embedding.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.layout.lines import MAX_JOIN_GAP_EMS, rows_of
from apps.pages.model.raw_page import Char, TextRun, WordBox

# A gap between two chars wider than this, in ems, is a space that the file omits.
MIN_SPACE_EMS = 0.22
_ALEFS = "اأإآٱ"
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def rebuild_runs(runs: Sequence[TextRun], chars: Iterable[Char]) -> list[TextRun]:
    """Return the runs of a page with the text of each line in reading order; rows without chars are unchanged."""
    rows = rows_of(runs)
    bands = [(min(run.top for run in row), max(run.bottom for run in row)) for row in rows]
    inside: list[list[Char]] = [[] for _ in rows]
    for char in chars:
        middle = (char.top + char.bottom) / 2
        nearest = min(range(len(bands)), key=lambda i: abs(bands[i][0] + bands[i][1] - 2 * middle), default=None)
        if nearest is not None and bands[nearest][0] - 2 <= middle <= bands[nearest][1] + 2:
            inside[nearest].append(char)
    result: list[TextRun] = []
    for row, band, found in zip(rows, bands, inside, strict=True):
        result += _row(row, band, found) if any(not g.text.isspace() for g in found) else row
    return result


def _row(row: Sequence[TextRun], band: tuple[float, float], chars: list[Char]) -> list[TextRun]:
    """Return the chars of a row as runs, split where the gap is wide; style and size are those of the nearest run."""
    chars.sort(key=lambda char: -(char.x0 + char.x1))
    pieces: list[list[Char]] = []
    edge = 0.0
    for char in chars:
        blank = char.text.isspace()
        max_gap = MAX_JOIN_GAP_EMS * _run_at(row, (char.x0 + char.x1) / 2).size
        if not pieces or (not blank and edge - char.x1 > max_gap):
            if not blank:
                pieces.append([char])
                edge = char.x0
            continue
        pieces[-1].append(char)
        if not blank:
            edge = min(edge, char.x0)
    runs = []
    for piece in pieces:
        model = _run_at(row, (piece[0].x1 + piece[-1].x0) / 2)
        words = _words(piece, model.size)
        runs.append(
            TextRun(
                text=logical_order(" ".join(word.text for word in words)),
                x0=min(char.x0 for char in piece),
                top=band[0],
                x1=max(char.x1 for char in piece),
                bottom=band[1],
                size=model.size,
                bold=model.bold,
                italic=model.italic,
                words=[msgspec.structs.replace(word, text=logical_order(word.text)) for word in words],
            )
        )
    return runs


def _run_at(row: Sequence[TextRun], x: float) -> TextRun:
    return min(row, key=lambda run: max(run.x0 - x, x - run.x1, 0.0))


def _words(chars: Sequence[Char], size: float) -> list[WordBox]:
    """Return the chars, which come from the right, as words in display order from the right."""
    groups: list[list[Char]] = [[]]
    for char in chars:
        if char.text.isspace() or (groups[-1] and groups[-1][-1].x0 - char.x1 > MIN_SPACE_EMS * size):
            groups.append([])
        if not char.text.isspace():
            groups[-1].append(char)
    words = []
    for group in filter(None, groups):
        x0, top = min(char.x0 for char in group), min(char.top for char in group)
        x1, bottom = max(char.x1 for char in group), max(char.bottom for char in group)
        text = "".join(char.text for char in group)
        # Both letters of a lam-alef ligature have its box, and come in either order: lam is read first.
        for left, right in itertools.pairwise(group):
            if left.text in _ALEFS and right.text == "ل" and left.x0 == right.x0:
                text = text.replace(left.text + "ل", "ل" + left.text, 1)
        words.append(WordBox(text, x0, top, x1 - x0, bottom - top))
    return words


def logical_order(display: str) -> str:
    """Return characters from the right edge in reading order: numbers and Latin words are reversed again."""
    parts: list[str] = []
    start = 0
    while start < len(display):
        if not _is_ltr(display[start]):
            parts.append(display[start])
            start += 1
            continue
        end = last = start
        while end < len(display) and unicodedata.bidirectional(display[end]) not in ("R", "AL"):
            if _is_ltr(display[end]):
                last = end
            end += 1
        parts.append(display[start : last + 1][::-1])
        start = last + 1
    text = "".join(parts)
    opened, closed = text.find("("), text.find(")")
    # A bracket that closes before any opened was drawn mirrored.
    return text.translate(_MIRRORED) if 0 <= closed < opened else text


def _is_ltr(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("L", "EN", "AN")
