"""Turn the lines that OCR recognised on a page image into blocks.

OCR workers return a ``Recognition``; its lines are laid out like those of a text layer. Boxes of a recognition are
points of the *straightened* page, rotated upright by ``orientation`` and ``skew``, because columns and tables are found
on straight lines. ``lay_out`` returns blocks with boxes of the page as displayed.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from apps.pages.layout import page_layout, rotated_pages
from apps.pages.layout.barcodes import BARCODES_NOT_READ, with_barcodes
from apps.pages.layout.garbled_parts import with_parts_read
from apps.pages.layout.own_text import (
    texts_elsewhere,
    texts_of,
    with_own_text,
    without_text_over_pictures,
    words_inside,
    words_outside,
)
from apps.pages.layout.picture_sheet import with_pictures_read
from apps.pages.layout.quality.garbled_text import is_clear
from apps.pages.layout.signatures import with_signatures
from apps.pages.layout.straightened import as_displayed
from apps.pages.layout.tables.rulings import rulings_of
from apps.pages.layout.text.word_boxes import with_words
from apps.pages.model.blocks import Block, BlockType, Line, Page, Source
from apps.pages.model.geometry import Box
from apps.pages.model.ocr_reasons import GARBLED_PARTS, GARBLED_TEXT, TEXT_IN_PICTURE
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, clean

# The size of a line's letters, relative to the height that the detector reports for the line.
_SIZE_PER_LINE_HEIGHT = 0.72
# Lines whose heights differ by less than this share have letters of one size: detectors are not more exact.
_MAX_HEIGHT_DIFFERENCE = 0.22
_MIN_CONFIDENCE = 0.6
# Words of one line further apart than this many line heights belong to different columns or cells.
_MIN_COLUMN_GAP_HEIGHTS = 1.3
# A stroke of a letter reaches past the box of its line by this much.
_MAX_STROKE_OVERHANG_POINTS = 1.0
# A suspected text layer is right if it agrees this far with its picture: OCR of clean print does with 0.8 or more.
MIN_AGREEMENT = 0.6
# If OCR is this sure of its text, the layer has to agree with it further.
_SURE, MIN_AGREEMENT_IF_SURE = 0.95, 0.8
# Tables in pictures have at least this share of their cells filled, ...
MIN_FILLED_SHARE = 0.7
# ... and at least this many rulings in each direction, each over half of the table.
MIN_GRID_RULINGS, MIN_RULED_SHARE = 3, 0.5
# Recognised blocks may reach this many points out of their picture.
_PICTURE_SLACK = 3.0
# Warnings about a text layer that OCR replaces.
_OF_THE_TEXT_LAYER = ("text_unreliable", "text_cleaned", "lost_characters", "plain_layout")


LayOut = Callable[..., list[Block]]


def lay_out(
    recognition: Recognition,
    *,
    page_number: int = 1,
    word_boxes: bool = False,
    own: Sequence[RecognizedLine] = (),
) -> list[Block]:
    """Return the blocks of a recognised page in reading order, with boxes in points of the page as displayed.

    ``word_boxes``: lines and cells have the boxes of their words. ``own``: the lines of the recognition that are text
    of the page itself.
    """
    raw = RawPage(
        page_number=page_number,
        width=recognition.width,
        height=recognition.height,
        runs=_runs(recognition.lines),
        # The detector of rulings takes strokes of letters for rulings in small print.
        rulings=[
            rule
            for rule in recognition.rulings
            if not any(line.box.contains(rule, slack=_MAX_STROKE_OVERHANG_POINTS) for line in recognition.lines)
        ],
        fills=[],
        pictures=[],
    )
    confidence = {_place(line.box): line.confidence for line in recognition.lines}
    exact = {_place(line.box) for line in own}
    blocks = []
    found = page_layout.analyse(raw)
    for block in with_words(found, raw.runs) if word_boxes else found:
        lines = [msgspec.structs.replace(line, confidence=confidence.get(_place(line.box))) for line in block.lines]
        is_own = exact and block.lines and all(_place(line.box) in exact for line in block.lines)
        known = [(line.confidence, len(line.text)) for line in lines if line.confidence is not None]
        if block.cells:  # a table has no lines
            known = [
                (word.confidence, len(word.text))
                for line in recognition.lines
                for word in line.words
                if block.box.contains(_middle(word))
            ]
        letters = sum(length for _confidence, length in known)
        read = msgspec.structs.replace(
            block,
            lines=tuple(lines),
            source=Source.TEXT_LAYER if is_own else Source.OCR,
            confidence=round(sum(value * length for value, length in known) / letters, 3) if letters else None,
        )
        blocks.append(rotated_pages.moved(read, lambda box: as_displayed(box, recognition)))
    return blocks


def _middle(word: RecognizedWord) -> Box:
    across, down = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    return Box(across, down, across, down)


def apply_recognition(page: Page, recognition: Recognition, *, word_boxes: bool = False) -> Page:
    """Return the page with the text that OCR read.

    A page without a text layer keeps what text it has, such as a stamp on a scan. A page whose pictures alone needed
    OCR keeps its own text, and each picture is followed by the text read inside it. A suspected text layer that agrees
    with the picture of the page is kept. The pictures of an office document are followed by their texts, too.
    Bar codes, or a warning without them, and signatures are added; of a page that needs no OCR, nothing else is read.
    ``word_boxes``: what OCR read has the boxes of its words.
    """
    if recognition.lacks_barcodes:
        page = msgspec.structs.replace(page, warnings=(*page.warnings, BARCODES_NOT_READ))
    lay = partial(lay_out, page_number=page.number, word_boxes=word_boxes)
    if page.structured:
        return with_pictures_read(page, recognition, partial(_laid_out_in_picture, lay))
    read_page = _with_text(page, recognition, lay) if page.needs_ocr else page
    return with_signatures(with_barcodes(read_page, recognition.barcodes), recognition)


def _with_text(page: Page, recognition: Recognition, lay: LayOut) -> Page:
    if page.needs_ocr == GARBLED_TEXT:
        return _without_wrong_text(page, recognition, lay)
    if page.garbled:
        page = with_parts_read(page, recognition, lay, partial(_agree, recognition))
    if page.needs_ocr == GARBLED_PARTS:
        return _finished(page, page.blocks, recognition)
    if page.needs_ocr == TEXT_IN_PICTURE:
        return _finished(page, _with_pictures_read(page, recognition, lay), recognition)
    page = msgspec.structs.replace(page, rotation=-recognition.orientation % 360)
    return _finished(page, _with_texts(recognition, page, list(texts_of(page.blocks)), lay), recognition)


def _laid_out_in_picture(lay: LayOut, recognition: Recognition) -> list[Block]:
    """Return the blocks of a picture. What is only aligned, not ruled, is no table in it."""
    rules = [as_displayed(rule, recognition) for rule in recognition.rulings]
    blocks = lay(recognition)
    return [_as_paragraph(block) if block.cells and not _shows_grid(block, rules) else block for block in blocks]


def _without_wrong_text(page: Page, recognition: Recognition, lay: LayOut) -> Page:
    """Return a page of a suspected text layer with the text that OCR read, unless both agree or OCR read nothing."""
    found = lay(recognition)
    if not any(block.text or block.cells for block in found):
        return msgspec.structs.replace(page, needs_ocr="")
    if _agree(recognition, page.blocks, found):
        warnings = tuple(code for code in page.warnings if code != "text_unreliable")
        return msgspec.structs.replace(page, needs_ocr="", warnings=warnings)
    warnings = tuple(code for code in page.warnings if code not in _OF_THE_TEXT_LAYER)
    elsewhere = [(text, box) for text, box in texts_elsewhere(recognition, page.blocks) if is_clear(text)]
    if elsewhere:
        found = _with_texts(recognition, page, elsewhere, lay)
    page = msgspec.structs.replace(page, warnings=warnings, quality={}, rotation=-recognition.orientation % 360)
    return _finished(page, found, recognition)


def _with_texts(recognition: Recognition, page: Page, texts: list[tuple[str, Box]], lay: LayOut) -> list[Block]:
    """Return the blocks of a recognised page that has these texts of its own."""
    if recognition.orientation and texts:  # the texts are upright, the lines of the scan are not
        own_blocks = [Block(BlockType.PARAGRAPH, box, text, (Line(text, box),)) for text, box in texts]
        return own_blocks + lay(words_outside(recognition, [box for _text, box in texts]))
    merged, own = with_own_text(recognition, texts)
    return lay(merged, own=own) or [block for block in page.blocks if block.type is BlockType.PICTURE]


def _finished(page: Page, blocks: Sequence[Block], recognition: Recognition) -> Page:
    warnings = (*page.warnings, *recognition.warnings)
    if recognition.lines and recognition.confidence < _MIN_CONFIDENCE:
        warnings = (*warnings, "ocr_low_confidence")
    return msgspec.structs.replace(page, blocks=tuple(blocks), needs_ocr="", warnings=warnings)


def _with_pictures_read(page: Page, recognition: Recognition, lay: LayOut) -> list[Block]:
    """Return the blocks of the page, each picture followed by the text inside it that the page does not have itself."""
    places = [place for place, block in enumerate(page.blocks) if block.type is BlockType.PICTURE]
    pictures = [page.blocks[place].box for place in places]
    # The text around the pictures stays: it shows where their columns are.
    recognition = without_text_over_pictures(recognition, page.blocks)
    found = lay(recognition)
    inside = [block for block in found if any(box.contains(block.box, slack=_PICTURE_SLACK) for box in pictures)]
    left = words_outside(words_inside(recognition, pictures), [block.box for block in inside])
    rules = [as_displayed(rule, recognition) for rule in recognition.rulings]
    inside = [_as_paragraph(block) if block.cells and not _shows_grid(block, rules) else block for block in inside]
    # Lines that go on beside a picture, or over several, are in no block inside one. They are labels, no list items.
    inside += [block if _shows_grid(block, rules) else _as_paragraph(block) for block in lay(left)]
    following: dict[int, list[Block]] = defaultdict(list)
    for read in inside:
        if read.text or read.cells:
            parts = ((page.blocks[place].box.intersection(read.box), -place) for place in places)
            areas = [(part.width * part.height, place) for part, place in parts if part is not None]
            following[-max(areas, default=(0.0, -places[0]))[1]].append(read)
    return [each for place, block in enumerate(page.blocks) for each in (block, *following[place])]


def _shows_grid(block: Block, rules: Sequence[Box]) -> bool:
    """Return True for a table whose rows and columns are drawn. Labels that are only aligned belong to a drawing.

    ``rules``: the drawn lines of the page as displayed.
    """
    filled = [cell for cell in block.cells if cell.text]
    if len(filled) < MIN_FILLED_SHARE * len(block.cells):
        return False
    if len({cell.row for cell in filled}) < 2 or len({cell.column for cell in filled}) < 2:
        return False
    box = block.box
    slack = _PICTURE_SLACK
    around = Box(box.x0 - slack, box.top - slack, box.x1 + slack, box.bottom + slack)
    across, down = rulings_of(part for rule in rules if (part := around.intersection(rule)))
    long = [rule for rule in across if rule.high - rule.low >= MIN_RULED_SHARE * box.width]
    tall = [rule for rule in down if rule.high - rule.low >= MIN_RULED_SHARE * box.height]
    return min(len(long), len(tall)) >= MIN_GRID_RULINGS


def _as_paragraph(block: Block) -> Block:
    text = " ".join(filter(None, (block.marker, block.text, *(cell.text for cell in block.cells))))
    return msgspec.structs.replace(block, type=BlockType.PARAGRAPH, text=text, marker="", level=0, cells=())


def _agree(recognition: Recognition, blocks: Sequence[Block], read: Sequence[Block]) -> bool:
    """Return True if blocks of a text layer are right by what OCR read in their place."""
    return agreement(blocks, read) >= (MIN_AGREEMENT_IF_SURE if recognition.confidence >= _SURE else MIN_AGREEMENT)


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
