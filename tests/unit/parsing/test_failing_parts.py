"""The parts of an answer that fail the check are found, so that only they are asked for again."""

from __future__ import annotations

import uuid

from apps.pages.model.blocks import Block, BlockType, Cell
from apps.pages.model.geometry import Box
from apps.parsing.answer_check import PageToParse
from apps.parsing.answers.parse_answer import end_line, read_answer
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.prompts.parts import marks, texts_of_parts
from apps.parsing.second_look.failing_parts import FailingPart, failing_parts
from apps.providers.calls.attempts import CallScope
from apps.providers.ledger import CallFor
from tests.unit.pages.drawing import page
from tests.unit.parsing.test_alignment import lines_block
from tests.unit.parsing.test_answer_check import Scan

FIRST = (
    "The mill grinds oats and rye in a year and has done so since 1871 without an interruption. Its wheel turns with "
    "the water of two rivers, which meet below the garden of the oldest house in the village."
)
LAST = "Visitors are welcome on Sundays between 10 and 16 o'clock, and on the first of May."
ROWS = (("Oats", "30.00"), ("Barley", "28.70"), ("Rye", "15.75"), ("Spelt", "22.40"))


def grid() -> Block:
    cells = tuple(
        Cell(row, column, text, box=Box(72 + 150 * column, 300 + 20 * row, 130 + 150 * column, 312 + 20 * row))
        for row, texts in enumerate(ROWS)
        for column, text in enumerate(texts)
    )
    return Block(BlockType.TABLE, Box(72, 300, 280, 372), cells=cells)


PAGE = page(lines_block(FIRST, top=200, width=400), grid(), lines_block(LAST, top=500, width=400))


def table(*rows: tuple[str, str]) -> str:
    return f"<table>{''.join(f'<tr><td>{name}</td><td>{price}</td></tr>' for name, price in rows)}</table>"


def failing(*parts: str) -> list[FailingPart]:
    to_parse = PageToParse(PAGE, CustomInstructions(), CallScope(CallFor(uuid.UUID(int=1), "pjb-1", 1, "lvm")), Scan())
    drafts = read_answer("\n\n".join((*parts, end_line("m"))), marker="m")
    return failing_parts(to_parse, drafts, sees_picture=True)


def test_a_right_answer_has_none() -> None:
    assert failing(FIRST, table(*ROWS), LAST) == []


def test_swapped_amounts_are_the_table_with_its_box_and_what_is_wrong() -> None:
    swapped = (("Oats", "28.70"), ("Barley", "30.00"), *ROWS[2:])
    [part] = failing(FIRST, table(*swapped), LAST)
    assert (part.first, part.last) == (1, 2)
    assert part.box == Box(64, 292, 288, 380)
    assert "28.70" in part.wrong


def test_a_missing_paragraph_has_its_place_between_the_others() -> None:
    [part] = failing(FIRST, LAST)
    assert (part.first, part.last) == (1, 1)
    [part] = failing(FIRST, table(*ROWS))
    assert (part.first, part.last) == (2, 2)


def test_two_parts_are_in_the_order_of_the_answer() -> None:
    wrong = LAST.replace("Sundays", "Mondays")
    found = failing(FIRST, table(("Oats", "30.00"), ("Barley", "28.70"), ("Rye", "15.57"), ("Spelt", "22.40")), wrong)
    assert [(part.first, part.last) for part in found] == [(1, 2), (2, 3)]


def test_an_answer_to_another_page_has_none() -> None:
    assert failing("The annual report of a bank in the city has been approved by all of its owners in May.") == []


def test_blocks_of_the_page_that_became_one_are_one_part() -> None:
    as_text = " ".join(f"{name} {price}" for name, price in ROWS)
    [part] = failing(FIRST, f"{as_text} {LAST.replace('10', '11')}")
    assert (part.first, part.last, len(part.blocks)) == (1, 2, 2)


def test_the_text_of_each_part_ends_with_its_own_line() -> None:
    first, second = marks("abc", 2)
    text = f"One\n{end_line(first)}\nTwo\n{end_line(second)}\n"
    assert [part.strip() for part, _ in texts_of_parts(text, [first, second])] == [
        f"One\n{end_line(first)}",
        f"Two\n{end_line(second)}",
    ]
    assert texts_of_parts("One", [first, second]) == [("One", first), ("", second)]
