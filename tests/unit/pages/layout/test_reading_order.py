"""Columns, paragraphs, headings and lists in the result of a parsed document."""

from __future__ import annotations

from pathlib import Path

from apps.pages.model.blocks import Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

LEFT = [
    "The river rises in the northern hills and it",
    "runs for two hundred miles before it meets",
    "the sea. Along its banks stand eleven towns",
    "of which the oldest was founded by monks in",
    "the ninth century and burned down twice, as",
    "the chronicle of the abbey tells at length.",
]
RIGHT = [
    "Trade came with the canals that were dug in",
    "the age of steam. Barges carried coal to the",
    "mills and cloth away from them until at last",
    "the railway took the business over, and the",
    "locks fell silent one after the other, with",
    "grass on their walls and ducks in the pools.",
]


def test_columns_are_read_one_after_the_other(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, LEFT).lines(330, 120, RIGHT)

    text = parse(sheet).text

    assert text.index("tells at length") < text.index("Trade came")
    assert "it runs for two hundred" in text


def test_headings_of_both_columns_at_one_height_are_two(parse: Parse) -> None:
    sheet = Sheet().text(60, 120, "The river").text(330, 120, "The canal")
    sheet.lines(60, 150, LEFT).lines(330, 150, RIGHT)

    text = parse(sheet).text

    assert text.index("The river") < text.index("tells at length") < text.index("The canal")


def test_centred_lines_between_lines_at_the_left_are_no_column(parse: Parse) -> None:
    sheet = Sheet().text(60, 60, "Contents of the whole report")
    sheet.lines(240, 80, ["The Company of the Mill", "Notes to its statements", "Continued from before"])
    sheet.text(60, 150, "What was lately issued").text(60, 180, "What was lately adopted").lines(60, 200, LEFT)

    text = parse(sheet).text

    assert text.index("Contents") < text.index("The Company") < text.index("Continued") < text.index("What was")


def cards(*titles: str) -> Sheet:
    """Two rows of two texts, each below its title; titles from the top left, row by row."""
    sheet = Sheet()
    for number, title in enumerate(titles):
        x, top = 60 + 270 * (number % 2), 120 + 180 * (number // 2)
        sheet.text(x, top, title, size=13).lines(x, top + 30, RIGHT if number % 2 else LEFT)
    return sheet


def test_two_rows_of_columns_are_read_row_by_row(parse: Parse) -> None:
    text = parse(cards("1. River", "2. Canal", "3. Abbey", "4. Lock")).text

    assert text.index("River") < text.index("tells at length") < text.index("Canal") < text.index("in the pools")
    assert text.index("in the pools") < text.index("Abbey") < text.index("Lock")


def test_numbers_that_count_down_the_columns_give_their_order(parse: Parse) -> None:
    text = parse(cards("1. River", "3. Abbey", "2. Canal", "4. Lock")).text

    assert text.index("River") < text.index("Canal") < text.index("Abbey") < text.index("Lock")


def test_a_title_across_the_columns_comes_first(parse: Parse) -> None:
    sheet = Sheet().text(60, 80, "A short history of the river and of everybody who lived on it", size=16)
    sheet.lines(60, 120, LEFT).lines(330, 120, RIGHT)

    markdown = parse(sheet).markdown

    assert markdown.startswith("# A short history of the river and of everybody who lived on it\n\nThe river rises")


def test_text_below_the_columns_comes_last(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, LEFT).lines(330, 120, RIGHT)
    sheet.text(60, 230, "Taken together the two centuries changed the valley more than the thousand years before them.")

    text = parse(sheet).text

    assert text.index("ducks in the pools") < text.index("Taken together")


def test_words_hyphenated_at_a_line_end_are_joined(parse: Parse) -> None:
    lines = [
        "The committee was asked for its recommen-",
        "dation on a state-of-",
        "the-art bridge of 1,200-",
        "1,300 tons.",
    ]

    text = parse(Sheet().lines(60, 120, lines)).text

    assert "its recommendation on" in text
    assert "1,200-1,300 tons" in text


def test_a_wider_step_begins_a_paragraph(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, LEFT[:3]).lines(60, 175, RIGHT[:3])

    assert len(parse(sheet).text.strip().split("\n\n")) == 2


def test_a_short_line_before_a_capital_ends_its_paragraph(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, [LEFT[0], LEFT[1], "and there it ends", "Then another thing begins, on a full line"])

    assert "there it ends\n\nThen another" in parse(sheet).text


def test_heading_levels_follow_the_size(parse: Parse) -> None:
    sheet = Sheet().text(60, 90, "The valley", size=20).lines(60, 130, LEFT)
    sheet.text(60, 230, "Its trade", size=15).lines(60, 260, RIGHT)
    sheet.text(60, 360, "In figures", bold=True).lines(60, 385, LEFT)

    markdown = parse(sheet).markdown

    headings = [line for line in markdown.splitlines() if line.startswith("#")]
    assert headings == ["# The valley", "## Its trade", "### In figures"]


def test_a_page_in_large_type_has_no_headings(parse: Parse) -> None:
    markdown = parse(Sheet().lines(60, 120, LEFT, size=18, step=22)).markdown

    assert "#" not in markdown


def test_running_lines_are_in_the_items_and_not_in_the_text(parse: Parse) -> None:
    sheets = []
    for number, body in enumerate([LEFT, RIGHT, LEFT], start=1):
        sheet = Sheet().text(60, 40, "Annals of the valley").lines(60, 120, body)
        sheets.append(sheet.text(300, 750, f"- {number} -"))

    outputs = parse(*sheets)

    assert "Annals" not in outputs.text
    assert "- 2 -" not in outputs.markdown
    assert [item["type"] for item in outputs.items(page=2)] == ["header", "text", "footer"]
    assert outputs.json("markdown.json")["pages"][0]["header"] == "Annals of the valley"


def test_a_line_on_only_one_page_is_not_a_running_line(parse: Parse) -> None:
    sheets = [Sheet().text(60, 40, title).lines(60, 120, LEFT) for title in ("The source", "The mouth", "The lakes")]

    outputs = parse(*sheets)

    assert all(title in outputs.text for title in ("The source", "The mouth", "The lakes"))


def test_list_items_keep_their_numbers_and_their_second_lines(parse: Parse) -> None:
    sheet = Sheet().lines(60, 90, LEFT)
    sheet.text(72, 190, "1.").lines(90, 190, ["Open the upper gate and let the water", "in slowly."])
    sheet.text(72, 220, "2.").text(90, 220, "Close it again.")
    sheet.text(72, 240, "•").text(90, 240, "Mind the ducks.")

    markdown = parse(sheet).markdown

    assert "1. Open the upper gate and let the water in slowly.\n2. Close it again.\n- Mind the ducks." in markdown


def test_a_paragraph_continued_on_the_next_page_is_one_in_the_markdown(parse: Parse) -> None:
    outputs = parse(Sheet().lines(60, 120, LEFT[:4]), Sheet().lines(60, 120, LEFT[4:]))

    assert "founded by monks in the ninth century" in outputs.markdown
    assert outputs.json("text.json")["pages"][1]["text"].startswith("the ninth century")


def test_a_rotated_page_is_read_upright_with_boxes_as_displayed(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "side.pdf", Sheet().lines(60, 120, LEFT), rotate=90)

    (page,) = read_pages(path, [1])

    assert isinstance(page, Page)
    assert (page.width, page.height, page.rotation) == (792, 612, 90)
    (block,) = page.blocks
    assert block.text.startswith("The river rises in the northern hills and it runs")
    assert block.box.height > block.box.width
    assert block.box.x1 <= 792 - 110


def test_a_stamp_on_the_side_of_a_page_is_kept_at_the_end(tmp_path: Path) -> None:
    sheet = Sheet().lines(120, 120, LEFT)
    sheet.raw(b"BT /F0 12 Tf 0 1 -1 0 40 300 Tm (RECEIVED) Tj ET")
    path = write_pdf(tmp_path / "stamp.pdf", sheet)

    (page,) = read_pages(path, [1])

    assert isinstance(page, Page)
    assert [block.text.replace(" ", "") for block in page.blocks][-1] == "RECEIVED"


def test_pages_with_a_single_line_keep_it(parse: Parse) -> None:
    outputs = parse(*(Sheet().text(60, 40, f"Chapter {number}") for number in (1, 2, 3)))

    assert outputs.text == "Chapter 1\n\nChapter 2\n\nChapter 3\n"


def test_a_paragraph_that_begins_in_bold_letters_is_one(parse: Parse) -> None:
    sheet = Sheet().text(60, 120, "The miller keeps a written record of every sack", bold=True)
    sheet.text(330, 120, "that has left", bold=False).text(60, 133, "the yard since the spring of the last year.")

    assert "that has left the yard" in parse(sheet).text
