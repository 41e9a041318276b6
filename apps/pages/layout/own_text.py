"""Join the text layer of a page with what OCR read on its picture, so that each text is there once.

A scan may have stamps, field values or a header as text. Such text is exact, and OCR reads it again where it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from apps.pages.layout.straightened import as_displayed, as_straightened
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord

# A recognised word is taken for the text layer's if text of the layer covers this share of its box.
MIN_COVERED_SHARE = 0.5
# A word of the text layer is the word that was read at its place if its letters are at most this much larger.
MAX_SIZE_RATIO = 2.5


def texts_of(blocks: Sequence[Block]) -> Iterator[tuple[str, Box]]:
    """Yield the lines and cells of blocks with their boxes."""
    for block in blocks:
        if block.type is BlockType.PICTURE:
            continue
        parts = [(line.text, line.box) for line in block.lines]
        parts += [(cell.text, cell.box) for cell in block.cells if cell.text and cell.box is not None]
        yield from parts or [(block.text, block.box)]


def without_text_over_pictures(recognition: Recognition, blocks: Sequence[Block]) -> Recognition:
    """Return the recognition without the words that these blocks have over their pictures.

    Large letters over a picture, as of a watermark, are other words than the small ones below them.
    """
    pictures = [block.box for block in blocks if block.type is BlockType.PICTURE]
    over = [box for _text, box in texts_of(blocks) if is_on(box, pictures)]

    def is_other(word: Box) -> bool:
        return not is_on(word, [box for box in over if min(box.width, box.height) <= MAX_SIZE_RATIO * word.height])

    return words_where(recognition, is_other)


def words_inside(recognition: Recognition, boxes: Sequence[Box]) -> Recognition:
    """Return the recognition with only the words inside these boxes of the page."""
    return words_where(recognition, lambda word: is_on(word, boxes))


def words_outside(recognition: Recognition, boxes: Sequence[Box]) -> Recognition:
    """Return the recognition with only the words outside these boxes of the page."""
    return words_where(recognition, lambda word: not is_on(word, boxes))


def words_where(recognition: Recognition, is_kept: Callable[[Box], bool]) -> Recognition:
    """Return the recognition with only the words whose boxes on the page as displayed are to be kept."""
    lines = []
    for line in recognition.lines:
        words = tuple(word for word in line.words if is_kept(_box_of(word, recognition)))
        if len(words) == len(line.words):
            lines.append(line)
        elif words:
            x0, x1 = min(word.x0 for word in words), max(word.x1 for word in words)
            box = Box(x0, line.box.top, x1, line.box.bottom)
            lines.append(msgspec.structs.replace(line, words=words, box=box))
    return msgspec.structs.replace(recognition, lines=tuple(lines))


def with_own_text(
    recognition: Recognition, texts: Iterable[tuple[str, Box]]
) -> tuple[Recognition, list[RecognizedLine]]:
    """Return the recognition with these lines of the upright page in place of the words on them, and these lines."""
    listed = [(text, box) for text, box in texts if text.split()]
    own = [_as_recognized(text, as_straightened(box, recognition)) for text, box in listed]
    kept = words_outside(recognition, [box for _text, box in listed])
    return msgspec.structs.replace(kept, lines=(*kept.lines, *own)), own


def texts_elsewhere(recognition: Recognition, blocks: Sequence[Block]) -> list[tuple[str, Box]]:
    """Return the lines and cells that no recognised word touches, such as the values of fields, which are not drawn."""
    words = [_box_of(word, recognition) for line in recognition.lines for word in line.words]
    return [(text, box) for text, box in texts_of(blocks) if not any(map(box.overlaps, words))]


def _as_recognized(text: str, box: Box) -> RecognizedLine:
    """Return a line of text as if it had been recognised, its words as wide as their share of the letters."""
    step = box.width / len(text)
    words, start = [], 0
    for part in text.split():
        start = text.index(part, start)
        x0, x1 = box.x0 + step * start, box.x0 + step * (start + len(part))
        words.append(RecognizedWord(part, x0, box.top, x1, box.bottom, 1.0))
        start += len(part)
    return RecognizedLine(tuple(words), box, 1.0)


def _box_of(word: RecognizedWord, recognition: Recognition) -> Box:
    return as_displayed(Box(word.x0, word.top, word.x1, word.bottom), recognition)


def is_on(box: Box, others: Sequence[Box]) -> bool:
    """Return True if the others cover most of a box; overlaps of theirs count twice."""
    parts = (part for other in others if (part := box.intersection(other)) is not None)
    covered = math.fsum(part.width * part.height for part in parts)
    return covered >= MIN_COVERED_SHARE * box.width * box.height > 0
