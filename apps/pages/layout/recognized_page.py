"""Turn the lines that OCR recognised on a page image into blocks.

OCR workers return a ``Recognition``; its lines are laid out like those of a text layer. Boxes of a recognition are
points of the *straightened* page, rotated upright by ``orientation`` and ``skew``, because columns and tables are found
on straight lines. ``lay_out`` returns blocks with boxes of the page as displayed.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from apps.pages.layout import page_layout, rotated_pages
from apps.pages.layout.text.word_boxes import with_words
from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import GARBLED_TEXT, WHOLE_PAGE_REASONS
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.recognition import Recognition, RecognizedLine
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, clean

# The size of a line's letters, relative to the height that the detector reports for the line.
_SIZE_PER_LINE_HEIGHT = 0.72
# Lines whose heights differ by less than this share have letters of one size: detectors are not more exact.
_MAX_HEIGHT_DIFFERENCE = 0.22
_MIN_CONFIDENCE = 0.6
# Words of one line further apart than this many line heights belong to different columns or cells.
_MIN_COLUMN_GAP_HEIGHTS = 1.3
# A suspected text layer is right if it agrees this far with its picture: OCR of clean print does with 0.8 or more.
MIN_AGREEMENT = 0.6
# A word of the text layer is the word that was read at its place if its letters are at most this much larger.
MAX_SIZE_RATIO = 2.5
# Warnings about a text layer that OCR replaces.
_OF_THE_TEXT_LAYER = ("text_unreliable", "text_cleaned", "lost_characters", "plain_layout")


def lay_out(recognition: Recognition, *, page_number: int = 1, word_boxes: bool = False) -> list[Block]:
    """Return the blocks of a recognised page in reading order, with boxes in points of the page as displayed.

    ``word_boxes``: lines and cells have the boxes of their words.
    """
    raw = RawPage(
        page_number=page_number,
        width=recognition.width,
        height=recognition.height,
        runs=_runs(recognition.lines),
        rulings=list(recognition.rulings),
        fills=[],
        pictures=[],
    )
    confidence = {_place(line.box): line.confidence for line in recognition.lines}
    blocks = []
    found = page_layout.analyse(raw)
    for block in with_words(found, raw.runs) if word_boxes else found:
        lines = [msgspec.structs.replace(line, confidence=confidence.get(_place(line.box))) for line in block.lines]
        known = [(line.confidence, len(line.text)) for line in lines if line.confidence is not None]
        letters = sum(length for _confidence, length in known)
        read = msgspec.structs.replace(
            block,
            lines=tuple(lines),
            source=Source.OCR,
            confidence=round(sum(value * length for value, length in known) / letters, 3) if letters else None,
        )
        blocks.append(rotated_pages.moved(read, lambda box: as_displayed(box, recognition)))
    return blocks


def apply_recognition(page: Page, recognition: Recognition, *, word_boxes: bool = False) -> Page:
    """Return the page with the text that OCR read.

    A page without a usable text layer keeps nothing else. A page whose pictures alone needed OCR keeps its own text
    outside them, and each picture is followed by the text read inside it; text of the page that is drawn over the
    picture is not repeated. A suspected text layer that agrees with the picture of the page is kept. ``word_boxes``:
    what OCR read has the boxes of its words.
    """
    if page.needs_ocr not in WHOLE_PAGE_REASONS:
        recognition = without_text_layer(recognition, page.blocks)
    found = lay_out(recognition, page_number=page.number, word_boxes=word_boxes)
    if page.needs_ocr == GARBLED_TEXT:
        if not any(block.text or block.cells for block in found):
            return msgspec.structs.replace(page, needs_ocr="")
        if agreement(page.blocks, found) >= MIN_AGREEMENT:
            warnings = tuple(code for code in page.warnings if code != "text_unreliable")
            return msgspec.structs.replace(page, needs_ocr="", warnings=warnings)
        warnings = tuple(code for code in page.warnings if code not in _OF_THE_TEXT_LAYER)
        page = msgspec.structs.replace(page, warnings=warnings, quality={})
    blocks: list[Block] = []
    if page.needs_ocr in WHOLE_PAGE_REASONS:
        blocks = found or [block for block in page.blocks if block.type is BlockType.PICTURE]
        page = msgspec.structs.replace(page, rotation=-recognition.orientation % 360)
    else:
        for block in page.blocks:
            blocks.append(block)
            if block.type is BlockType.PICTURE:
                blocks += [read for read in found if read.text and block.box.contains(read.box, slack=3.0)]
    warnings = page.warnings
    warnings = (*warnings, *recognition.warnings)
    if recognition.lines and recognition.confidence < _MIN_CONFIDENCE:
        warnings = (*warnings, "ocr_low_confidence")
    return msgspec.structs.replace(page, blocks=tuple(blocks), needs_ocr="", warnings=warnings)


def without_text_layer(recognition: Recognition, blocks: Sequence[Block]) -> Recognition:
    """Return the recognition without the words that these blocks have at the same place in letters of about that size.

    Large letters over a picture, as of a watermark, are other words than the small ones below them.
    """
    own = [(line.box, min(line.box.width, line.box.height)) for block in blocks for line in block.lines]
    own += [(cell.box, 0.0) for block in blocks for cell in block.cells if cell.box and cell.text]
    lines = []
    for line in recognition.lines:
        words = []
        for word in line.words:
            box = as_displayed(Box(word.x0, word.top, word.x1, word.bottom), recognition)
            middle = Box((box.x0 + box.x1) / 2, box.middle, (box.x0 + box.x1) / 2, box.middle)
            max_height = MAX_SIZE_RATIO * word.height
            if not any(height <= max_height and over.contains(middle, slack=1.0) for over, height in own):
                words.append(word)
        if words:
            edges = min(word.x0 for word in words), max(word.x1 for word in words)
            box = Box(edges[0], line.box.top, edges[1], line.box.bottom)
            lines.append(line if len(words) == len(line.words) else RecognizedLine(tuple(words), box, line.confidence))
    return msgspec.structs.replace(recognition, lines=tuple(lines))


def agreement(blocks: Sequence[Block], recognized: Sequence[Block]) -> float:
    """Return the share, 0.0-1.0, of the sequences of three letters or digits that both have, of the longer text.

    So a page of which one font is garbled does not agree with its picture.
    """
    own, read = _triples(blocks), _triples(recognized)
    return (own & read).total() / max(own.total(), read.total(), 1)


def _triples(blocks: Sequence[Block]) -> Counter[str]:
    texts = (text for block in blocks for text in (block.text, *(cell.text for cell in block.cells)))
    letters = "".join(filter(str.isalnum, "".join(texts).casefold()))
    return Counter(letters[start : start + 3] for start in range(len(letters) - 2))


def _runs(lines: Sequence[RecognizedLine]) -> list[TextRun]:
    """Return the lines as runs of text, split where words are as far apart as columns."""
    heights = sorted(line.box.height for line in lines)
    usual = heights[len(heights) // 2] if heights else 0.0
    runs: list[TextRun] = []
    left = MAX_TEXT_CHARACTERS
    for line in lines:
        stretches = [[line.words[0]]]
        for previous, word in itertools.pairwise(line.words):
            gap = max(word.x0 - previous.x1, previous.x0 - word.x1)  # the second in right-to-left lines
            if gap > _MIN_COLUMN_GAP_HEIGHTS * line.box.height:
                stretches.append([word])
            else:
                stretches[-1].append(word)
        height = usual if abs(line.box.height - usual) < _MAX_HEIGHT_DIFFERENCE * usual else line.box.height
        top, bottom = line.box.middle - height / 2, line.box.middle + height / 2
        for words in stretches:
            text = clean(" ".join(word.text for word in words))
            left -= len(text)
            if left < 0:
                return runs
            if not text.strip():
                continue
            x0, x1 = min(word.x0 for word in words), max(word.x1 for word in words)
            runs.append(TextRun(text, x0, top, x1, bottom, height * _SIZE_PER_LINE_HEIGHT, False, False, 0.0, words))
    return runs


def _place(box: Box) -> tuple[int, int]:
    return round(box.x0), round(box.middle)


def as_displayed(box: Box, recognition: Recognition) -> Box:
    """Return the upright box, on the page as displayed, around a box of the straightened page."""
    angle = math.radians(recognition.skew)
    middle_x, middle_y = recognition.width / 2, recognition.height / 2
    points = []
    for x, y in ((box.x0, box.top), (box.x1, box.top), (box.x1, box.bottom), (box.x0, box.bottom)):
        x, y = x - middle_x, y - middle_y
        points.append((x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)))
    across, down = middle_x, middle_y
    if recognition.orientation == 90:
        points, across, down = [(y, -x) for x, y in points], middle_y, middle_x
    elif recognition.orientation == 180:
        points = [(-x, -y) for x, y in points]
    elif recognition.orientation == 270:
        points, across, down = [(-y, x) for x, y in points], middle_y, middle_x
    xs = [min(max(x + across, 0.0), 2 * across) for x, _y in points]
    ys = [min(max(y + down, 0.0), 2 * down) for _x, y in points]
    return Box(round(min(xs), 2), round(min(ys), 2), round(max(xs), 2), round(max(ys), 2))
