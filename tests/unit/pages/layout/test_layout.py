"""Runs of text become blocks in reading order."""

from __future__ import annotations

import pytest

from apps.pages.layout import page_layout
from apps.pages.layout.text.lines import paragraph_text
from apps.pages.model.blocks import Block, BlockType
from tests.unit.pages.conftest import Parse
from tests.unit.pages.drawing import prose, raw_page, run
from tests.unit.pages.tiny_pdf import Sheet

LEFT = "The leaves of the left column are green and they stand in rows that nobody has counted yet " * 3
RIGHT = "Other leaves on the right are brown and fall in autumn when wind comes over from the hills " * 3


def texts(blocks: list[Block]) -> list[str]:
    return [block.text for block in blocks]


def test_lines_of_a_paragraph_become_one_block_with_its_lines() -> None:
    (block,) = page_layout.analyse(raw_page(prose(LEFT, 72, 100)))

    assert block.type is BlockType.PARAGRAPH
    assert block.text == LEFT.strip()
    assert len(block.lines) > 5
    assert (block.box.x0, block.box.top) == (72, 100)


def test_a_wider_step_begins_a_new_paragraph() -> None:
    blocks = page_layout.analyse(raw_page(prose(LEFT, 72, 100) + prose(RIGHT, 72, 230)))

    assert texts(blocks) == [LEFT.strip(), RIGHT.strip()]


def test_two_columns_are_read_one_after_the_other() -> None:
    blocks = page_layout.analyse(raw_page(prose(LEFT, 60, 100) + prose(RIGHT, 310, 100)))

    assert " ".join(texts(blocks)) == LEFT + RIGHT.strip()


def test_columns_of_a_right_to_left_page_begin_at_the_right() -> None:
    right = "עלים ירוקים עומדים בשורה ארוכה מאוד " * 8
    left = "רוחות חזקות באות מן ההרים הגבוהים " * 8

    blocks = page_layout.analyse(raw_page(prose(left, 60, 100) + prose(right, 310, 100)))

    assert " ".join(texts(blocks)) == right + left.strip()


def test_a_heading_across_both_columns_ends_the_columns_above() -> None:
    runs = prose(LEFT, 60, 100) + prose(RIGHT, 310, 100)
    runs.append(run("A heading that stands across the whole of this page, from side to side", 60, 250, size=14))
    runs += prose("second " * 60, 60, 290) + prose("fourth " * 60, 310, 290)

    order = texts(page_layout.analyse(raw_page(runs)))

    heading = next(index for index, text in enumerate(order) if text.startswith("A heading"))
    assert " ".join(order[:heading]) == LEFT + RIGHT.strip()
    assert order[heading + 1].startswith("second")
    assert order[-1].startswith("fourth")


def test_a_title_over_three_columns_comes_first() -> None:
    title = run("Leaves", 250, 40, size=24)
    columns = [prose(f"{name} " * 40, 40 + 180 * index, 100, letters=30) for index, name in enumerate("abc")]

    order = texts(page_layout.analyse(raw_page([*columns[2], *columns[0], *columns[1], title])))

    assert [text[0] for text in order] == ["L", "a", "b", "c"]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["The docu-", "ment"], "The document"),
        (["The Leaf-", "Mill"], "The Leaf-Mill"),
        (["pages 12-", "14"], "pages 12-14"),
        (["soft hy\xad", "phen"], "soft hyphen"),
        (["one", "two"], "one two"),
        (["全文", "検索"], "全文検索"),
    ],
)
def test_hyphenated_line_ends_are_joined(lines: list[str], text: str) -> None:
    assert paragraph_text(lines) == text


@pytest.mark.parametrize(
    ("marker", "shown"), [("•", "•"), ("–", "–"), ("1.", "1."), ("b)", "b)"), ("[12]", "[12]"), ("iv.", "iv.")]
)
def test_lines_with_markers_become_list_items(marker: str, shown: str) -> None:
    blocks = page_layout.analyse(
        raw_page([run(f"{marker} green leaves", 72, 100), run(f"{marker} brown leaves", 72, 113)])
    )

    assert [(block.type, block.marker, block.text) for block in blocks] == [
        (BlockType.LIST_ITEM, shown, "green leaves"),
        (BlockType.LIST_ITEM, shown, "brown leaves"),
    ]


def test_a_separate_marker_belongs_to_the_text_beside_it() -> None:
    runs = [run("•", 72, 100), run("green leaves", 95, 100), run("•", 72, 113), run("brown leaves", 95, 113)]

    blocks = page_layout.analyse(raw_page(runs))

    assert [(block.marker, block.text) for block in blocks] == [("•", "green leaves"), ("•", "brown leaves")]


@pytest.mark.parametrize("text", ["A leaf is green", "I am a leaf", "e.g. leaves", "3 leaves fell", "-5 degrees"])
def test_sentences_are_not_list_items(text: str) -> None:
    (block,) = page_layout.analyse(raw_page([run(text, 72, 100)]))

    assert (block.type, block.text) == (BlockType.PARAGRAPH, text)


def test_words_in_two_fonts_are_one_line_with_the_space_between_them() -> None:
    first = run("bold", 72, 100, bold=True)
    second = run("word", first.x1 + 3, 100)
    third = run("s", second.x1 + 0.2, 100)

    (block,) = page_layout.analyse(raw_page([first, second, third]))

    assert block.text == "bold words"


def test_another_letter_size_begins_a_new_paragraph() -> None:
    blocks = page_layout.analyse(raw_page([run("Leaves", 72, 100, size=12), run("are green", 72, 113)]))

    assert texts(blocks) == ["Leaves", "are green"]


@pytest.mark.parametrize("step", [22, 25])
def test_lines_with_wide_spaces_are_one_paragraph(parse: Parse, step: float) -> None:
    lines = ["the river mill has stood at the weir for three hundred years"] * 5 + ["until today."]

    assert parse(Sheet().lines(72, 100, lines, step=step)).text == " ".join(lines) + "\n"


def test_single_lines_far_apart_are_paragraphs(parse: Parse) -> None:
    lines = ["Name of the mill", "Place", "Number of stones at work", "Owner", "Day of the visit"]

    assert parse(Sheet().lines(72, 100, lines, step=24)).text.split("\n\n") == [*lines[:-1], f"{lines[-1]}\n"]
