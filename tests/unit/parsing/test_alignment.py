"""Every block of an answer gets a box on the page; pictures and running lines that the answer lacks are kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.pages.model.blocks import Block, BlockType, Cell, Line, Page, Source, decode_page, encode_page
from apps.pages.model.geometry import Box
from apps.pages.output.assembly import finished_pages
from apps.parsing.answers.alignment import align
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.parse_answer import end_line, parsed_page
from apps.parsing.errors import UnusableAnswer
from tests.unit.pages.drawing import HEIGHT, WIDTH, page, text_block

MARK = "7f3a"


def parsed(of: Page, markdown: str) -> Page:
    return parsed_page(of, f"{markdown}\n{end_line(MARK)}", marker=MARK)


def lines_block(*texts: str, top: float = 100.0, x: float = 72.0, width: float = 200.0) -> Block:
    """A paragraph of lines, 14 points apart."""
    lines = tuple(Line(text, Box(x, top + 14 * n, x + width, top + 14 * n + 12), 10.0) for n, text in enumerate(texts))
    box = Box(x, top, x + width, lines[-1].box.bottom)
    return Block(BlockType.PARAGRAPH, box, " ".join(texts), lines)


LEAVES = "Leaves fall from every tree in the autumn of the year"
MILLS = "Mills grind the grain slowly but exceedingly fine"
LEFT = lines_block("Leaves fall from every tree", "in the autumn of the year", top=200, x=72)
RIGHT = lines_block("Mills grind the grain slowly", "but exceedingly fine", top=200, x=320)


def test_a_block_gets_the_box_of_its_words() -> None:
    made = parsed(
        page(LEFT, RIGHT),
        f"{LEAVES}\n\n{MILLS}",
    )
    assert [(block.box, block.lines, block.confidence) for block in made.blocks] == [
        (LEFT.box, LEFT.lines, 1.0),
        (RIGHT.box, RIGHT.lines, 1.0),
    ]
    assert {block.source for block in made.blocks} == {Source.MODEL}


def test_another_reading_order_keeps_the_boxes() -> None:
    made = parsed(
        page(LEFT, RIGHT),
        f"{MILLS}\n\n{LEAVES}",
    )
    assert [block.box for block in made.blocks] == [RIGHT.box, LEFT.box]


def test_a_part_of_a_line_has_a_part_of_its_box() -> None:
    made = parsed(page(text_block("Total amount 1,250.00", x=100)), "Total amount\n\n1,250.00")
    name, number = made.blocks
    assert (name.box.x0, number.box.x1) == (100, 300)
    assert 100 < name.box.x1 <= number.box.x0 < 300


def test_a_word_hyphenated_at_a_line_end_is_found() -> None:
    cut = lines_block("They parted the photo-", "synthesis from the rest")
    (block,) = parsed(page(cut), "They parted the photosynthesis from the rest").blocks
    assert (block.box, block.confidence) == (cut.box, 1.0)


def test_words_that_differ_lower_the_confidence() -> None:
    (block,) = parsed(page(LEFT), "Leaves drop from every bush in the autumn of the year").blocks
    assert block.box == LEFT.box
    assert block.confidence == pytest.approx(8 / 10, abs=0.03)


def test_one_stray_word_does_not_stretch_a_box() -> None:
    far = lines_block("Nothing here resembles anything", "whatever you may look for", "with a single zebra", top=600)
    between = [lines_block(f"Filling line number {n} of some length", top=260 + 20 * n) for n in range(8)]
    made = parsed(page(LEFT, *between, far), f"{LEAVES} zebra")
    assert made.blocks[0].box == LEFT.box


def test_a_block_without_known_words_is_placed_between_its_neighbours() -> None:
    below = lines_block("Mills grind the grain slowly", top=400)
    made = parsed(
        page(LEFT, below),
        f"{LEAVES}\n\nXyzzy\n\nMills grind the grain slowly",
    )
    unknown = made.blocks[1]
    assert unknown.confidence == 0.0
    assert (unknown.box.top, unknown.box.bottom) == (LEFT.box.bottom, below.box.top)


def test_a_block_on_a_page_without_words_gets_the_whole_page() -> None:
    (block,) = parsed(page(), "Read from the picture").blocks
    assert (block.box, block.confidence) == (Box(0, 0, WIDTH, HEIGHT), 0.0)


def test_cells_get_their_boxes() -> None:
    boxes = [Box(72 + 100 * n, 100, 160 + 100 * n, 112) for n in range(4)]
    table = Block(
        BlockType.TABLE,
        Box(72, 100, 460, 112),
        cells=tuple(
            Cell(0, n, text, box=box)
            for n, (text, box) in enumerate(zip(["Oats", "12.5", "Rye", "7.25"], boxes, strict=True))
        ),
    )
    (made,) = parsed(
        page(table), "<table><tr><td>Oats</td><td>12.5</td></tr><tr><td>Rye</td><td>7.25</td></tr></table>"
    ).blocks
    assert [cell.box for cell in made.cells] == boxes
    assert made.box == Box(72, 100, 460, 112)


def test_pictures_stay_at_their_place() -> None:
    picture = Block(BlockType.PICTURE, Box(72, 250, 300, 380))
    below = lines_block("Mills grind the grain slowly", top=400)
    made = parsed(page(LEFT, picture, below), "Leaves fall from every tree\n\nMills grind the grain slowly")
    assert [block.type for block in made.blocks] == [BlockType.PARAGRAPH, BlockType.PICTURE, BlockType.PARAGRAPH]
    assert made.blocks[1] == picture


def test_running_lines_that_the_answer_leaves_out_are_kept() -> None:
    pages = [
        page(
            text_block("Annual report of the mill", top=30),
            lines_block(f"Chapter {word} speaks of grain", "and of nothing else at all", top=300),
            text_block(str(number), top=800),
            number=number,
        )
        for number, word in enumerate(["one", "two", "three", "four"], 1)
    ]
    made = [parsed(one, one.blocks[1].text) for one in pages]
    finished = list(finished_pages(lambda: made))
    for one in finished:
        assert isinstance(one, Page)
        assert [block.type for block in one.blocks] == [
            BlockType.PAGE_HEADER,
            BlockType.PARAGRAPH,
            BlockType.PAGE_FOOTER,
        ]


def test_running_lines_that_the_answer_contains_are_not_repeated() -> None:
    pages = [
        page(text_block("Annual report of the mill", top=30), lines_block(f"Chapter {word} speaks", top=300), number=n)
        for n, word in enumerate(["one", "two", "three", "four"], 1)
    ]
    made = [parsed(one, f"Annual report of the mill\n\n{one.blocks[1].text}") for one in pages]
    for one in finished_pages(lambda: made):
        assert isinstance(one, Page)
        assert [block.type for block in one.blocks] == [BlockType.PAGE_HEADER, BlockType.PARAGRAPH]


def test_an_empty_answer_to_a_page_with_text_is_refused() -> None:
    with pytest.raises(UnusableAnswer):
        parsed(page(LEFT), "")


def test_an_empty_answer_to_an_empty_page_is_an_empty_page() -> None:
    assert parsed(page(), "").blocks == ()


def test_a_page_that_repeats_one_word_is_aligned() -> None:
    many = page(*(lines_block("no " * 200, top=20 + 14.0 * n) for n in range(20)))
    blocks = align(many, [Draft(BlockType.PARAGRAPH, "no " * 10_000)])
    assert blocks[0].confidence == pytest.approx(0.4, abs=0.01)


VOCABULARY = st.sampled_from(["leaf", "mill", "oats", "12.5", "rye", "the", "the", "第", "x-y"])
WORDS = st.lists(VOCABULARY, max_size=12).map(" ".join)


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6), st.floats(-500, 1500))
@settings(max_examples=200, deadline=None)
def test_boxes_stay_within_the_page(of_page: list[str], of_answer: list[str], top: float) -> None:
    source = page(*(text_block(text, top=top + 20 * n, x=top) for n, text in enumerate(of_page) if text))
    drafts = [Draft(BlockType.PARAGRAPH, text) for text in of_answer if text]
    made = Page(1, WIDTH, HEIGHT, align(source, drafts))
    for block in made.blocks:
        if block.source is Source.MODEL:
            assert 0 <= block.box.x0 <= block.box.x1 <= WIDTH
            assert 0 <= block.box.top <= block.box.bottom <= HEIGHT
            assert block.confidence is not None
            assert 0.0 <= block.confidence <= 1.0
    assert [block.text for block in made.blocks if block.source is Source.MODEL] == [draft.text for draft in drafts]
    assert decode_page(encode_page(made)) == made
