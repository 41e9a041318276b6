"""Right-to-left lines put together again from their glyphs.

The library orders runs and words from left to right, which scrambles sentences that mix directions, so pages in Hebrew
or Arabic script are read glyph by glyph: from the right edge to the left, with numbers and Latin words turned back.
This is the display order of the Unicode bidirectional algorithm (UAX 9) undone for one level of embedding.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.layout.lines import MAX_JOIN_GAP_EMS, rows_of
from apps.pages.pdf.text_layer import Run

# Wider than this, in ems, the room between two glyphs is a space that was not written.
MIN_SPACE_EMS = 0.22
_ALEFS = "اأإآٱ"
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


class Glyph(msgspec.Struct, gc=False):
    """One character and where it stands, in points from the top left as displayed."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float


class Word(msgspec.Struct, gc=False):
    """A word's box, in the shape in which the library gives the words of a run."""

    text: str
    x: float
    y: float
    width: float
    height: float


def rebuild_runs(runs: Sequence[Run], glyphs: Iterable[Glyph]) -> list[Run]:
    """The runs of a page with the text of each line in reading order; rows without glyphs stay as they are."""
    rows = rows_of(runs)
    bands = [(min(run.top for run in row), max(run.bottom for run in row)) for row in rows]
    inside: list[list[Glyph]] = [[] for _ in rows]
    for glyph in glyphs:
        middle = (glyph.top + glyph.bottom) / 2
        nearest = min(range(len(bands)), key=lambda i: abs(bands[i][0] + bands[i][1] - 2 * middle), default=None)
        if nearest is not None and bands[nearest][0] - 2 <= middle <= bands[nearest][1] + 2:
            inside[nearest].append(glyph)
    result: list[Run] = []
    for row, band, found in zip(rows, bands, inside, strict=True):
        result += _row(row, band, found) if any(not g.text.isspace() for g in found) else row
    return result


def _row(row: Sequence[Run], band: tuple[float, float], glyphs: list[Glyph]) -> list[Run]:
    glyphs.sort(key=lambda glyph: -(glyph.x0 + glyph.x1))
    pieces: list[list[Glyph]] = []
    edge = 0.0
    for glyph in glyphs:
        blank = glyph.text.isspace()
        if not pieces or (not blank and edge - glyph.x1 > MAX_JOIN_GAP_EMS * _size_at(row, glyph)):
            if blank:
                continue
            pieces.append([glyph])
            edge = glyph.x0
            continue
        pieces[-1].append(glyph)
        if not blank:
            edge = min(edge, glyph.x0)
    return [_run(piece, row, band) for piece in pieces]


def _size_at(row: Sequence[Run], glyph: Glyph) -> float:
    return _run_at(row, (glyph.x0 + glyph.x1) / 2).size


def _run_at(row: Sequence[Run], x: float) -> Run:
    return min(row, key=lambda run: max(run.x0 - x, x - run.x1, 0.0))


def _run(glyphs: list[Glyph], row: Sequence[Run], band: tuple[float, float]) -> Run:
    model = _run_at(row, (glyphs[0].x1 + glyphs[-1].x0) / 2)
    words = _words(glyphs, model.size)
    return Run(
        text=logical_order(" ".join(word.text for word in words)),
        x0=min(glyph.x0 for glyph in glyphs),
        top=band[0],
        x1=max(glyph.x1 for glyph in glyphs),
        bottom=band[1],
        size=model.size,
        bold=model.bold,
        italic=model.italic,
        words=[msgspec.structs.replace(word, text=logical_order(word.text)) for word in words],
    )


def _words(glyphs: Sequence[Glyph], size: float) -> list[Word]:
    """The glyphs, from the right, as words in display order from the right."""
    groups: list[list[Glyph]] = [[]]
    for glyph in glyphs:
        if glyph.text.isspace() or (groups[-1] and groups[-1][-1].x0 - glyph.x1 > MIN_SPACE_EMS * size):
            groups.append([])
        if not glyph.text.isspace():
            groups[-1].append(glyph)
    return [_word(group) for group in groups if group]


def _word(glyphs: Sequence[Glyph]) -> Word:
    x0, top = min(glyph.x0 for glyph in glyphs), min(glyph.top for glyph in glyphs)
    x1, bottom = max(glyph.x1 for glyph in glyphs), max(glyph.bottom for glyph in glyphs)
    text = "".join(glyph.text for glyph in glyphs)
    # Both letters of a lam-alef ligature have its box, and come in either order: lam is read first.
    for left, right in itertools.pairwise(glyphs):
        if left.text in _ALEFS and right.text == "ل" and left.x0 == right.x0:
            text = text.replace(left.text + "ل", "ل" + left.text, 1)
    return Word(text, x0, top, x1 - x0, bottom - top)


def logical_order(display: str) -> str:
    """Characters from the right edge to the left -> reading order: numbers and Latin words are turned back."""
    parts: list[str] = []
    start = 0
    while start < len(display):
        if not _is_ltr(display[start]):
            parts.append(display[start])
            start += 1
            continue
        end = last = start
        while end < len(display) and not _is_rtl(display[end]):
            if _is_ltr(display[end]):
                last = end
            end += 1
        parts.append(display[start : last + 1][::-1])
        start = last + 1
    return _brackets("".join(parts))


def _is_ltr(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("L", "EN", "AN")


def _is_rtl(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL")


def _brackets(text: str) -> str:
    """Brackets the right way round where the file drew them mirrored: one that closes before any opened."""
    opened, closed = text.find("("), text.find(")")
    if closed >= 0 and opened > closed:
        return text.translate(_MIRRORED)
    return text
