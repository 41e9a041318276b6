"""The fidelity check finds what an answer leaves out of a sentence, and columns under the wrong header."""

from __future__ import annotations

import msgspec

from apps.pages.model.blocks import Block, BlockType
from tests.unit.pages.drawing import page
from tests.unit.parsing.test_alignment import lines_block
from tests.unit.parsing.test_answer_places import PROSE, WHOLE, judged, table_block, with_table

BODY = lines_block(*PROSE, top=150, width=420)
RULES = (
    ("Rule", "Description", "Level one", "Level two", "Weakness"),
    ("Passwords", "keep it safe", "✓", "✓", "521"),
    ("Sessions", "end every day", "✓", "✓", "613"),
    ("Logs", "stay one year", "✓", "✓", "778"),
)


def titled(text: str, *, marker: str = "") -> Block:
    line = lines_block(f"{marker} {text}".strip(), top=240)
    kind = BlockType.LIST_ITEM if marker else BlockType.PARAGRAPH
    bold = (msgspec.structs.replace(line.lines[0], bold=True),)
    return msgspec.structs.replace(line, type=kind, text=text, marker=marker, lines=bold)


def swapped(one: int, other: int) -> str:
    rows = [list(row) for row in RULES]
    for row in rows[1:]:
        row[one], row[other] = row[other], row[one]
    return with_table(*(tuple(row) for row in rows))


def test_a_word_left_out_of_a_sentence_or_a_cell_is_found() -> None:
    of = page(BODY, table_block(RULES))
    whole = with_table(*RULES)
    assert judged(whole, of) == ""
    assert judged(whole.replace("the goods within", "the within"), of) == "output_altered"
    assert judged(whole.replace("resell the goods", "resell goods"), of) == "output_altered"
    assert judged(whole.replace("end every day", "end day"), of) == "output_altered"


def test_a_word_printed_twice_may_be_left_out_once() -> None:
    end = "The mill grinds the the grain of all farmers"
    of = page(BODY, lines_block(end, top=300))
    assert judged(f"{WHOLE}\n\n{end.replace('the the', 'the')}", of) == ""
    assert judged(f"{WHOLE}\n\n{end.replace('the the', '')}", of) == "output_altered"


def test_a_title_with_a_number_is_not_left_out_unseen() -> None:
    of = page(BODY, titled("定義", marker="2)"), lines_block("Oats are a grain", top=300))
    assert judged(f"{WHOLE}\n\n# 2) 定義\n\nOats are a grain", of) == ""
    assert judged(f"{WHOLE}\n\nOats are a grain", of) == "output_altered"


def test_a_title_of_several_words_that_begins_its_text_is_found_behind_it() -> None:
    text = "The old mill is a house of stone that grinds grain with the water of the river"
    end = "Above the mill a weir holds the water back"
    title = titled("The old mill")
    of = page(BODY, title, lines_block(text, top=260, width=420), lines_block(end, top=280))
    assert judged(f"{WHOLE}\n\n# {title.text}\n\n{text}\n\n{end}", of) == ""
    assert judged(f"{WHOLE}\n\n{text}\n\n# {title.text}\n\n{end}", of) == "output_altered"


def test_columns_swapped_below_their_headers_are_found() -> None:
    of = page(BODY, table_block(RULES))
    assert judged(with_table(*RULES), of) == ""
    assert judged(swapped(1, 3), of) == "output_altered"
    assert judged(swapped(3, 4), of) == "output_altered"


def test_a_column_in_the_place_of_an_empty_one_is_found() -> None:
    rows = tuple((*row[:2], row[2] if not place else "", *row[3:]) for place, row in enumerate(RULES))
    of = page(BODY, table_block(rows))
    moved = (rows[0], *((row[0], "", row[1], *row[3:]) for row in rows[1:]))
    assert judged(with_table(*rows), of) == ""
    assert judged(with_table(*moved), of) == "output_altered"


def test_a_name_misspelt_behind_raised_and_lowered_digits_is_found() -> None:
    text = "The distance d of x₁ and y₁ and x₂ and y₂ and x₃ and y₃ is ‖x₁ − y₁‖² in the sense of Hausdorff"
    of = page(lines_block(text, width=420))
    assert judged(text, of) == ""
    assert judged(text.replace("Hausdorff", "Hausdorf"), of) == "output_altered"
