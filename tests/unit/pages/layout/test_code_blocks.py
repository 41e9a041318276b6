"""Program code as a user gets it: fenced, with its line ends and its indentation."""

from __future__ import annotations

import re

import pytest

from apps.pages.pdf.fonts import font_facts
from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet

CODE = ["def turn(wheel):", "    if wheel.stuck:", "        raise Jammed", "", "    return wheel  # free"]


def typed(sheet: Sheet, x: float, top: float, lines: list[str]) -> Sheet:
    for number, line in enumerate(lines):
        if line:
            sheet.typed(x, top + 11 * number, [line])
    return sheet


def test_code_keeps_line_ends_indentation_and_blank_lines(parse: Parse) -> None:
    sheet = typed(Sheet().text(72, 80, "This function turns the wheel:"), 72, 105, CODE)
    sheet.text(72, 172, "It returns the wheel itself.")

    outputs = parse(sheet)

    fenced = "```\n" + "\n".join(CODE) + "\n```"
    assert outputs.markdown == f"This function turns the wheel:\n\n{fenced}\n\nIt returns the wheel itself.\n"
    assert outputs.items()[1]["type"] == "code"


def test_code_larger_than_the_text_is_code_and_a_large_line_is_a_heading(parse: Parse) -> None:
    prose = [
        "The wheel turns by day and by night, and the stones",
        "grind rye and wheat for the bakers of the town.",
    ] * 3
    sheet = Sheet().typed(72, 70, ["mill.turn"], size=14).lines(72, 100, prose, size=8)
    sheet.typed(72, 190, ["def turn(wheel):", "    if wheel.stuck:", "        raise Jammed(wheel)"], size=10, step=12)

    markdown = parse(sheet).markdown

    assert "```\ndef turn(wheel):\n    if wheel.stuck:\n        raise Jammed(wheel)\n```" in markdown
    assert markdown.startswith("# ")


def test_code_in_a_column_stays_in_its_column(parse: Parse) -> None:
    prose = ["the leaves of this column are green and they", "stand in long rows which nobody has counted"] * 6
    sheet = Sheet().lines(60, 100, prose, step=13).lines(330, 100, prose[:4], step=13).lines(330, 230, prose[:2])
    typed(sheet, 330, 156, CODE)

    markdown = parse(sheet).markdown

    assert "```\n" + "\n".join(CODE) + "\n```" in markdown
    assert markdown.index("```") > markdown.index(prose[0], 300)


def test_typed_words_inside_a_line_stay_in_it(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "Call").typed(98, 101, ["turn()"]).text(134, 100, "to turn the wheel.")

    assert parse(sheet).markdown == "Call `turn()` to turn the wheel.\n"


def test_a_typewritten_letter_is_no_code(parse: Parse) -> None:
    sheet = Sheet().typed(72, 60, ["14 March 1962"]).typed(72, 100, ["Dear Mr Miller,"])
    sheet.typed(
        72, 130, ["thank you for the leaves that you sent us last week; they are", "all green and we like them."]
    )
    sheet.typed(300, 180, ["Yours sincerely"])

    assert "```" not in parse(sheet).markdown


def test_a_typed_form_is_no_code(parse: Parse) -> None:
    sheet = Sheet()
    for number, (label, value) in enumerate([("Name", "A. Miller"), ("Street", "Mill Lane 4"), ("Town", "Leafham")]):
        sheet.text(72, 100 + 20 * number, label).typed(150, 101 + 20 * number, [value])

    assert "```" not in parse(sheet).markdown


def test_an_address_in_a_line_of_its_own_is_no_code(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "A paper about leaves").typed(72, 130, ["miller@example.org"])

    assert "```" not in parse(sheet).markdown


def test_code_over_a_page_break_is_one_block(parse: Parse) -> None:
    first = typed(Sheet().text(72, 100, "This function turns the wheel:"), 72, 700, CODE[:3])
    second = typed(Sheet(), 93.6, 72, ["return wheel"]).text(72, 100, "It returns the wheel.")

    assert "        raise Jammed\n    return wheel\n```" in parse(first, second).markdown


def test_numbers_of_lines_stay_before_their_lines(parse: Parse) -> None:
    sheet = typed(Sheet().text(72, 80, "This function turns the wheel:"), 72, 105, CODE)
    for number in range(5):
        sheet.text(60, 107 + 11 * number, str(number + 1), size=6)

    assert "\n3          raise Jammed\n4\n5      return wheel" in parse(sheet).markdown


def test_a_font_of_equal_widths_is_fixed_whatever_its_name(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_facts, "_FIXED_PITCH", re.compile("never"))
    sheet = typed(Sheet().text(72, 80, "This function turns the wheel:"), 72, 105, CODE)

    assert "```\n" + "\n".join(CODE) + "\n```" in parse(sheet).markdown


def test_an_indented_line_after_a_short_one_begins_a_paragraph(parse: Parse) -> None:
    full = "leaves fall in the autumn and they cover all the paths of the whole wood now"
    sheet = Sheet().text(84, 100, full[:-4]).lines(72, 113, [full, "and there is an end to them"])
    sheet.text(84, 139, full[:-4]).lines(72, 152, [full, "as said"])

    assert parse(sheet).markdown.count("\n\n") == 1


def test_code_between_paragraphs_beside_another_column(parse: Parse) -> None:
    words = "the river mill has stood at the weir for long"
    code = ["int main(void) {", "    int n = 3;", "    while (n--) {", "        step(n);", "    }", "}"]
    sheet = Sheet().lines(50, 80, [words] * 6, step=12, size=9).typed(50, 164, code, size=8)
    sheet.lines(50, 245, [words] * 6, step=12, size=9).lines(320, 80, [words] * 20, step=12, size=9)

    assert "```\n" + "\n".join(code) + "\n```" in parse(sheet).markdown


def test_numbers_set_flush_right_in_fixed_pitch_are_a_table(parse: Parse) -> None:
    rows = ["Region        Q1      Q2      Q3", "North      12.10   13.00   -1.50", "South       8.00    8.25    9.00"]
    sheet = Sheet().lines(72, 60, ["The figures of the quarters are given in sacks of flour for each region:"] * 2)
    for number, row in enumerate(rows):
        for start, word in ((row.index(word), word) for word in row.split()):
            sheet.typed(72 + 5.4 * start, 110 + 11 * number, [word])

    table = next(item for item in parse(sheet).items() if item["type"] == "table")
    assert table["rows"] == [row.split() for row in rows]
