"""Text of a document is escaped: none of it becomes Markdown, HTML or a formula of a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.output import render
from apps.pages.output.render import RenderOptions
from tests.unit.pages.drawing import text_block

HTML, PIPE = RenderOptions(), RenderOptions(table_format="pipe")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("<!-- hidden -->", "&lt;!-- hidden -->"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("[text](javascript:alert(1))", "\\[text](javascript:alert(1))"),
        ("![picture](http://tracker/x.png)", "!\\[picture](http://tracker/x.png)"),
        ("[a [b] c](http://tracker/x)", "\\[a \\[b] c](http://tracker/x)"),
        ("* no list", "\\* no list"),
        ("_ _ _", "\\_ _ _"),
        ("-- -", "\\-- -"),
        ("*emphasis* and **more**", "\\*emphasis\\* and \\*\\*more\\*\\*"),
        ("_emphasis_", "\\_emphasis\\_"),
        ("`code`", "\\`code\\`"),
        ("~~gone~~", "\\~~gone\\~~"),
        ("\\*", "\\\\\\*"),
        ("# no heading", "\\# no heading"),
        ("> no quotation", "\\> no quotation"),
        ("- no list", "\\- no list"),
        ("+ no list", "\\+ no list"),
        ("1. no list", "1\\. no list"),
        ("2024) no list", "2024\\) no list"),
        ("| no | table |", "\\| no | table |"),
        ("---", "\\---"),
        ("===", "\\==="),
    ],
)
def test_signs_of_markup_are_escaped(text: str, markdown: str) -> None:
    assert render.paragraph(text) == markdown


@pytest.mark.parametrize(
    "text",
    [
        "Prose stays as it is: 3 < 4, AT&T, 5 * 3, snake_case_name, see [12] and (a) - for now.",
        "a > b & c < d; x = y; 100% #1",
        "C:\\Users\\leaf",
        "3.14 is no list, nor is 2024.",
        "-5 degrees",
        "http://example.org/a_b_c?d=e&f=g",
    ],
)
def test_normal_text_has_no_backslashes(text: str) -> None:
    assert render.paragraph(text) == text


def test_headings_have_one_to_six_signs() -> None:
    levels = [text_block("Oak", kind=BlockType.HEADING, level=level) for level in (0, 1, 6, 9)]

    assert [render.heading(block) for block in levels] == ["# Oak", "# Oak", "###### Oak", "###### Oak"]


def test_list_items_are_indented_by_level_and_keep_their_numbers() -> None:
    items = [
        text_block("oak", kind=BlockType.LIST_ITEM, marker="•", level=1),
        text_block("acorn", kind=BlockType.LIST_ITEM, marker="o", level=2),
        text_block("elm", kind=BlockType.LIST_ITEM, marker="3.", level=1),
        text_block("fir", kind=BlockType.LIST_ITEM, marker="(c)", level=1),
    ]

    assert render.page_markdown(items, HTML) == "- oak\n    - acorn\n3. elm\n- (c) fir"


def test_blocks_are_separated_by_empty_lines() -> None:
    blocks = [text_block("Oak", kind=BlockType.HEADING, level=2), text_block("is a tree."), text_block("So is elm.")]

    assert render.page_markdown(blocks, HTML) == "## Oak\n\nis a tree.\n\nSo is elm."


def test_code_with_a_fence_inside_gets_a_longer_fence() -> None:
    block = text_block("```\nevil\n```\n# out", kind=BlockType.CODE)

    assert render.block_markdown(block, HTML) == "````\n```\nevil\n```\n# out\n````"


CELLS = (
    Cell(0, 0, "a|b", header=True, column_span=2),
    Cell(1, 0, "<i>x</i>"),
    Cell(1, 1, "one\ntwo", row_span=2),
    Cell(2, 0, "& more"),
)


def test_html_tables_keep_their_spans_and_escape_text() -> None:
    assert render.table_html(CELLS) == (
        '<table><tr><th colspan="2">a|b</th></tr>'
        '<tr><td>&lt;i&gt;x&lt;/i&gt;</td><td rowspan="2">one<br>two</td></tr>'
        "<tr><td>&amp; more</td></tr></table>"
    )


def test_pipe_tables_are_rectangles() -> None:
    block = Block(BlockType.TABLE, text_block("").box, cells=CELLS)

    assert render.block_markdown(block, PIPE).splitlines() == [
        "| a\\|b |  |",
        "| --- | --- |",
        "| &lt;i>x&lt;/i> | one<br>two |",
        "| & more |  |",
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_csv_is_a_formula(start: str) -> None:
    cells = (Cell(0, 0, f'{start}HYPERLINK("http://x","y")'), Cell(0, 1, "plain"))

    ((formula, plain),) = csv.reader(io.StringIO(render.table_csv(cells)))

    assert formula == f'\'{start}HYPERLINK("http://x","y")'
    assert plain == "plain"


def test_the_cells_of_a_table_are_separated_in_text() -> None:
    block = Block(BlockType.TABLE, text_block("").box, cells=(Cell(0, 0, "a"), Cell(0, 1, "b"), Cell(1, 0, "c")))

    assert render.page_text([block]) == "a\tb\nc"


def test_text_has_no_markup() -> None:
    blocks = [
        text_block("Oak", kind=BlockType.HEADING, level=2),
        text_block("<b> *x*"),
        text_block("item", kind=BlockType.LIST_ITEM, marker="•", level=1),
    ]

    assert render.page_text(blocks) == "Oak\n\n<b> *x*\n\n• item"
