"""Tables with few or no lines: where their rows begin, what their heads span, and which text is in them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from apps.pages.layout.tables import table_columns, unruled_tables
from apps.pages.model.segments import Band, Segment
from tests.unit.pages.conftest import Parse
from tests.unit.pages.tiny_pdf import Sheet

XS = (60, 170, 330, 420)


def typed(lines: Sequence[Sequence[str]], xs: Sequence[float] = XS, *, top: float = 120, step: float = 13) -> Sheet:
    """Return a page with these lines; the texts of each are at the places of the columns."""
    sheet = Sheet()
    for number, line in enumerate(lines):
        for x, text in zip(xs, line, strict=False):
            if text:
                sheet.text(x, top + step * number, text)
    return sheet


def rows(markdown: str) -> list[str]:
    """Return the rows of the HTML table in a Markdown text."""
    return markdown.split("<tr>")[1:]


def test_rows_between_three_rules_stay_apart_where_cells_have_several_lines(parse: Parse) -> None:
    lines = [
        ("Vessel", "Cargo", "Port"),
        ("Anna", "Coal from the pits of the", "Hull"),
        ("", "upper valley", ""),
        ("Brigid", "Cloth", "Leith"),
        ("Clara", "Salt from the pans, in", "Goole"),
        ("", "sacks", ""),
    ]
    sheet = typed(lines)
    for y in (116, 132, 200):
        sheet.rule(60, y, 460, y)

    found = rows(parse(sheet).markdown)

    assert found[1] == "<td>Anna</td><td>Coal from the pits of the upper valley</td><td>Hull</td></tr>"
    assert found[2] == "<td>Brigid</td><td>Cloth</td><td>Leith</td></tr>"
    assert found[3].startswith("<td>Clara</td><td>Salt from the pans, in sacks</td>")


def test_rows_apart_by_a_gap_keep_the_lines_of_their_labels_together(parse: Parse) -> None:
    sheet = Sheet()
    for x, text in zip(XS, ("Vessel", "Cargo", "Port"), strict=False):
        sheet.text(x, 120, text)
    for number, top in enumerate((145, 185, 225)):
        sheet.text(60, top, f"Barge {number}").text(60, top + 12, "Of Hull").text(170, top, "Coal and cloth from the")
        sheet.text(170, top + 12, "Upper valley").text(170, top + 24, "And the mills").text(330, top, f"{number}8")

    found = rows(parse(sheet).markdown)

    assert len(found) == 4
    assert found[2].startswith("<td>Barge 1 Of Hull</td><td>Coal and cloth from the Upper valley And the mills</td>")


def test_a_currency_sign_that_is_set_apart_is_in_the_cell_of_its_amount(parse: Parse) -> None:
    lines = [
        ("", "", "1834", "", "1835"),
        ("Coal", "£", "1,200", "£", "1,310"),
        ("Cloth", "", "(85)", "", "(90)"),
        ("All", "£", "1,115", "£", "1,220"),
    ]

    found = rows(parse(typed(lines, (60, 200, 230, 320, 350))).markdown)

    assert found[1] == "<td>Coal</td><td>£1,200</td><td>£1,310</td></tr>"
    assert found[2] == "<td>Cloth</td><td>(85)</td><td>(90)</td></tr>"


def test_a_line_of_free_text_in_a_table_is_a_row_of_its_own(parse: Parse) -> None:
    lines = [
        ("Date", "Cargo", "Tons", "Port"),
        ("Carried for the bridge works of the upper town", "", "", ""),
        ("3 May", "Coal", "120", "Hull"),
        ("4 May", "Cloth", "85", "Leith"),
        ("9 May", "Salt", "44", "Goole"),
    ]

    found = rows(parse(typed(lines, (60, 150, 330, 420))).markdown)

    assert found[0] == "<th>Date</th><th>Cargo</th><th>Tons</th><th>Port</th></tr>"
    assert found[1] == '<td colspan="4">Carried for the bridge works of the upper town</td></tr>'


def test_a_head_spans_the_columns_over_its_ruling_and_all_rows_of_the_header_are_heads(parse: Parse) -> None:
    lines = [
        ("", "Tons", "", "Pounds", ""),
        ("Cargo", "1834", "1835", "1834", "1835"),
        ("Coal", "120", "131", "12", "13"),
        ("Cloth", "85", "90", "8", "9"),
        ("Salt", "44", "40", "4", "5"),
    ]
    sheet = typed(lines, (60, 170, 230, 330, 390), step=16)
    for y in (116, 150, 200):
        sheet.rule(60, y, 420, y)
    sheet.rule(165, 133, 260, 133).rule(325, 133, 420, 133)

    found = rows(parse(sheet).markdown)

    assert found[0] == '<th rowspan="2">Cargo</th><th colspan="2">Tons</th><th colspan="2">Pounds</th></tr>'
    assert found[1] == "<th>1834</th><th>1835</th><th>1834</th><th>1835</th></tr>"


def test_a_head_spans_the_columns_that_it_is_centred_over(parse: Parse) -> None:
    lines = [
        ("Cargo", "1834", "1835", "1836"),
        ("Coal", "1,120", "1,131", "1,140"),
        ("Cloth", "2,085", "2,090", "2,091"),
        ("Salt", "3,044", "3,040", "3,039"),
    ]
    sheet = typed(lines, (60, 170, 240, 310), top=136).text(215, 120, "Carried in tons")

    found = rows(parse(sheet).markdown)

    assert found[0] == '<th rowspan="2">Cargo</th><th colspan="3">Carried in tons</th></tr>'
    assert found[1].startswith("<th>1834</th>")


def test_rows_without_lines_between_them_in_a_ruled_table_are_rows(parse: Parse) -> None:
    sheet = typed([("Cargo", "Tons"), ("Coal", "120"), ("Cloth", "85"), ("Salt", "44"), ("Sand", "9")], step=15)
    for y in (116, 131, 195):
        sheet.rule(56, y, 260, y)
    for x in (56, 160, 260):
        sheet.rule(x, 116, x, 195)

    found = rows(parse(sheet).markdown)

    assert [row.count("<t") for row in found] == [2] * 5
    assert found[3] == "<td>Salt</td><td>44</td></tr>"


def test_titles_with_page_numbers_are_no_table(parse: Parse) -> None:
    lines = [("The upper lock", "4"), ("The lower lock", "9"), ("The tow path", "9"), ("The basin", "31")]

    assert "<table>" not in parse(typed(lines, (60, 330))).markdown


def test_a_row_that_the_page_end_cuts_is_one_row(parse: Parse) -> None:
    head = ("Vessel", "Cargo", "Tons")
    first = typed([head, ("Anna", "Coal from the pits and", "120")], top=700)
    second = typed([head, ("", "from the upper valley", ""), ("Brigid", "Cloth", "85")], top=72)

    markdown = parse(first, second).markdown

    assert "<td>Anna</td><td>Coal from the pits and from the upper valley</td><td>120</td>" in markdown
    assert markdown.count("<table>") == 1


def test_a_closed_grid_of_one_column_is_a_table(parse: Parse) -> None:
    sheet = Sheet().grid([60, 300], [120, 142, 164, 186])
    for number, text in enumerate(("Care of the lock", "The gates are oiled.", "The sluices are cleaned.")):
        sheet.text(66, 126 + 22 * number, text)

    found = rows(parse(sheet).markdown)

    assert found[0] == "<th>Care of the lock</th></tr>"
    assert found[1] == "<td>The gates are oiled.</td></tr>"


def test_last_rows_with_other_cells_empty_belong_to_the_table_above_them() -> None:
    places = ((60, 85), (110, 250), (300, 308), (320, 328), (340, 356))

    def row(number: int, columns: Sequence[int]) -> list[Segment]:
        top = 100.0 + 20 * number
        return [Segment("11", places[column][0], top, places[column][1], top + 10, 10.0) for column in columns]

    grid = Band([row(number, (0, 1, 2, 3, 4)) for number in range(5)], is_grid=True)
    rest = [row(5, (0, 1, 3, 4)), row(6, (0, 1, 4))]
    apart = [row(9, (0, 1, 3, 4))]

    joined = unruled_tables.joined_grids([grid, Band([*rest, *apart])])

    assert [(band.is_grid, len(band.rows)) for band in joined] == [(True, 7), (False, 1)]


def test_a_title_in_the_middle_of_a_table_does_not_take_its_columns_away() -> None:
    places = ((60, 85), (110, 150), (200, 220), (240, 260), (280, 300))
    lines = [
        [Segment("11", low, 100 + 13.0 * number, high, 110 + 13.0 * number, 10.0) for low, high in places]
        for number in range(6)
    ]
    title = [Segment("All the vessels", 115, 107, 245, 117, 10.0)]

    gutters = table_columns.gutters_of([lines[0], title, *lines[1:]], 1)

    assert gutters == [(85, 110), (150, 200), (220, 240), (260, 280)]


def test_lines_of_a_label_that_fills_its_column_are_one_row(parse: Parse) -> None:
    lines = [
        ("Lesson", "Poor", "Good"),
        ("Reading the tide tables", "0", "10"),
        ("Northern Channel", "(0%)", "(27%)"),
        ("Mending of heavy sails", "3", "15"),
        ("Underway at sea", "(9%)", "(40%)"),
        ("Knots", "1", "8"),
        ("", "(2%)", "(22%)"),
    ]
    sheet = typed(lines, (60, 200, 300))
    for y in (116, 132, 215):
        sheet.rule(60, y, 360, y)

    found = rows(parse(sheet).markdown)

    assert found[1] == "<td>Reading the tide tables Northern Channel</td><td>0 (0%)</td><td>10 (27%)</td></tr>"
    assert found[2].startswith("<td>Mending of heavy sails Underway at sea</td><td>3 (9%)</td>")


def test_titles_between_rows_are_no_rest_of_the_label_above(parse: Parse) -> None:
    lines = [
        ("Vessel", "1834", "1835"),
        ("Barges of the Northern", "12", "10"),
        ("Company of Hull", "", ""),
        ("Anna", "3", "15"),
        ("Cutters", "", ""),
        ("Brigid", "4", "18"),
    ]
    sheet = typed(lines, (60, 200, 300))
    for y in (116, 132, 202):
        sheet.rule(60, y, 360, y)

    assert len(rows(parse(sheet).markdown)) == 6


def test_rows_that_leave_the_same_cell_empty_stay_in_their_table(parse: Parse) -> None:
    lines = [("No", "Vessel", "Hull", "Leith", "Goole", "Tons")]
    lines += [(f"1.{n}", "A barge that carries coal", "x", "x", "x", f"{n}40") for n in range(1, 5)]
    lines += [("1.5", "[was sold]", "", "", "", "")]
    lines += [(f"1.{n}", "A cutter that carries cloth", "", "x", "x", f"{n}70") for n in range(6, 9)]

    found = rows(parse(typed(lines, (60, 86, 240, 290, 340, 390), step=20)).markdown)

    assert len(found) == 9
    assert found[5].startswith("<td>1.5</td><td>[was sold]</td><td></td>")
    assert found[8] == (
        "<td>1.8</td><td>A cutter that carries cloth</td><td></td><td>x</td><td>x</td><td>870</td></tr></table>\n"
    )


HEADS = ("Order", "Product", "Cost", "Sacks")
ORDERS = [(f"03/1{number}/2024", f"PART {number}", f"{number}7.40", f"{number}3") for number in range(4)]
NOTE = "Customer 2231: weighed twice, terms thirty days net"


@pytest.mark.parametrize("place", [1, 3])
def test_a_note_between_the_rows_of_a_table_is_a_row_across_it(parse: Parse, place: int) -> None:
    lines = [HEADS, *ORDERS]
    sheet = typed([*lines[:place], (NOTE,), *lines[place:]])

    found = rows(parse(sheet.text(60, 80, "The orders of the spring are these:")).markdown)

    assert found[place] == f'<td colspan="4">{NOTE}</td></tr>'
    assert [row for row in found if "<th>" in row] == [found[0]]
    assert [row.split("</td>")[0] for row in found if "PART" in row] == [f"<td>{order[0]}" for order in ORDERS]


def test_a_caption_between_two_tables_is_in_none_of_them(parse: Parse) -> None:
    sheet = typed([HEADS, *ORDERS, ("Table 7. The orders of the autumn, by their day",), HEADS, *ORDERS])

    assert parse(sheet).markdown.count("<table>") == 2


def test_tables_between_rules_side_by_side_are_two(parse: Parse) -> None:
    sheet = Sheet()
    for left, name in ((60, "Sort"), (330, "Grain")):
        lines = [(name, "Sacks", "Cost"), ("Rye", "21", "4.50"), ("Wheat", "32", "5.75")]
        for number, line in enumerate(lines):
            for x, text in zip((left, left + 90, left + 150), line, strict=True):
                sheet.text(x, 120 + 16 * number, text)
        for y in (116, 135, 168):
            sheet.rule(left, y, left + 200, y)

    markdown = parse(sheet).markdown

    for name in ("Sort", "Grain"):
        assert f"<table><tr><th>{name}</th><th>Sacks</th><th>Cost</th></tr><tr><td>Rye</td><td>21</td>" in markdown


MONTHS = (("Jan", "Feb", "Mar"), ("1", "2", "3"))
AMOUNTS = {"short": ("7", "8", "9"), "long": ("10250", "98700", "41200"), "mixed": ("7", "1250000", "41.50")}


@pytest.mark.parametrize("amounts", AMOUNTS)
@pytest.mark.parametrize("set_heads", ["left", "middle", "right"])
@pytest.mark.parametrize("months", MONTHS)
@pytest.mark.parametrize("columns", [2, 3, 4, 5])
def test_a_head_is_over_the_numbers_of_its_cell_however_both_are_set(
    parse: Parse, columns: int, months: Sequence[str], set_heads: str, amounts: str
) -> None:
    table = [["Month", "North", "South", "Q3", "West"][:columns]]
    table += [[month, *[amount] * (columns - 1)] for month, amount in zip(months, AMOUNTS[amounts], strict=True)]

    found = rows(parse(printed(table, set_heads)).markdown)

    heads = "".join(f"<th>{text}</th>" for text in table[0])
    lines = ["".join(f"<td>{text}</td>" for text in line) for line in table[1:]]
    assert [row.split("</tr>")[0] for row in found] == [heads, *lines]


@pytest.mark.parametrize("set_heads", ["left", "middle", "right"])
def test_a_column_of_labels_without_a_head_leaves_the_heads_over_their_numbers(parse: Parse, set_heads: str) -> None:
    table = [("", "North", "South"), ("Jan", "10", "7"), ("Feb", "40", "25"), ("March", "15", "1250000")]

    found = rows(parse(printed(table, set_heads)).markdown)

    assert found[0].startswith("<th></th><th>North</th><th>South</th></tr>")
    assert found[1].startswith("<td>Jan</td><td>10</td><td>7</td></tr>")
    assert found[3].startswith("<td>March</td><td>15</td><td>1250000</td></tr>")


def printed(table: Sequence[Sequence[str]], set_heads: str) -> Sheet:
    """Return a table as spreadsheet programs print it: two points between cells, and the numbers set right."""
    sheet = Sheet()
    for number, line in enumerate(table):
        for column, text in enumerate(line):
            left, free = 61 + 60 * column, 58 - 5.4 * len(text)
            place = ("right" if text[:1].isdigit() else "left") if number else set_heads
            x = left + {"left": 0, "middle": free / 2, "right": free}[place]
            sheet.typed(x, 120 + 13 * number, [text])
    return sheet
