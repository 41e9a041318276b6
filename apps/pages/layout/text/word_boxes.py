"""Give lines and table cells the boxes of their words, for requests that ask for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Block, Word
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import TextRun
from apps.pages.model.text import scripts

# A line this much higher than wide is vertical or turned.
_COLUMN_RATIO = 2.0
# Words are looked up in strips of the page of this height.
_STRIP_POINTS = 20.0


def with_words(blocks: Sequence[Block], runs: Sequence[TextRun]) -> list[Block]:
    """Return the blocks with the words of these runs in their lines and cells, each word once, in reading order.

    Lines and cells whose words are unknown stay without.
    """
    strips: dict[int, list[tuple[int, Word]]] = defaultdict(list)
    for number, word in enumerate(word for run in runs for word in _words_of(run)):
        strips[int(word.box.middle // _STRIP_POINTS)].append((number, word))
    taken: set[int] = set()

    def inside(box: Box | None, text: str) -> tuple[Word, ...]:
        if box is None:
            return ()
        rows = range(int(box.top // _STRIP_POINTS), int(box.bottom // _STRIP_POINTS) + 1)
        found = sorted(
            (number, word)
            for row in rows
            for number, word in strips.get(row, ())
            if number not in taken
            and box.x0 <= (word.box.x0 + word.box.x1) / 2 <= box.x1
            and box.top <= word.box.middle <= box.bottom
        )
        taken.update(number for number, _word in found)
        return tuple(_in_order([word for _number, word in found], box, text))

    return [
        msgspec.structs.replace(
            block,
            lines=tuple(msgspec.structs.replace(line, words=inside(line.box, line.text)) for line in block.lines),
            cells=tuple(msgspec.structs.replace(cell, words=inside(cell.box, cell.text)) for cell in block.cells),
        )
        for block in blocks
    ]


def _words_of(run: TextRun) -> list[Word]:
    """Return the words of a run; a run without known words is one word if it has no blank."""
    if run.words:
        return [
            Word(
                word.text,
                Box(round(word.x, 2), round(word.y, 2), round(word.x + word.width, 2), round(word.y + word.height, 2)),
                getattr(word, "confidence", None),
            )
            for word in run.words
            if word.text
        ]
    text = run.text.strip()
    if not text or any(map(str.isspace, text)):
        return []
    return [Word(text, Box(round(run.x0, 2), round(run.top, 2), round(run.x1, 2), round(run.bottom, 2)))]


def _in_order(words: list[Word], box: Box, text: str) -> list[Word]:
    """Return words of upright text row by row; those of a column of vertical or turned text keep their order."""
    if box.height > _COLUMN_RATIO * box.width and len(words) > 1:
        return words
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.box.middle):
        if rows and word.box.top < rows[-1][0].box.middle:
            rows[-1].append(word)
        else:
            rows.append([word])
    rtl = scripts.is_rtl(text)
    return [word for row in rows for word in sorted(row, key=lambda word: -word.box.x1 if rtl else word.box.x0)]
