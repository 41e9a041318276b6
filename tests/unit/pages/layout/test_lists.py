"""Lists as a user gets them: which lines are items, and how deep they are nested."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.layout.page_layout import analyse
from apps.pages.model.blocks import BlockType
from apps.pages.model.raw_page import TextStyle
from tests.unit.pages.conftest import Parse
from tests.unit.pages.drawing import raw_page, run
from tests.unit.pages.tiny_pdf import Sheet

LONG = "a line of prose that goes on from one side of the page to the other side and is as full as the others"


def test_the_level_of_an_item_follows_its_indentation(parse: Parse) -> None:
    sheet = Sheet()
    for number, (x, text) in enumerate(
        [
            (72, "1. outer"),
            (96, "\x95 inner"),
            (108, "goes on"),
            (120, "\x96 innermost"),
            (72, "2. outer again"),
            (96, "a) lettered"),
            (96, "b) lettered too"),
        ]
    ):
        sheet.text(x, 100 + 15 * number, text.encode("latin-1").decode("cp1252"))

    outputs = parse(sheet)

    assert outputs.markdown == (
        "1. outer\n    - inner goes on\n        - innermost\n2. outer again\n    - a) lettered\n    - b) lettered too\n"
    )
    (outer,) = outputs.items()
    assert [item["type"] for item in outer["items"]] == ["text", "list", "text", "list"]
    assert outer["items"][1]["md"] == "- inner goes on\n    - innermost"


def test_numbers_set_flush_right_are_on_one_level(parse: Parse) -> None:
    sheet = Sheet()
    for number in range(8, 12):
        sheet.text(78 if number < 10 else 72, 100 + 15 * number, f"{number}. leaf")

    assert parse(sheet).markdown == "8. leaf\n9. leaf\n10. leaf\n11. leaf\n"


def test_a_list_goes_on_in_the_next_column_at_its_level(parse: Parse) -> None:
    sheet = Sheet()
    left = [LONG[:42]] * 8 + ["\x95 outer item of the left column, written", "\x96 inner item that ends the left one"]
    right = ["\x96 inner item that begins the right one", "\x95 outer item of the right column, here"] + [LONG[:42]] * 8
    for x, lines in ((60, left), (330, right)):
        for number, text in enumerate(lines):
            text = text.encode("latin-1").decode("cp1252")
            sheet.text(x + 12 * (text[0] == "–") + 0.0, 100 + 14 * number, text)

    markdown = parse(sheet).markdown

    assert "\n    - inner item that ends the left one" in markdown
    assert "\n    - inner item that begins the right one" in markdown
    assert "\n- outer item of the right column, here" in markdown


@pytest.mark.parametrize("filled", [True, False])
def test_squares_beside_lines_are_bullets(parse: Parse, filled: bool) -> None:
    sheet = Sheet().text(72, 80, "These leaves are green:")
    for number, text in enumerate(["of the lime", "of the oak"]):
        sheet.square(82, 104 + 14 * number, 4, filled=filled).text(94, 100 + 14 * number, text)

    assert parse(sheet).markdown == "These leaves are green:\n\n- of the lime\n- of the oak\n"


def test_discs_beside_large_letters_are_bullets(parse: Parse) -> None:
    sheet = Sheet()
    for number, text in enumerate(["Rye is sown in autumn", "Oats are sown in spring", "Wheat is sown twice"]):
        top = 100 + 80 * number
        x, y = 60, 792 - top - 30
        sheet.raw(
            b"%g %g m %g %g %g %g %g %g c %g %g %g %g %g %g c f"
            % (x, y, x, y + 12, x + 16, y + 12, x + 16, y, x + 16, y - 12, x, y - 12, x, y)
        )
        sheet.text(90, top, text, size=44)

    assert parse(sheet).markdown.count("- ") == 3


def test_marks_of_a_chart_are_no_bullets(parse: Parse) -> None:
    sheet = Sheet().text(94, 100, "a label")
    for number in range(9):
        sheet.square(86 + 20 * number, 104 + 14 * number, 4)

    assert parse(sheet).markdown == "a label\n"


def test_check_boxes_keep_their_mark(parse: Parse) -> None:
    assert parse(Sheet().lines(72, 100, ["[x] washed", "[ ] dried"])).text == "[x] washed\n\n[ ] dried\n"


@pytest.mark.parametrize(
    "line",
    ["A. N. Miller wrote this", "A. Miller", "I. INTRODUCTION", "J.-P. Martin", "2019. was a year", "V. S. Naipaul"],
)
def test_initials_numerals_of_headings_and_years_are_no_items(parse: Parse, line: str) -> None:
    (item,) = parse(Sheet().text(72, 100, line)).items()

    assert (item["type"], item["value"]) == ("text", line)


def test_capital_letters_in_sequence_are_a_list(parse: Parse) -> None:
    assert parse(Sheet().lines(72, 100, ["A. leaves", "B. roots"])).items()[0]["type"] == "list"


def test_a_number_at_the_start_of_a_line_inside_a_sentence_is_no_item(parse: Parse) -> None:
    lines = [LONG, LONG[:92] + " chapter", "12. " + LONG[:80], LONG]

    (item,) = parse(Sheet().lines(72, 100, lines)).items()

    assert item["type"] == "text"
    assert "chapter 12. a line" in item["value"]


def test_an_item_after_a_page_break_is_on_the_level_where_it_begins(parse: Parse) -> None:
    first = Sheet().text(72, 690, "- outer one").lines(96, 703, ["- inner one", "- inner two"])
    second = Sheet().text(72, 72, "- outer two").lines(96, 85, ["- inner three"]).text(72, 300, "Leaves.")

    markdown = parse(first, second).markdown

    assert "- outer one\n    - inner one\n    - inner two\n" in markdown
    assert "\n- outer two\n    - inner three\n" in markdown


def test_a_list_goes_on_over_a_page_break_at_its_level(parse: Parse) -> None:
    first = Sheet().lines(72, 100, ["1. outer", "2. outer again"]).lines(96, 126, ["- inner", "- inner again"])
    second = Sheet().lines(96, 72, ["- inner on the next page"]).text(72, 85, "3. outer on the next page")
    third = Sheet().text(72, 200, "4. outer on the last page").text(72, 300, "Leaves.")

    outputs = parse(first, second, third)

    assert outputs.markdown == (
        "1. outer\n2. outer again\n    - inner\n    - inner again\n\n    - inner on the next page\n"
        "3. outer on the next page\n\n4. outer on the last page\n\nLeaves.\n"
    )
    assert outputs.json("markdown.json")["pages"][1]["markdown"].startswith("- inner on")


def test_a_page_that_begins_with_inner_items_alone_continues_the_inner_list(parse: Parse) -> None:
    first = Sheet().text(72, 100, "1. outer").lines(96, 113, ["a) inner", "b) inner again"])
    second = Sheet().lines(96, 72, ["c) inner on the next page", "d) and the last"])

    outputs = parse(first, second)

    assert "\n    - c) inner on the next page\n    - d) and the last\n" in outputs.markdown
    assert outputs.json("markdown.json")["pages"][1]["markdown"].startswith("- c)")


def test_initials_at_the_start_of_neighbouring_lines_are_no_items(parse: Parse) -> None:
    lines = ["A. Miller and " + LONG[:88], "B. Baker " + LONG[:90], "and so on."]

    (item,) = parse(Sheet().lines(72, 100, lines)).items()

    assert item["type"] == "text"


def test_the_name_under_a_quotation_is_no_item(parse: Parse) -> None:
    sheet = Sheet().lines(72, 100, ["A mill is only as good as its water.", "— Ada Miller"])

    assert "— Ada Miller" in parse(sheet).markdown


@pytest.mark.parametrize("character", ["\ufffd", "\uf0f0"])
def test_a_sign_of_a_symbol_font_without_a_public_character_is_a_bullet(character: str) -> None:
    sign = msgspec.structs.replace(run(f"{character} ", 72, 100), style=TextStyle(font="SymbolMT"))

    (block,) = analyse(raw_page([sign, run("One reason to go", 84, 100)]))

    assert (block.marker, block.text) == ("•", "One reason to go")


def test_a_number_of_a_symbol_font_is_no_bullet() -> None:
    signs = [
        msgspec.structs.replace(run(f"{sign} ", 72, 100 + 13 * row), style=TextStyle(font="ZapfDingbats"))
        for row, sign in enumerate("❶➁⑩")
    ]
    reasons = [run(f"reason {row}", 84, 100 + 13 * row) for row in range(3)]

    text = " ".join(f"{block.marker}{block.text}" for block in analyse(raw_page([*signs, *reasons])))

    assert text == "❶ reason 0 ➁ reason 1 ⑩ reason 2"


def test_bullets_at_the_right_of_an_arabic_page_begin_items() -> None:
    runs = [run("متطلبات التحقق من الأمان في التطبيقات كلها", 300, top) for top in (60, 74, 88)]
    for number in range(3):
        runs += [run("Leaves of the season", 380, 130 + 20 * number), run("•", 500, 130 + 20 * number)]

    blocks = analyse(raw_page(runs))

    items = [block for block in blocks if block.type is BlockType.LIST_ITEM]
    assert [(item.marker, item.text) for item in items] == 3 * [("•", "Leaves of the season")]


def test_a_dash_with_hanging_text_below_the_text_of_an_item(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "•").text(90, 100, "rye is sown in the autumn of each year by the people of")
    sheet.text(90, 113, "the village and is cut in the summer by all of the men of").text(90, 126, "–")
    sheet.text(108, 126, "with a scythe").text(72, 139, "•").text(90, 139, "oats are sown in spring")

    assert "    - with a scythe" in parse(sheet).markdown
