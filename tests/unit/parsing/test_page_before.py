"""The page before is summed up in a few lines: its headings, and how it ends."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box
from apps.parsing.prompts.page_before import MAX_TAIL_CHARS, summary_of
from tests.unit.pages.drawing import page, text_block

BOX = Box(72, 72, 500, 200)


def test_headings_and_the_last_sentence_are_told_and_running_lines_are_not() -> None:
    before = page(
        text_block("1 Scope", kind=BlockType.HEADING),
        text_block("2 Costs", kind=BlockType.HEADING),
        text_block("The rent rose because of", 300),
        Block(BlockType.PICTURE, BOX),
        text_block("Page 3", 800, kind=BlockType.PAGE_FOOTER),
    )
    assert summary_of(before) == "Headings: 1 Scope / 2 Costs\nIt ends: The rent rose because of"


def test_of_a_table_at_the_end_the_head_and_the_last_row_are_told() -> None:
    cells = [Cell(row, column, f"{row}{column}") for row in range(3) for column in range(2)]
    before = page(text_block("Prices"), Block(BlockType.TABLE, BOX, cells=tuple(cells)))
    assert summary_of(before) == "It ends with a table. Its head: 00 | 01\nIts last row: 20 | 21"


def test_a_list_keeps_its_number_and_a_long_text_is_cut_at_a_word() -> None:
    item = Block(BlockType.LIST_ITEM, BOX, "fourth", marker="4.")
    assert summary_of(page(item)) == "It ends: 4. fourth"
    long = summary_of(page(text_block("word " * 200 + "end")))
    assert long.startswith("It ends: ... word word")
    assert len(long) <= MAX_TAIL_CHARS + 20


def test_an_empty_page_has_nothing_to_tell() -> None:
    assert summary_of(page()) == ""
    assert summary_of(page(Block(BlockType.PICTURE, BOX))) == ""
