"""The lines that an engine read become blocks of the page as displayed."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.layout.straightened import as_displayed
from apps.pages.model.blocks import Block, BlockType, Line, Page, Source
from apps.pages.model.errors import GarbledPage
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import (
    Recognition,
    RecognizedLine,
    RecognizedWord,
    decode_recognition,
    encode_recognition,
)


def line(text: str, x0: float, top: float, *, size: float = 12.0, confidence: float = 0.9) -> RecognizedLine:
    words, x = [], x0
    for word in text.split():
        words.append(RecognizedWord(word, x, top, x + len(word) * size / 2, top + size, confidence))
        x += (len(word) + 1) * size / 2
    return RecognizedLine(tuple(words), Box(x0, top, x - size / 2, top + size), confidence)


def recognition(*lines: RecognizedLine, orientation: int = 0, skew: float = 0.0) -> Recognition:
    return Recognition(
        lines=lines,
        rulings=(),
        width=600.0,
        height=800.0,
        orientation=orientation,
        skew=skew,
        engine="test",
        version="1",
        languages=("en",),
        confidence=lines[0].confidence if lines else 0.0,
        seconds=0.1,
        attempts=(),
    )


def scan(needs_ocr: str = "no_text_layer", *blocks: Block) -> Page:
    return Page(number=3, width=600.0, height=800.0, blocks=blocks, needs_ocr=needs_ocr)


def test_lines_become_blocks_with_source_and_confidence() -> None:
    lines = line("First words of a line", 50, 100), line("and more of them", 50, 114)
    page = apply_recognition(scan(), recognition(*lines))

    (block,) = page.blocks
    assert (page.number, page.needs_ocr, block.text) == (3, "", "First words of a line and more of them")
    assert (block.source, block.confidence) == (Source.OCR, 0.9)
    assert block.box.x0 == 50
    assert [found.confidence for found in block.lines] == [0.9, 0.9]


def test_columns_are_read_one_after_the_other() -> None:
    left = [line(f"left column line {number} of text", 40, 100 + number * 16) for number in range(8)]
    right = [line(f"right column line {number} of text", 330, 105 + number * 16) for number in range(8)]
    mixed = [each for pair in zip(left, right, strict=True) for each in pair]
    text = " ".join(block.text for block in apply_recognition(scan(), recognition(*mixed)).blocks)
    assert text.index("left column line 7") < text.index("right column line 0")


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (0, Box(50, 100, 150, 112)),
        (90, Box(100, 450, 112, 550)),
        (180, Box(450, 688, 550, 700)),
        (270, Box(688, 50, 700, 150)),
    ],
)
def test_boxes_are_turned_back_to_the_page_as_displayed(orientation: int, expected: Box) -> None:
    turned = as_displayed(Box(50, 100, 150, 112), recognition(orientation=orientation))
    assert turned == expected


def test_skew_is_undone_around_the_middle_of_the_page() -> None:
    found = recognition(skew=2.0)
    assert as_displayed(Box(300, 400, 300, 400), found) == Box(300, 400, 300, 400)
    right_of_it = as_displayed(Box(500, 400, 500, 400), found)
    assert right_of_it.top > 400  # the lines slope downwards, clockwise
    assert right_of_it.x0 < 500


def test_only_the_pictures_of_a_page_with_text_are_read() -> None:
    own = over_picture("Its own words", 50, 50)
    picture = Block(type=BlockType.PICTURE, box=Box(50, 100, 400, 300))
    found = recognition(line("Its own w0rds", 50, 52), line("words in the picture", 80, 150))

    page = apply_recognition(scan("text_in_picture", own, picture), found)

    assert [block.text for block in page.blocks] == ["Its own words", "", "words in the picture"]


def over_picture(text: str, x0: float, top: float, *, size: float = 12.0) -> Block:
    """A paragraph of the text layer in one line."""
    box = Box(x0, top, x0 + len(text) * size / 2, top + size)
    return Block(BlockType.PARAGRAPH, box, text, (Line(text, box, size),))


def test_text_over_a_picture_is_not_read_a_second_time() -> None:
    background = Block(type=BlockType.PICTURE, box=Box(0, 0, 600, 600))
    title = over_picture("Title of a slide", 80, 100)
    found = recognition(line("Title of a s1ide", 80, 101), line("Words of the picture", 80, 300))

    page = apply_recognition(scan("text_in_picture", background, title), found)

    assert [block.text for block in page.blocks if block.text] == ["Words of the picture", "Title of a slide"]


def test_words_beside_text_over_a_picture_are_read() -> None:
    background = Block(type=BlockType.PICTURE, box=Box(0, 0, 600, 600))
    found = recognition(line("Title of a slide and the year", 80, 101))

    page = apply_recognition(scan("text_in_picture", background, over_picture("Title of a slide", 80, 100)), found)

    assert [block.text for block in page.blocks if block.text] == ["and the year", "Title of a slide"]


def test_small_words_below_a_large_watermark_are_read() -> None:
    background = Block(type=BlockType.PICTURE, box=Box(0, 0, 600, 600))
    found = recognition(line("Words of the picture", 80, 110))

    page = apply_recognition(scan("text_in_picture", background, over_picture("DRAFT", 40, 90, size=60)), found)

    assert "Words of the picture" in [block.text for block in page.blocks]


def own(text: str, box: Box) -> Block:
    return Block(BlockType.PARAGRAPH, box, text, (Line(text, box),))


def test_text_over_two_pictures_comes_once() -> None:
    strips = [Block(type=BlockType.PICTURE, box=Box(50, top, 400, top + 60)) for top in (100, 150)]

    page = apply_recognition(scan("text_in_picture", *strips), recognition(line("words over both", 80, 152)))

    assert [block.text for block in page.blocks if block.text] == ["words over both"]


def test_the_labels_of_a_chart_in_a_picture_are_no_table() -> None:
    picture = Block(type=BlockType.PICTURE, box=Box(40, 90, 560, 400))
    labels = [line("2.4", 60, 100), line("2.2", 60, 130), line("2.0", 60, 160), line("1.8", 60, 190)]
    below = [line(text, x, 220) for text, x in (("Male", 150), ("Female", 300), ("Unknown", 450))]

    page = apply_recognition(scan("text_in_picture", picture), recognition(*labels, *below))

    assert not any(block.cells for block in page.blocks)
    assert sorted(" ".join(block.text for block in page.blocks).split()) == sorted(
        ["2.4", "2.2", "2.0", "1.8", "Male", "Female", "Unknown"]
    )


def labels_in_rows(*rules: Box) -> Page:
    """A page of which a picture has nine labels in rows and columns, and these drawn lines."""
    picture = Block(type=BlockType.PICTURE, box=Box(40, 90, 560, 250))
    rows = [("Vessel", "Hull", "Leith"), ("Anna", "120", "85"), ("Brigid", "60", "41")]
    lines = [line(text, 60 + 150 * c, 105 + 30 * r) for r, row in enumerate(rows) for c, text in enumerate(row)]
    found = msgspec.structs.replace(recognition(*lines), rulings=rules)
    return apply_recognition(scan("text_in_picture", over_picture("Its own words", 50, 50), picture), found)


GRID = (
    *(Box(50, y, 500, y + 1) for y in (96, 126, 156, 186)),
    *(Box(x, 96, x + 1, 187) for x in (50, 200, 350, 499)),
)


def test_a_ruled_grid_in_a_picture_is_a_table() -> None:
    page = labels_in_rows(*GRID)
    assert [block.type for block in page.blocks] == [BlockType.PARAGRAPH, BlockType.PICTURE, BlockType.TABLE]
    assert " ".join(cell.text for cell in page.blocks[-1].cells) == "Vessel Hull Leith Anna 120 85 Brigid 60 41"


@pytest.mark.parametrize("rules", [(), GRID[:2], GRID[:4], (GRID[0], GRID[3], GRID[4], GRID[7])])
def test_labels_in_rows_without_a_grid_are_text_of_their_picture(rules: tuple[Box, ...]) -> None:
    page = labels_in_rows(*rules)

    assert not any(block.cells for block in page.blocks)
    words = Counter(word for block in page.blocks for word in block.text.split())
    assert words == Counter(
        ["Its", "own", "words", "Vessel", "Hull", "Leith", "Anna", "120", "85", "Brigid", "60", "41"]
    )


def test_a_ruled_grid_over_two_strips_of_a_picture_is_a_table() -> None:
    page = labels_in_rows(*GRID)
    strips = tuple(Block(type=BlockType.PICTURE, box=Box(40, top, 560, top + 60)) for top in (90, 150))
    rows = page.blocks[-1].cells
    lines = [line(cell.text, cell.box.x0, cell.box.top) for cell in rows if cell.box is not None]
    found = msgspec.structs.replace(recognition(*lines), rulings=GRID)

    read = apply_recognition(scan("text_in_picture", *strips), found)

    assert [len(block.cells) for block in read.blocks if block.cells] == [9]


def test_strokes_of_letters_are_no_rulings_of_a_table() -> None:
    rows = [("Vessel", "Hull", "Leith"), ("Anna", "120", "85"), ("Brigid", "60", "41"), ("Clara", "12", "17")]
    lines = [line(text, 50 + 150 * c, 100 + 16 * r) for r, row in enumerate(rows) for c, text in enumerate(row)]
    strokes = (Box(198, 110, 224, 111), Box(348, 110, 378, 111), Box(198, 126, 216, 127), Box(348, 126, 360, 127))
    read = msgspec.structs.replace(recognition(*lines), rulings=strokes)

    (table,) = apply_recognition(scan(), read).blocks

    assert [cell.text for cell in table.cells] == [text for row in rows for text in row]
    assert table.confidence == 0.9


def test_the_own_text_of_a_scan_stays_exact_and_in_its_place() -> None:
    found = recognition(line("First line of the letter", 50, 100), line("Flled 4711", 50, 40), skew=1.0)

    page = apply_recognition(scan("no_text_layer", own("Filed 4711", Box(62, 33, 122, 45))), found)

    assert [(block.text, block.source) for block in page.blocks] == [
        ("Filed 4711", Source.TEXT_LAYER),
        ("First line of the letter", Source.OCR),
    ]


def test_the_own_text_of_a_scan_lying_on_its_side_is_kept() -> None:
    found = recognition(line("First line of the letter", 50, 100), orientation=90)

    page = apply_recognition(scan("no_text_layer", own("Filed 4711", Box(300, 20, 360, 32))), found)

    assert [block.text for block in page.blocks] == ["Filed 4711", "First line of the letter"]


def test_a_field_value_beside_a_wrong_text_layer_is_kept() -> None:
    layer, value = own("Flrs! l1ne cf th# l#tt#r", Box(50, 100, 200, 112)), own("240.50 EUR", Box(300, 300, 360, 312))

    page = apply_recognition(scan("garbled_text", layer, value), recognition(line("First line of the letter", 50, 100)))

    assert [block.text for block in page.blocks] == ["First line of the letter", "240.50 EUR"]


def test_text_of_low_confidence_is_kept_with_a_warning() -> None:
    page = apply_recognition(scan(), recognition(line("wcrds", 50, 100, confidence=0.4)))
    assert page.blocks[0].text == "wcrds"
    assert page.warnings == ("ocr_low_confidence",)


def test_a_page_without_words_stays_an_empty_page() -> None:
    picture = Block(type=BlockType.PICTURE, box=Box(0, 0, 600, 800))
    page = apply_recognition(scan("no_text_layer", picture), recognition())
    assert (page.blocks, page.needs_ocr, page.warnings) == ((picture,), "", ())


def test_a_malformed_recognition_is_refused() -> None:
    found = recognition(line("word", 1, 2))
    raw = encode_recognition(found)
    assert decode_recognition(raw) == found
    for broken in (b"", b"{}", raw[:-1], raw.replace(b"0.9", b"7.0"), raw.replace(b'"test"', b"3")):
        with pytest.raises(GarbledPage):
            decode_recognition(broken)
