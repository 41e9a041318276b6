"""What OCR says about a page image, and how it becomes blocks.

The OCR workers write a ``Recognition`` as JSON; whoever accepts it decodes it here, strictly, and lays the lines out as
it does those of a text layer. Boxes of a recognition are points of the *straightened* page: turned upright by
``orientation`` and ``skew``, because columns and tables are found on straight lines. ``lay_out`` gives the blocks boxes
of the page as displayed again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from apps.pages.layout import page_layout
from apps.pages.layout.text_quality import WHOLE_PAGE_REASONS
from apps.pages.model.blocks import Block, BlockType, Line, Page, Source
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord
from apps.pages.model.safe_text import MAX_TEXT_CHARACTERS, clean

# The height of a line that the detector marks, over the size of its letters.
_SIZE_PER_LINE_HEIGHT = 0.72
# Lines whose heights differ by less than this share have letters of one size: detectors are not more exact.
_MAX_HEIGHT_DIFFERENCE = 0.22
_MIN_CONFIDENCE = 0.6
# Words of one line further apart than this many line heights belong to different columns or cells.
_MIN_COLUMN_GAP_HEIGHTS = 1.3


def lay_out(recognition: Recognition, *, number: int = 1) -> list[Block]:
    """The blocks of the recognised page in reading order, their boxes in points of the page image as displayed."""
    raw = RawPage(
        page_number=number,
        width=recognition.width,
        height=recognition.height,
        runs=_runs(recognition.lines),
        rulings=list(recognition.rulings),
        fills=[],
        pictures=[],
    )
    confidence = {_place(line.box): line.confidence for line in recognition.lines}
    return [_from_ocr(block, recognition, confidence) for block in page_layout.analyse(raw)]


def apply_recognition(page: Page, recognition: Recognition) -> Page:
    """The page with what OCR read on it. Of a page without a usable text layer nothing else is kept; of one whose
    pictures alone were to be read, the text outside of them is its own."""
    found = lay_out(recognition, number=page.number)
    if page.needs_ocr in WHOLE_PAGE_REASONS:
        blocks = tuple(found) or tuple(block for block in page.blocks if block.type is BlockType.PICTURE)
    else:
        blocks = tuple(_with_pictures_read(page.blocks, found))
    warnings = page.warnings
    if recognition.lines and recognition.confidence < _MIN_CONFIDENCE:
        warnings = (*warnings, "ocr_low_confidence")
    return msgspec.structs.replace(page, blocks=blocks, needs_ocr="", warnings=warnings)


def _with_pictures_read(own: Sequence[Block], found: Sequence[Block]) -> Iterator[Block]:
    """Each picture, and after it what was read inside it."""
    for block in own:
        yield block
        if block.type is BlockType.PICTURE:
            yield from (read for read in found if read.text and block.box.contains(read.box, slack=3.0))


def _runs(lines: Sequence[RecognizedLine]) -> list[TextRun]:
    heights = sorted(line.box.height for line in lines)
    usual = heights[len(heights) // 2] if heights else 0.0
    runs: list[TextRun] = []
    room = MAX_TEXT_CHARACTERS
    for line in lines:
        height = usual if abs(line.box.height - usual) < _MAX_HEIGHT_DIFFERENCE * usual else line.box.height
        for words in _stretches(line):
            text = clean(" ".join(word.text for word in words))
            room -= len(text)
            if room < 0:
                return runs
            x0, x1 = min(word.x0 for word in words), max(word.x1 for word in words)
            middle = line.box.middle
            top, bottom = middle - height / 2, middle + height / 2
            runs.append(TextRun(text, x0, top, x1, bottom, height * _SIZE_PER_LINE_HEIGHT, False, False, 0.0, words))
    return runs


def _stretches(line: RecognizedLine) -> list[list[RecognizedWord]]:
    """The words of a line, parted where they stand as far apart as columns do."""
    stretches = [[line.words[0]]]
    for previous, word in zip(line.words, line.words[1:], strict=False):
        gap = max(word.x0 - previous.x1, previous.x0 - word.x1)  # the second in lines that run to the left
        if gap > _MIN_COLUMN_GAP_HEIGHTS * line.box.height:
            stretches.append([word])
        else:
            stretches[-1].append(word)
    return stretches


def _place(box: Box) -> tuple[int, int]:
    return round(box.x0), round(box.middle)


def _from_ocr(block: Block, recognition: Recognition, confidence: dict[tuple[int, int], float]) -> Block:
    def displayed(line: Line) -> Line:
        return msgspec.structs.replace(
            line, box=as_displayed(line.box, recognition), confidence=confidence.get(_place(line.box))
        )

    lines = tuple(displayed(line) for line in block.lines)
    known = [(line.confidence, len(line.text)) for line in lines if line.confidence is not None]
    letters = sum(length for _confidence, length in known)
    return msgspec.structs.replace(
        block,
        box=as_displayed(block.box, recognition),
        lines=lines,
        cells=tuple(
            msgspec.structs.replace(cell, box=cell.box and as_displayed(cell.box, recognition)) for cell in block.cells
        ),
        source=Source.OCR,
        confidence=round(sum(value * length for value, length in known) / letters, 3) if letters else None,
    )


def as_displayed(box: Box, recognition: Recognition) -> Box:
    """The upright box, on the page as displayed, around a box of the straightened page."""
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
