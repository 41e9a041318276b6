"""Only lines that repeat over the pages, but for a page counter, are running lines; all others are text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from apps.pages.model.blocks import Block, BlockType, Line, Page
from apps.pages.model.geometry import Box
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.drawing import Sheet, assembled, page, text_block, write_pdf

BODY = "Leaves are green, and there is much more to say about them than a page can hold. " * 3


def text_of(*pages: Page) -> str:
    _, files = assembled(pages)
    return files["text.txt"].decode()


def pages_with_heads(heads: Sequence[str], *, top: float = 30.0, size: float = 10.0) -> list[Page]:
    return [
        page(text_block(head, top, size=size), text_block(BODY, 200), text_block(BODY, 700), number=number)
        for number, head in enumerate(heads, 1)
    ]


@pytest.mark.parametrize(
    "heads",
    [
        ["The Leaf Handbook"] * 5,
        [f"The Leaf Handbook | {number}" for number in range(1, 6)],
        [f"{number + 210} | The Leaf Handbook" for number in range(1, 6)],
        [f"Page {number} of 9" for number in range(3, 8)],
        [f"页 {number} of 12" for number in range(5, 10)],
        [f"- {numeral} -" for numeral in ("iii", "iv", "v", "vi", "vii")],
        ["The Leaf Handbook", "Chapter of Oaks"] * 4,
        ["Oaks"] * 3 + ["Elms"] * 4,
        ["2-1", "2-2", "2-3", "3-1", "3-2", "3-3"],
    ],
)
def test_running_heads_are_left_out(heads: list[str]) -> None:
    text = text_of(*pages_with_heads(heads))

    assert not any(head in text for head in heads)
    assert text.count("Leaves are green") == 6 * len(heads)


@pytest.mark.parametrize(("size", "is_left_out"), [(7.0, True), (10.0, False)])
def test_small_heads_of_pages_printed_smaller_than_their_paper_are_left_out(size: float, is_left_out: bool) -> None:
    text = text_of(*pages_with_heads(["The Leaf Handbook"] * 4, top=130, size=size))

    assert ("Handbook" not in text) is is_left_out
    assert text.count("Leaves are green") == 24


def test_section_titles_beside_page_numbers_are_left_out() -> None:
    titles = ["Oaks", "Elms", "Chapter 3 Ashes", "4.1 Firs", "Birches"]
    pages = [
        page(
            text_block(title, 30),
            text_block(str(number + 16), 30, x=400),
            text_block(BODY, 200 + number),
            number=number,
        )
        for number, title in enumerate(titles, 1)
    ]

    text = text_of(*pages)

    assert not any(title in text for title in titles)


@pytest.mark.parametrize(
    "heads",
    [
        [f"Invoice {number}" for number in range(2041, 2046)],
        [f"Total due: {20.5 * number} EUR" for number in range(1, 6)],
        ["120", "157", "194", "231", "268"],
        [f"{day} May 2023" for day in (3, 9, 14, 20, 28)],
        [f"Exercise {number}" for number in range(1, 6)],
        [f"Receipt no. {number}" for number in range(17, 22)],
    ],
)
def test_lines_that_differ_in_their_numbers_are_text(heads: list[str]) -> None:
    text = text_of(*pages_with_heads(heads))

    assert all(head in text for head in heads)


def test_the_date_of_letters_in_one_file_is_text() -> None:
    letters = [
        page(
            text_block("May 5, 2023", 60),
            text_block(f"Dear {name},", 100),
            text_block(BODY, 130),
            text_block("Yours sincerely,", 250),
            text_block("The gardener", 270),
            number=number,
        )
        for number, name in enumerate(["Ms Oak", "Mr Elm", "Ms Ash"], 1)
    ]

    assert text_of(*letters).count("May 5, 2023") == 3


def test_footnotes_that_are_alike_are_text() -> None:
    pages = [
        page(
            text_block(BODY, 200), text_block(f"{number + 10} Ibid., p. {20 + 7 * number}.", 760, size=8), number=number
        )
        for number in range(1, 7)
    ]

    assert text_of(*pages).count("Ibid.") == 6


def test_small_lines_at_the_edges_of_a_single_page_are_running_lines() -> None:
    only = page(
        text_block("Quarterly of Leaves, Volume 8", 20, size=8),
        text_block(BODY, 100),
        text_block("www.leaves.example", 815, size=8),
    )

    text = text_of(only)

    assert text == BODY.strip() + "\n" or text == BODY + "\n"


def test_the_line_beside_the_page_number_of_a_single_page_is_no_text() -> None:
    title, number = text_block("Handbook of Leaves 4.0.3", 760), text_block("17", 760, x=500)

    text = text_of(page(text_block(BODY, 200), text_block(BODY, 300), title, number))

    assert "Handbook" not in text
    assert "Sum:" in text_of(page(text_block(BODY, 200), text_block("Sum:", 760), number))


def test_a_row_of_cells_at_the_foot_of_a_page_is_text() -> None:
    cells = [text_block(text, 790, x=60 + 110 * n) for n, text in enumerate(("12-01", "tb", "A. Miller", "14.000,00"))]

    text = text_of(page(text_block(BODY, 200), text_block(BODY, 300), *cells))

    assert all(cell.text in text for cell in cells)


def test_a_line_beside_a_logo_in_the_margin_is_no_text() -> None:
    logo = Block(BlockType.PICTURE, Box(36, 20, 140, 60))

    text = text_of(page(logo, text_block("Quarterly of Leaves", 30, size=8, x=380), text_block(BODY, 200)))

    assert "Quarterly" not in text


def test_a_long_citation_at_the_foot_of_a_single_page_is_no_text() -> None:
    foot = text_block("Miller et al. (2025). " + "A long title of leaves. " * 5 + "https://doi.org/10.1/2", 790, size=7)

    assert "Miller" not in text_of(page(text_block(BODY, 200), text_block(BODY, 300), foot))


def lines_and_number(*numbers: tuple[int, str]) -> list[Page]:
    """Pages whose text ends in their upper half, each with this number below it."""
    return [
        page(*(text_block(BODY, 100 + 20 * line) for line in range(4)), text_block(text, 300, x=197.5), number=number)
        for number, text in numbers
    ]


@pytest.mark.parametrize("pages", [lines_and_number((1, "62")), lines_and_number((1, "62"), (2, "63"))])
def test_a_number_in_the_middle_below_all_text_is_the_page_number(pages: list[Page]) -> None:
    assert "62" not in text_of(*pages)


def test_numbers_below_the_text_that_count_no_pages_are_text() -> None:
    text = text_of(*lines_and_number((1, "62"), (2, "35"), (3, "71")))

    assert all(number in text for number in ("62", "35", "71"))


def test_a_page_whose_text_is_all_in_the_margins_keeps_it() -> None:
    pages = [
        page(text_block("Part one", 40, size=10), number=1),
        *(page(text_block(BODY, 200), number=number) for number in range(2, 5)),
    ]

    assert "Part one" in text_of(*pages)


def test_the_first_of_running_heads_in_large_letters_is_the_title() -> None:
    pages = pages_with_heads(["Of Leaves"] * 4, size=18)

    _, files = assembled(pages)

    assert files["markdown.md"].decode().count("# Of Leaves") == 1
    assert files["items.json"].count(b'"type":"header"') == 3


def test_a_turned_stamp_is_no_heading() -> None:
    stamp = text_block("CONFIDENTIAL", 100, size=40)
    stamp = Block(stamp.type, stamp.box, stamp.text, stamp.lines)
    line = stamp.lines[0]
    turned = type(line.box)(50, 100, 500, 600)
    stamp = Block(stamp.type, turned, stamp.text, (type(line)(line.text, turned, line.size),))

    _, files = assembled([page(text_block(BODY, 200), stamp)])

    assert b"#" not in files["markdown.md"]


def up_the_margin(text: str, x: float, *, length: float = 300.0, size: float = 9.0) -> Block:
    box = Box(x, 200, x + size, 200 + length)
    return Block(BlockType.PARAGRAPH, box, text, (Line(text, box, size),))


@pytest.mark.parametrize("x", [12.0, 570.0])
def test_a_stamp_in_the_side_margin_is_no_text(x: float) -> None:
    stamp = "Downloaded from journal.example.org on 3 May 2021"

    _, files = assembled([page(text_block(BODY, 200), text_block(BODY, 300), up_the_margin(stamp, x))])

    assert stamp not in files["markdown.md"].decode()
    assert b'"type":"footer"' in files["items.json"]
    assert stamp in files["items.json"].decode()


@pytest.mark.parametrize(
    "turned",
    [
        up_the_margin("Photograph: A. Miller", 20, length=70),
        up_the_margin("Number of trees in 2020", 90),
        up_the_margin("Leaves are green and turned", 20),
    ],
)
def test_other_turned_lines_are_text(turned: Block) -> None:
    assert turned.text in text_of(page(text_block(BODY, 200), text_block(BODY, 300), turned))


def test_a_turned_line_that_repeats_in_the_side_margin_is_no_text() -> None:
    pages = [
        page(text_block(BODY, 200 + number), up_the_margin("Author manuscript", 20, length=80), number=number)
        for number in (1, 2)
    ]

    assert "Author manuscript" not in text_of(*pages)


def test_a_line_that_touches_text_of_the_margin_is_text() -> None:
    pages = [
        page(
            text_block("Statement of account", 30),
            text_block(f"Balance: {101 * number}.30", 44),
            text_block(BODY, 200 + number),
            number=number,
        )
        for number in range(1, 5)
    ]

    assert text_of(*pages).count("Statement of account") == 4


def test_parts_of_a_running_head_are_told_apart(tmp_path: Path) -> None:
    sheets = []
    for number in range(1, 7):
        sheet = Sheet(operators=[]).text("The Mill Quarterly", 72, 40).text(str(number + 213), 520, 40)
        for line in range(30):
            sheet.text(f"the wheel of mill {number * line} turns and grinds the grain", 72, 80 + 14 * line)
        sheets.append(sheet)
    path = write_pdf(tmp_path / "quarterly.pdf", sheets)

    text = text_of(*(one for one in read_pages(str(path), range(1, 7)) if isinstance(one, Page)))

    assert "Quarterly" not in text
    assert "216" not in text


def test_short_lines_far_from_the_text_at_the_foot_of_a_single_page_are_running_lines() -> None:
    only = page(
        text_block(BODY, 100),
        text_block("Download date: 15. Sep. 2023", 815),
        text_block("The Mill Quarterly, March 2014", 800, x=300),
        text_block("7", 800, x=560),
    )

    text = text_of(only)

    assert "Download" not in text
    assert "Quarterly" not in text
