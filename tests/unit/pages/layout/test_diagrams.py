"""Charts and diagrams: their lines and labels are no tables."""

from __future__ import annotations

from apps.pages.layout import page_layout
from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage
from tests.unit.pages.drawing import HEIGHT, WIDTH, grid_rules, run


def tables(raw: RawPage) -> list[Block]:
    return [block for block in page_layout.analyse(raw) if block.type is BlockType.TABLE]


def test_labelled_bars_on_one_base_line_are_a_chart() -> None:
    fills = [Box(100 + 60 * n, 300 - 20 * height, 130 + 60 * n, 300) for n, height in enumerate((2, 4, 3, 6, 5))]
    rules = grid_rules([100, 400], [180, 220, 260, 300])
    runs = [run(f"{n}.5", 105 + 60 * n, at) for n in range(5) for at in (190, 230, 270)]

    assert tables(RawPage(1, WIDTH, HEIGHT, runs, rules, fills, [])) == []


def test_cells_with_filled_areas_are_a_table() -> None:
    xs, ys = [100, 200, 300, 400, 500], [100, 120, 140, 160]
    fills = [Box(x, 100, x + 100, 120) for x in xs[:-1]]
    runs = [run(f"{n}.5", x + 5, y + 4) for n, x in enumerate(xs[:-1]) for y in ys[:-1]]

    (table,) = tables(RawPage(1, WIDTH, HEIGHT, runs, grid_rules(xs, ys), fills, []))

    assert len(table.cells) == 12


def test_the_legend_beside_a_scale_is_no_table() -> None:
    ticks = [Box(97, 150 + 30 * n, 100, 150 + 30 * n) for n in range(6)]
    labels = [run(str(1000 - 200 * n), 75, 144 + 30 * n, width=20) for n in range(6)]
    legend = [run(name, x, 150 + 30 * n) for n in range(3) for x, name in ((130, "Hull"), (230, "Leith"))]

    assert tables(RawPage(1, WIDTH, HEIGHT, labels + legend, ticks, [], [])) == []
    assert tables(RawPage(1, WIDTH, HEIGHT, labels + legend, [], [], []))


def test_boxes_that_arrows_join_are_no_table() -> None:
    rules = grid_rules([60, 160], [100, 130]) + grid_rules([200, 300], [100, 130]) + [Box(160, 115, 195, 115)]
    runs = [run("The budget", 65, 108), run("The schools", 205, 108)]

    assert tables(RawPage(1, WIDTH, HEIGHT, runs, rules, [Box(194, 112, 200, 118)], [])) == []


def test_a_chart_in_a_cell_leaves_the_table_a_table() -> None:
    rules = grid_rules([60, 160, 460], [100, 130, 330])
    ticks = [Box(197, 150 + 30 * n, 200, 150 + 30 * n) for n in range(6)]
    labels = [run(str(1000 - 200 * n), 175, 144 + 30 * n, width=20) for n in range(6)]
    runs = [
        run("Port", 65, 108),
        run("Tons", 165, 108),
        run("Hull", 65, 138),
        run("Coal in thousands of tons", 164, 134),
    ]
    runs += [*labels, run("1834", 220, 318)]

    (table,) = tables(RawPage(1, WIDTH, HEIGHT, runs, rules + ticks, [], []))

    assert table.cells[0].text == "Port"
