"""Columns, figures, side bars and large words among lines, in the result of a parsed document."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.pages.model.blocks import Block, Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.any_script_pdf import Surface, write_surface
from tests.unit.pages.conftest import Parse
from tests.unit.pages.layout.test_reading_order import LEFT, RIGHT
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

SYLLABLES = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve"]


def test_a_large_word_beside_lines_swallows_none_of_them(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, LEFT).lines(330, 120, RIGHT[:5], size=9, step=13)
    sheet.text(560, 122, "V", size=38)

    text = parse(sheet).text

    assert "the age of steam. Barges carried coal to the mills and cloth away" in text


def test_a_drop_cap_is_the_first_letter_of_its_word(parse: Parse) -> None:
    first, second, *others = LEFT
    sheet = Sheet().text(60, 118, "T", size=38).lines(88, 120, [first[1:], second]).lines(60, 146, others)

    text = parse(sheet).text

    assert text.startswith(
        "The river rises in the northern hills and it runs for two hundred miles before it meets the sea"
    )


def test_a_drop_cap_that_is_a_word_keeps_its_space(parse: Parse) -> None:
    sheet = (
        Sheet()
        .text(60, 118, "A", size=38)
        .lines(95, 120, ["Mill stood here when the first"])
        .text(88, 133, "carts came over the old bridge")
    )

    assert "A Mill stood here" in parse(sheet).text


def test_columns_with_baselines_of_their_own_are_not_woven(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, LEFT, step=13).lines(330, 124, RIGHT, step=13)

    assert "it runs for two hundred miles before it meets the sea" in parse(sheet).text


def test_a_drawn_area_holds_its_place_above_a_column(parse: Parse) -> None:
    sheet = Sheet().text(170, 60, "A short history of the river", size=16)
    sheet.raw(b"0.8 g 60 552 230 130 re f 0 g").lines(60, 260, LEFT[:4]).lines(330, 110, [*RIGHT, *RIGHT])

    text = parse(sheet).text

    assert text.index("The river rises") < text.index("Trade came")


def test_short_lines_beside_a_long_column_are_a_side_bar(parse: Parse) -> None:
    bar = ["Contents", "The source", "Eleven towns", "The old abbey", "The two fires", "Canals and coal"]
    sheet = Sheet().lines(40, 121, bar, size=8, step=10).lines(200, 120, [*LEFT, *RIGHT], size=10)

    text = parse(sheet).text

    assert text.split()[:5] == ["Contents", "The", "source", "Eleven", "towns"]
    assert "it runs for two hundred" in text


def test_a_headline_under_columns_begins_new_columns(parse: Parse) -> None:
    sheet = Sheet().lines(60, 100, LEFT).lines(330, 100, RIGHT)
    sheet.text(60, 210, "A second story", size=16)
    sheet.lines(60, 250, [line.upper() for line in LEFT], size=8)
    sheet.lines(330, 250, [line.upper() for line in RIGHT], size=8)

    text = parse(sheet).text

    assert text.index("ducks in the pools") < text.index("A second story") < text.index("NORTHERN HILLS")


def test_a_headline_between_columns_and_a_wide_line_is_read_after_both_columns(parse: Parse) -> None:
    count = min(len(LEFT), len(RIGHT))
    sheet = Sheet().lines(60, 120, LEFT[:count]).lines(330, 120, RIGHT[:count])
    sheet.text(60, 120 + 13 * count + 14, "What was found", size=16, bold=True)
    sheet.text(
        60, 120 + 13 * count + 42, "The water is cleaner than a year ago at every bridge of the river but one of them."
    )

    text = parse(sheet).text

    assert text.index(LEFT[0]) < text.index(RIGHT[0]) < text.index("What was found") < text.index("The water is")


def test_rows_of_a_table_are_read_across(parse: Parse) -> None:
    sheet = Sheet()
    for row, (name, use) in enumerate([("Rye", "bread"), ("Oats", "porridge"), ("Barley", "beer"), ("Wheat", "cake")]):
        sheet.text(60, 120 + 14 * row, name).text(200, 120 + 14 * row, use)

    text = parse(sheet).text

    assert text.index("bread") < text.index("Oats") < text.index("porridge")


def test_a_lowered_sign_in_a_gap_stays_in_its_line(parse: Parse) -> None:
    sheet = Sheet().text(60, 120, "a factor of UF   of three was used").text(136, 125, "A", size=6)

    assert len(parse(sheet).text.strip().splitlines()) == 1


def test_a_last_row_of_wide_numbers_belongs_to_its_table(parse: Parse) -> None:
    sheet = Sheet()
    for row, numbers in enumerate(["12 18 25", "17 19 31", "22 35 47", "18 24 93"]):
        sheet.text(60, 120 + 14 * row, f"Barley and oats {row + 1}")
        for column, number in enumerate(numbers.split()):
            sheet.text(163 + 40 * column, 120 + 14 * row, number)
    sheet.text(60, 176, "Barley and oats 9")
    for column, number in enumerate(["11,360", "11,440", "11,520"]):
        sheet.text(151 + 40 * column, 176, number)

    table = next(item for item in parse(sheet).items() if item["type"] == "table")

    assert table["rows"][-1][1:] == ["11,360", "11,440", "11,520"]


def test_numbers_of_lines_are_apart_from_the_text(parse: Parse) -> None:
    sheet = Sheet().lines(90, 120, [*LEFT, *RIGHT]).lines(60, 120, [str(number) for number in range(1, 13)])

    text = parse(sheet).text

    assert "it runs for two hundred miles before it meets the sea" in text
    assert text.split()[-12:] == [str(number) for number in range(1, 13)]


def test_numbers_of_every_fifth_line_are_apart_from_the_text(parse: Parse) -> None:
    sheet = Sheet().lines(90, 100, LEFT * 3)
    for number in (5, 10, 15):
        sheet.text(62, 104 + 13 * (number - 1), str(number), size=7)

    markdown = parse(sheet).markdown

    assert "<table>" not in markdown
    assert markdown.split()[-3:] == ["5", "10", "15"]


def test_authors_in_centred_blocks_beside_each_other_are_no_table(tmp_path: Path) -> None:
    surface = Surface(612, 792)
    surface.text(140, 60, "On the Wear of Stones", 17, "Sans-Bold")
    blocks = [
        ["Anna Miller", "Institute of Mills", "Hull University", "anna@mill.example"],
        ["Bertram Baker", "Bakers of Hull", "Goole University", "baker@hull.example"],
        ["Clara Dyer", "School of Dyers", "Weir University", "c.dyer@weir.example"],
    ]
    for middle, block in zip((120, 300, 480), blocks, strict=True):
        for number, text in enumerate(block):
            surface.text(middle - surface.width(text, 10, "Sans") / 2, 100 + 13 * number, text, 10, "Sans")
    surface.text(60, 165, "Abstract", 13, "Sans-Bold")
    for number, text in enumerate(LEFT):
        surface.text(60, 190 + 13 * number, f"{text}, {RIGHT[number]}", 10, "Sans")

    (page,) = read_pages(write_surface(tmp_path / "a.pdf", surface), [1])

    assert isinstance(page, Page)
    assert not any(block.cells for block in page.blocks)
    read = " ".join(block.text for block in page.blocks)
    assert read.startswith(" ".join(["On the Wear of Stones", *itertools.chain(*blocks), "Abstract"]))


def test_numbers_of_table_rows_stay_in_their_rows(parse: Parse) -> None:
    names = ["Rye", "Oats", "Barley", "Wheat", "Maize", "Millet", "Spelt", "Emmer", "Rice"]
    sheet = Sheet().lines(60, 120, [str(number) for number in range(1, 10)]).lines(90, 120, names)
    sheet.lines(200, 120, [f"{number * 7} sacks" for number in range(1, 10)])

    text = parse(sheet).text

    assert text.index("4") < text.index("Wheat") < text.index("28 sacks") < text.index("5")


def test_the_labels_of_bars_are_no_table(parse: Parse) -> None:
    sheet = Sheet()
    for row, (name, value) in enumerate([("Rye", 31), ("Oats", 64), ("Wheat", 120), ("Barley", 83), ("Maize", 47)]):
        top = 120 + 24 * row
        sheet.text(60, top, name).raw(b"0.5 g 110 %g %g 9 re f 0 g" % (792 - top - 10, value))
        sheet.text(116 + value, top, f"{value}.5").text(300, top, f"{2 * value}")

    assert all(item["type"] != "table" for item in parse(sheet).items())


def test_a_background_in_strips_leaves_the_columns_whole(tmp_path: Path) -> None:
    strips = [b"q 612 0 0 99 0 %d cm BI /W 1 /H 1 /CS /G /BPC 8 ID \xff EI Q" % (99 * number) for number in range(8)]
    sheet = Sheet()
    for strip in strips:
        sheet.raw(strip)
    sheet.lines(60, 90, [*LEFT, *LEFT]).lines(330, 90, [*RIGHT, *RIGHT])

    (page,) = read_pages(write_pdf(tmp_path / "made.pdf", sheet), [1])

    assert isinstance(page, Page)
    words = words_of(page.blocks)
    assert words[: len(" ".join(LEFT).split())] == " ".join(LEFT).split()
    assert all(block.type.value != "picture" for block in page.blocks)


@pytest.mark.parametrize("rotate", [0, 90])
@pytest.mark.parametrize("seed", range(12))
def test_every_word_of_a_drawn_page_is_read_once_and_in_order(tmp_path: Path, seed: int, rotate: int) -> None:
    sheet, words = drawn_page(random.Random(seed))
    path = write_pdf(tmp_path / "made.pdf", sheet, rotate=rotate)

    (page,) = read_pages(path, [1])

    assert isinstance(page, Page)
    assert words_of(page.blocks) == words


def words_of(blocks: tuple[Block, ...]) -> list[str]:
    texts = [" ".join([block.text, *(cell.text for cell in block.cells)]) for block in blocks]
    return " ".join(texts).split()


def new_words() -> Iterator[str]:
    """Yield words that differ from each other."""
    for parts in itertools.product(SYLLABLES, repeat=3):
        yield "".join(parts)


def drawn_page(chance: random.Random) -> tuple[Sheet, list[str]]:
    """Return a page with a title, columns, figures and a table, and its words in reading order."""
    sheet, words, fresh = Sheet(), [], new_words()
    for _ in range(chance.randrange(900)):
        next(fresh)
    top = 80.0
    if chance.random() < 0.7:
        title = [next(fresh) for _ in range(6)]
        sheet.text(chance.choice([60, 120]), top, " ".join(title), size=18)
        words += title
        top += 45
    count, gutter = chance.choice([1, 2, 2, 3]), chance.choice([16, 22, 30])
    width = (492 - gutter * (count - 1)) / count
    for number in range(count):
        left = 60 + number * (width + gutter)
        y = top
        lines = chance.randrange(14, 34)
        figure_at = chance.randrange(lines) if chance.random() < 0.5 else -1
        table_at = chance.randrange(4, lines) if chance.random() < 0.3 else -1
        for line in range(lines):
            if line == figure_at:
                sheet.raw(b"0.7 g %g %g %g 80 re f 0 g" % (left, 792 - y - 84, width))
                y += 96
            if line == table_at:
                words += drawn_table(sheet, left, y, width, fresh)
                y += 66
            found = [next(fresh) for _ in range(int(width * chance.uniform(0.88, 1.0) / 36))]
            sheet.text(left, y, " ".join(found), size=9)
            words += found
            y += 12 if chance.random() < 0.85 else 19
    return sheet, words


def drawn_table(sheet: Sheet, left: float, top: float, width: float, fresh: Iterator[str]) -> list[str]:
    words = []
    xs, ys = [left, left + width / 2, left + width], [top + 2, top + 18, top + 34, top + 50]
    sheet.grid(xs, ys)
    for y in ys[:-1]:
        for x in xs[:-1]:
            words.append(next(fresh))
            sheet.text(x + 4, y + 3, words[-1], size=9)
    return words


def test_columns_with_a_table_on_the_same_baselines(parse: Parse) -> None:
    sheet = Sheet().lines(60, 90, LEFT).lines(330, 90, [*RIGHT, *RIGHT, *LEFT])
    for row, name in enumerate(["Grain", "Rye", "Oats", "Wheat"]):
        top = 90 + 13 * (len(LEFT) + 1 + row)
        sheet.text(60, top, name).text(140, top, f"{31 * row + 120}").text(200, top, f"{17 * row + 245}")
    sheet.lines(60, 90 + 13 * (len(LEFT) + 6), LEFT)

    text = " ".join(parse(sheet).text.split())

    assert " ".join(LEFT) in text
    assert " ".join([*RIGHT, *RIGHT, *LEFT]) in text
    assert text.index("Wheat") < text.index(RIGHT[0])


def test_a_short_headline_between_two_and_three_columns(parse: Parse) -> None:
    sheet = Sheet().lines(60, 90, LEFT[:4]).lines(400, 90, [line[:24] for line in RIGHT[:4]])
    sheet.text(60, 200, "Headline of the second part", size=16, bold=True)
    for column in range(3):
        sheet.lines(60 + 170 * column, 240, [f"{'abc'[column]}{row} speaks of the wheel" for row in range(4)])

    text = parse(sheet).text

    assert text.index(RIGHT[3][:24]) < text.index("Headline") < text.index("a0 speaks") < text.index("b0 speaks")


def test_lists_side_by_side_are_no_table_where_their_last_lines_are_justified(parse: Parse) -> None:
    sheet = Sheet().lines(60, 120, ["Ports", "• Hull and Leith"])
    for x, word in zip((60, 120, 180, 240), ("• Goole", "or", "the", "sea"), strict=True):
        sheet.text(x, 146, word)
    sheet.lines(60, 159, ["• Grimsby", "Mills"])
    sheet.lines(330, 120, ["• Anna", "• Brigid", "• Clara", "• Dora", "• Edith"])

    outputs = parse(sheet)

    assert all(item["type"] != "table" for item in outputs.items())
    assert outputs.text.index("Mills") < outputs.text.index("Anna")
