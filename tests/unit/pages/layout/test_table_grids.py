"""Lines form the cells of a table, and each text is in the right cell."""

from __future__ import annotations

import time

import pytest

from apps.pages.layout import page_layout
from apps.pages.layout.document.continuations import ContinuationJoiner
from apps.pages.layout.text.lines import segment_of, split_at_gaps
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun, WordBox
from apps.pages.output.render import grid_of, table_html
from tests.unit.pages.drawing import grid_rules, prose, raw_page, run

XS, YS = [72.0, 200.0, 300.0, 400.0], [100.0, 120.0, 140.0, 160.0]
LEAVES = [["Leaf", "Colour", "Size"], ["oak", "green", "9"], ["elm", "brown", "7"]]


def written(rows: list[list[str]], xs: list[float], ys: list[float]) -> list[TextRun]:
    """Return a run for each text, at the left of its cell."""
    return [
        run(text, xs[column] + 4, ys[row] + 4)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
        if text
    ]


def only_table(blocks: list[Block]) -> Block:
    (table,) = [block for block in blocks if block.type is BlockType.TABLE]
    return table


def test_cells_have_the_boxes_of_their_text_and_the_first_row_is_the_header() -> None:
    (table,) = page_layout.analyse(raw_page(written(LEAVES, XS, YS), rules=grid_rules(XS, YS)))

    assert grid_of(table.cells) == LEAVES
    assert table.box == Box(72, 100, 400, 160)
    assert table.cells[4].box == Box(204, 124, 229, 136)
    assert [cell.header for cell in table.cells] == [True] * 3 + [False] * 6


def test_a_cell_without_a_line_through_it_spans_columns() -> None:
    rules = [rule for rule in grid_rules(XS, YS) if not (rule.x0 == rule.x1 == 200.0)]
    rules.append(Box(200, 120, 200, 160))
    rows = [["Both columns", "", "Size"], ["oak", "green", "9"], ["elm", "brown", "7"]]

    table = only_table(page_layout.analyse(raw_page(written(rows, XS, YS), rules=rules)))

    assert table_html(table.cells).startswith(
        '<table><tr><th colspan="2">Both columns</th><th>Size</th></tr><tr><td>oak'
    )


def test_a_cell_without_a_line_under_it_spans_rows() -> None:
    rules = [rule for rule in grid_rules(XS, YS) if not (rule.top == rule.bottom == 140.0)]
    rules.append(Box(200, 140, 400, 140))
    rows = [["Leaf", "Colour", "Size"], ["oak", "green", "9"], ["", "brown", "7"]]

    table = only_table(page_layout.analyse(raw_page(written(rows, XS, YS), rules=rules)))

    assert '<tr><td rowspan="2">oak</td><td>green</td><td>9</td></tr><tr><td>brown</td>' in table_html(table.cells)


def test_a_run_over_several_cells_is_split_at_their_borders() -> None:
    runs = [one for one in written(LEAVES, XS, YS) if one.text not in ("oak", "green")]
    whole = run("oak green", 76, 124, width=153)
    whole.words = [WordBox("oak", 76, 124, 15, 12), WordBox("green", 204, 124, 25, 12)]

    table = only_table(page_layout.analyse(raw_page([*runs, whole], rules=grid_rules(XS, YS))))

    assert grid_of(table.cells) == LEAVES


def test_text_around_a_table_stays_outside_and_in_order() -> None:
    runs = [*written(LEAVES, XS, YS), run("Table 1 shows leaves", 72, 70), run("Counted in autumn", 72, 190)]

    blocks = page_layout.analyse(raw_page(runs, rules=grid_rules(XS, YS)))

    assert [block.text for block in blocks] == ["Table 1 shows leaves", "", "Counted in autumn"]


def test_underlines_and_frames_are_not_tables() -> None:
    runs = prose("leaf " * 60, 72, 100)
    frame = grid_rules([66, 290], [94, 300])

    blocks = page_layout.analyse(raw_page(runs, rules=[Box(72, 113, 200, 113), *frame]))

    assert [block.type for block in blocks] == [BlockType.PARAGRAPH]


def test_lines_on_coloured_backgrounds_are_not_a_table() -> None:
    lines = [f"This is line {number} of a paragraph about leaves." for number in range(6)]
    ys = [100.0 + 14 * number for number in range(7)]
    runs = [run(line, 74, top + 1) for line, top in zip(lines, ys, strict=False)]
    rules = [*grid_rules([72, 400], ys), Box(180, ys[3], 180, ys[4]), Box(230, ys[3], 230, ys[4])]

    blocks = page_layout.analyse(raw_page(runs, rules=rules))

    assert BlockType.TABLE not in [block.type for block in blocks]


def test_lines_of_numbers_within_a_frame_are_rows() -> None:
    rows = [["Leaf", "2001", "2002"], ["oak", "204", "17"], ["elm", "310", "18"], ["fir", "998", "21"]]
    tops = [100.0, 122.0, 135.0, 148.0]

    table = only_table(
        page_layout.analyse(raw_page(written(rows, XS, tops), rules=grid_rules(XS, [100.0, 120.0, 170.0])))
    )

    assert grid_of(table.cells) == rows


def test_rows_without_lines_between_their_cells_keep_to_the_columns() -> None:
    xs = [72.0, 150.0, 230.0, 310.0, 390.0]
    ys = [100.0, 120.0, 140.0, 160.0]
    rows = [["Leaf", "A", "B", "C"], ["oak", "1", "2", "3"], ["elm", "4", "5", "6"]]
    open_row = [Box(x, 100, x, 120) for x in xs[1:-1]] + [Box(x, 140, x, 160) for x in xs[1:-1]]
    rules = [Box(x, 100, x, 160) for x in (xs[0], xs[-1])] + [Box(72, y, 390, y) for y in ys] + open_row

    table = only_table(page_layout.analyse(raw_page(written(rows, xs, ys), rules=rules)))

    assert grid_of(table.cells) == rows


def test_a_border_without_text_on_both_sides_makes_no_column() -> None:
    xs = [72.0, 200.0, 208.0, 300.0]
    rules = grid_rules(xs, YS)
    runs = [
        run(text, x, y + 4)
        for y, pair in zip(YS, LEAVES, strict=False)
        for x, text in zip((76, 212), pair, strict=False)
    ]

    table = only_table(page_layout.analyse(raw_page(runs, rules=rules)))

    assert grid_of(table.cells) == [row[:2] for row in LEAVES]


def test_a_heading_over_several_aligned_columns_spans_them() -> None:
    body = [["oak", "204", "17"], ["elm", "310", "18"], ["fir", "998", "21"], ["yew", "120", "22"]]
    runs = written([["Leaf", "", ""], *body], XS, [100, 115, 130, 145, 160])
    runs.append(run("Numbers of the year 2001", 204, 104, width=150))

    table = only_table(page_layout.analyse(raw_page(runs)))

    assert table_html(table.cells).startswith('<table><tr><th>Leaf</th><th colspan="2">Numbers of the year 2001</th>')
    assert grid_of(table.cells)[1:] == body


def test_the_second_line_of_a_cell_belongs_to_its_row() -> None:
    rows = [["Leaf", "What it is", "Size"], ["oak", "a strong tree", "9"], ["elm", "a tall tree", "7"]]
    runs = [*written(rows, XS, [100, 124, 160]), run("with acorns", 204, 140)]

    table = only_table(page_layout.analyse(raw_page(runs)))

    assert grid_of(table.cells)[1] == ["oak", "a strong tree with acorns", "9"]


def test_a_table_continued_on_the_next_page_is_one_without_its_second_header() -> None:
    rest = [["fir", "blue", "2"], ["yew", "dark", "1"]]
    pages = [
        page_layout.analyse(raw_page(written([LEAVES[0], *body], XS, YS), rules=grid_rules(XS, YS)))
        for body in (LEAVES[1:], rest)
    ]
    flow = ContinuationJoiner()

    ((number, table),) = [*flow.add(1, pages[0]), *flow.add(2, pages[1]), *flow.finish()]

    assert number == 1
    assert grid_of(table.cells) == LEAVES + rest


def test_a_table_with_heads_of_its_own_on_the_next_page_is_another_table() -> None:
    second = [["Tree", "Shade", "Height"], ["fir", "blue", "20"], ["yew", "dark", "12"]]
    pages = [
        page_layout.analyse(raw_page(written(rows, XS, YS), rules=grid_rules(XS, YS))) for rows in (LEAVES, second)
    ]
    flow = ContinuationJoiner()

    found = [*flow.add(1, pages[0]), *flow.add(2, pages[1]), *flow.finish()]

    assert [grid_of(table.cells) for _number, table in found] == [LEAVES, second]


def test_turned_heads_are_in_the_cells_that_they_are_in() -> None:
    xs, ys = [72.0, 200.0, 240.0, 280.0], [100.0, 160.0, 180.0, 200.0]
    turned = [
        TextRun("Upper", 210, 110, 220, 150, 10, False, False, 270.0),
        TextRun("reach", 222, 110, 232, 150, 10, False, False, 270.0),
        TextRun("Lower", 252, 110, 262, 150, 10, False, False, 90.0),
    ]
    rows = [["Lock", "", ""], ["Hull", "4", "7"], ["Leith", "5", "9"]]

    blocks = page_layout.analyse(raw_page([*written(rows, xs, ys), *turned], rules=grid_rules(xs, ys)))

    assert grid_of(only_table(blocks).cells)[0] == ["Lock", "Upper reach", "Lower"]
    assert len(blocks) == 1


def over_rules(rows: list[list[str]], heads: list[TextRun]) -> list[Block]:
    """Lay out a table between three rulings whose columns have turned heads."""
    rules = [Box(72, top, 400, top + 0.5) for top in (100, 160, 240)]
    ys = [140.0 + 20 * number for number in range(len(rows))]
    return page_layout.analyse(raw_page(written(rows, XS, ys) + heads, rules=rules))


def turned(text: str, x: float, angle: float) -> TextRun:
    length = 5.0 * len(text)
    wide = 10.0 if angle in (90, 270) else length
    return TextRun(text, x, 156 - length, x + wide, 156, 10, False, False, angle)


@pytest.mark.parametrize("angle", [270.0, 315.0])
def test_turned_heads_are_over_their_columns(angle: float) -> None:
    rows = [["Leaf", "", ""], ["oak", "0.8", "9"], ["elm", "0.4", "7"], ["ash", "0.6", "5"]]
    heads = [turned("Colour", XS[1] + 4, angle), turned("Size", XS[2] + 4, angle)]

    table = only_table(over_rules(rows, heads))

    assert grid_of(table.cells)[0] == ["Leaf", "Colour", "Size"]
    assert table.cells[1].box == Box(heads[0].x0, heads[0].top, heads[0].x1, heads[0].bottom)


def test_a_turned_line_alone_above_a_table_is_no_head() -> None:
    rows = [["Leaf", "Colour", "Size"], ["oak", "0.8", "9"], ["elm", "0.4", "7"], ["ash", "0.6", "5"]]

    blocks = over_rules(rows, [turned("Note", 330, 270)])

    assert [block.text for block in blocks if block.text] == ["Note"]


def test_labels_of_sections_may_reach_over_the_columns_of_numbers() -> None:
    rows = [["No", "Leaf", "Width", "Length"]]
    for section in ("Broad leaves that fall in the first cold nights", "Needles that stay on their trees in winter"):
        rows.append(["A", section, "", ""])
        rows += [[str(n), "oak", f"{n}.1", f"{n}.2"] for n in range(1, 5)]
    rules = [Box(72, top, 400, top + 0.5) for top in (98, 117, 300)]
    ys = [100.0 + 18 * number for number in range(len(rows))]

    (table,) = page_layout.analyse(raw_page(written(rows, [72.0, 110.0, 200.0, 300.0], ys), rules=rules))

    assert grid_of(table.cells)[2:6] == rows[2:6]


def test_the_title_and_the_notes_in_the_frame_of_a_table_are_text() -> None:
    rules = grid_rules([60, 200, 340, 480], [110, 130, 150, 170])
    rules += [Box(60, 80, 480, 80), Box(60, 80, 60, 110), Box(480, 80, 480, 110)]
    rules += [Box(60, 210, 480, 210), Box(60, 170, 60, 210), Box(480, 170, 480, 210)]
    runs = [run("Exhibit 7", 64, 82), run("Barges and their cargo", 64, 95)]
    for row, texts in enumerate([("Vessel", "Cargo", "Tons"), ("Anna", "Coal", "120"), ("Brigid", "Cloth", "85")]):
        runs += [run(text, 64 + 140 * column, 114 + 20 * row) for column, text in enumerate(texts)]
    runs += [run("Note: tons of the year in which the company was", 64, 174), run("founded at Hull.", 64, 188)]

    *title, table, note = page_layout.analyse(raw_page(runs, rules=rules))

    assert [block.text for block in title] == ["Exhibit 7", "Barges and their cargo"]
    assert [cell.text for cell in table.cells if cell.row == 0] == ["Vessel", "Cargo", "Tons"]
    assert max(cell.row for cell in table.cells) == 2
    assert note.text.startswith("Note: tons of the year")


@pytest.mark.parametrize("ruled", [True, False])
@pytest.mark.parametrize(("columns", "rows"), [(200, 10), (50, 200)])
def test_a_table_of_very_many_cells_is_read_whole_and_in_time(columns: int, rows: int, ruled: bool) -> None:
    runs = [run(f"{r}.{c}", 40 + 30 * c, 40 + 14 * r, size=8) for r in range(rows) for c in range(columns)]
    places = [38 + 30 * n for n in range(columns + 1)], [38 + 14 * n for n in range(rows + 1)]
    raw = RawPage(1, 30 * columns + 80, 14 * rows + 80, runs, grid_rules(*places) if ruled else [], [], [])

    started = time.process_time()
    (table,) = page_layout.analyse(raw)

    assert time.process_time() - started < 5
    assert [cell.text for cell in table.cells] == [r.text for r in runs]


def test_labels_on_the_left_of_the_rulings_of_numbers_are_in_the_table() -> None:
    rows = [
        ["", "", "Year ended", ""],
        ["", "1 May 2021", "1 May 2020", "1 May 2019"],
        ["Cost of leaves", "178", "141", "138"],
        ["Research and trees", "3,423", "2,532", "1,892"],
        ["Total", "3,601", "2,673", "2,030"],
    ]
    xs, ys = [72.0, 300.0, 380.0, 460.0], [100.0 + 16 * number for number in range(5)]
    rules = [Box(x, top, x + 70, top + 0.5) for top in (117, 133, 164, 182) for x in xs[1:]]

    table = only_table(page_layout.analyse(raw_page(written(rows, xs, ys), rules=rules)))

    grid = grid_of(table.cells)
    assert grid[-3:] == rows[-3:]
    assert "Year ended" in grid[0]


def test_a_sign_in_the_word_gap_of_a_cell_of_several_lines() -> None:
    words = [WordBox("Gross", 76, 124, 30, 12), WordBox("total", 126, 124, 30, 12)]
    parted = TextRun("Gross total", 76, 124, 156, 136, 10, False, False, words=words)
    runs = [run("Item", 76, 104), parted, run("1", 112, 124), run("Net", 76, 144), run("paid", 204, 104)]
    rules = grid_rules([72, 200, 300], [100, 160, 180])

    table = only_table(page_layout.analyse(raw_page([*runs, *written([["Sum", "12"]], [72, 200], [160])], rules=rules)))

    assert grid_of(table.cells)[0] == ["Item Gross 1 total Net", "paid"]


def test_words_near_each_other_in_a_run_over_two_cells_stay_apart() -> None:
    words = [WordBox("Cancer", 76, 124, 60, 12), WordBox("Fund", 137, 124, 40, 12), WordBox("yes", 204, 124, 20, 12)]
    over_both = TextRun("Cancer Fund yes", 76, 124, 224, 136, 10, False, False, words=words)
    rows = [["Gift to", "Given"], ["", ""], ["Other", "no"]]

    table = only_table(
        page_layout.analyse(raw_page([over_both, *written(rows, XS[:3], YS)], rules=grid_rules(XS[:3], YS)))
    )

    assert grid_of(table.cells)[1] == ["Cancer Fund", "yes"]


def test_words_near_each_other_in_a_line_that_is_split_at_its_gaps_stay_apart() -> None:
    words = [WordBox("Cancer", 76, 104, 60, 12), WordBox("Fund", 137, 104, 40, 12), WordBox("21", 204, 104, 10, 12)]
    line = TextRun("Cancer Fund 21", 76, 104, 214, 116, 10, False, False, words=words)

    assert [part.text for part in split_at_gaps(segment_of(line))] == ["Cancer Fund", "21"]
