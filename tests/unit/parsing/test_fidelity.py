"""The fidelity check refuses answers that omit, change or add text, and accepts other spellings of the same text."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.pages.model.geometry import Box
from apps.parsing.answers.fidelity import OCR, TEXT_LAYER, Fidelity, compare, verdict
from apps.parsing.answers.parse_answer import end_line, parsed_page
from tests.unit.pages.drawing import page
from tests.unit.parsing.test_alignment import lines_block
from tests.unit.parsing.test_answer_places import html, table_block

FIRST = "The mill at the river grinds 1,234.50 tonnes of oats and 88 tonnes of rye in a year."
SECOND = "Its wheel was built in 1871 by carpenters from the next valley, and it turns to this day."
THIRD = "Visitors are welcome on Sundays between 10 and 16, when the miller shows how flour is made."


def of_paragraphs(*texts: str) -> Page:
    return page(*(lines_block(text, top=200 + 60.0 * n) for n, text in enumerate(texts)))


def recognized(page: Page, *, confidence: float) -> Page:
    """The page as OCR reads it."""
    blocks = [
        msgspec.structs.replace(
            block,
            source=Source.OCR,
            lines=tuple(msgspec.structs.replace(line, confidence=confidence) for line in block.lines),
        )
        for block in page.blocks
    ]
    return msgspec.structs.replace(page, blocks=tuple(blocks))


PAGE = of_paragraphs(FIRST, SECOND, THIRD)


def measured(markdown: str, of: Page = PAGE, *, image: bool = False) -> Fidelity:
    return compare(of, parsed_page(of, f"{markdown}\n{end_line('m')}", marker="m").blocks, image=image)


def judged(markdown: str, of: Page = PAGE, *, source: str = TEXT_LAYER, image: bool = False) -> str:
    return verdict(measured(markdown, of, image=image), source=source)


WHOLE = f"{FIRST}\n\n{SECOND}\n\n{THIRD}"


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        f"# {FIRST}\n\n- {SECOND}\n- {THIRD}",
        WHOLE.upper(),
        WHOLE.replace("tonnes", "**ton-\nnes**").replace("valley", "val\u00adley"),
        f"<table><tr><td>{FIRST}</td></tr><tr><td>{SECOND}</td><td>{THIRD}</td></tr></table>",
        WHOLE.replace("1,234.50", "１,２３４.５０"),
    ],
    ids=["the same", "other blocks", "capitals", "hyphens", "a table", "full width"],
)
def test_the_same_words_in_another_form_are_accepted(answer: str) -> None:
    assert judged(answer) == ""
    assert measured(answer).coverage == 1.0


def test_an_omitted_paragraph_is_detected() -> None:
    assert judged(f"{FIRST}\n\n{THIRD}") == "output_incomplete"
    assert measured(f"{FIRST}\n\n{THIRD}").numbers_missing == ("1871",)


@pytest.mark.parametrize("number", ["1,234.05", "1,243.50", "12,34.50", "1,234.5", "1234.50"])
def test_a_changed_number_is_detected(number: str) -> None:
    changed = WHOLE.replace("1,234.50", number)
    assert judged(changed) == "output_altered"
    assert (measured(changed).numbers_missing, measured(changed).numbers_added) == (("1,234.50",), (number,))


def test_an_invented_sentence_is_detected() -> None:
    assert judged(f"{WHOLE}\n\nAll prices have been approved by the honourable guild.") == "output_altered"


def test_a_loop_is_detected() -> None:
    assert judged(WHOLE + f"\n\n{THIRD}" * 10) == "output_altered"


def test_the_answer_for_another_page_is_detected() -> None:
    assert judged("Something else stands here, about ships and harbours and the men who sail to them.") != ""


def test_names_of_latex_commands_do_not_count_as_added_words() -> None:
    assert judged(f"{WHOLE}\n\n$\\frac{{\\sqrt\\alpha}}{{\\beta}} \\leq \\int \\infty \\sum \\partial$") == ""


def test_a_model_that_sees_the_page_may_add_text_of_its_pictures() -> None:
    of = page(*PAGE.blocks, Block(BlockType.PICTURE, Box(72, 500, 400, 700)))
    answer = f"{WHOLE}\n\nOats Flour Bran Barley harvest by region north south"
    assert judged(answer, of, image=True) == ""
    assert judged(answer, of, image=False) == "output_altered"
    assert judged(answer, PAGE, image=True) == "output_altered"


def test_a_model_may_correct_words_that_ocr_misread() -> None:
    first = FIRST.replace("oats", "0ats").replace("mill", "rnill")
    misread = recognized(of_paragraphs(first, SECOND.replace("1871", "I87I"), THIRD), confidence=0.99)
    assert judged(WHOLE, misread, source=OCR) == ""
    assert judged(WHOLE, misread) != ""
    assert judged(FIRST, misread, source=OCR) == "output_incomplete"


@pytest.mark.parametrize(("printed", "answered"), [("1871", "1817"), ("88", "83"), ("1,234.50 ", "")])
def test_a_number_that_ocr_is_sure_of_is_judged(printed: str, answered: str) -> None:
    answer = WHOLE.replace(printed, answered)
    assert judged(answer, recognized(PAGE, confidence=0.99), source=OCR) == "output_altered"
    assert judged(answer, recognized(PAGE, confidence=0.7), source=OCR) == ""


@pytest.mark.parametrize(
    ("printed", "answered"),
    [("carpenters", "butchers"), ("tonnes of oats", "tonnes oats"), ("shows", "cannot"), ("by carpenters from", "")],
)
def test_words_that_ocr_is_sure_of_are_judged_if_the_model_knows_nothing_else(printed: str, answered: str) -> None:
    answer = WHOLE.replace(printed, answered)
    assert judged(answer, recognized(PAGE, confidence=0.99), source=OCR) == "output_altered"
    assert judged(answer, recognized(PAGE, confidence=0.7), source=OCR) == ""
    assert judged(answer, recognized(PAGE, confidence=0.99), source=OCR, image=True) == ""


def test_a_digit_in_a_cell_that_ocr_is_sure_of_is_judged() -> None:
    rows = (("Article", "Pieces"), ("Oats", "7"), ("Barley", "4"))
    table = msgspec.structs.replace(table_block(rows), source=Source.OCR, confidence=0.99)
    of = page(*recognized(PAGE, confidence=0.99).blocks, table)
    assert judged(f"{WHOLE}\n\n{html(rows)}", of, source=OCR) == ""
    assert judged(f"{WHOLE}\n\n{html((*rows[:2], ('Barley', '')))}", of, source=OCR) == "output_altered"
    assert judged(f"{WHOLE}\n\n{html((*rows[:2], ('Barley', '9')))}", of, source=OCR) == "output_altered"


def test_a_model_that_sees_the_page_may_read_a_number_otherwise_than_ocr() -> None:
    answer = WHOLE.replace("1871", "1817")
    assert judged(answer, recognized(PAGE, confidence=0.99), source=OCR, image=True) == ""


def test_a_renumbered_list_is_accepted() -> None:
    printed = of_paragraphs(f"4. {FIRST}", f"5. {SECOND}", f"6. {THIRD}").blocks
    items = [Block(BlockType.LIST_ITEM, block.box, block.text[3:], block.lines, 1, block.text[:2]) for block in printed]
    assert judged(f"- {FIRST}\n- {SECOND}\n- {THIRD}", page(*items)) == ""
    assert judged(f"1. {FIRST}\n1. {SECOND}\n1. {THIRD}", page(*items)) == ""


@pytest.mark.parametrize("answer", ["Chapter 2", "# Chapter II", "Chapter 2\n\nThe mill"])
def test_pages_with_few_words_raise_no_false_alarm(answer: str) -> None:
    assert judged(answer, page(lines_block("Chapter 2"))) == ""


def test_any_answer_to_a_page_without_words_is_accepted() -> None:
    assert judged("What the model read in the picture", page(), source=OCR, image=True) == ""


def test_scripts_without_spaces_are_compared_by_character() -> None:
    of = page(lines_block("磨坊每年磨一千吨燕麦和八十八吨黑麦", "水轮建于一八七一年至今仍在转动", top=200))
    assert judged("磨坊每年磨一千吨燕麦和八十八吨黑麦\n水轮建于一八七一年至今仍在转动", of) == ""
    assert judged("磨坊每年磨一千吨燕麦和八十八吨黑麦", of) == "output_incomplete"


@pytest.mark.parametrize("spelling", ["1,234¹", "1,234<sup>1</sup>", "1,234^1", "$1,234^{1}$"])
def test_a_raised_digit_is_no_digit_of_the_number_before_it(spelling: str) -> None:
    of = of_paragraphs(FIRST, SECOND.replace("1871", "1,234¹"), THIRD)
    answer = "\n\n".join([FIRST, SECOND.replace("1871", spelling), THIRD])

    assert measured(answer, of).numbers_kept == 1.0
    assert judged(answer, of) == ""
    assert measured(answer.replace(spelling, "1,2341"), of).numbers_missing == ("1", "1,234")


def test_an_answer_without_the_page_lacks_all_of_its_words_and_not_more() -> None:
    items = [msgspec.structs.replace(block, type=BlockType.LIST_ITEM, marker=f"{n}.",
        lines=tuple(msgspec.structs.replace(line, text=f"{n}. {line.text}") for line in block.lines))
        for n, block in enumerate(PAGE.blocks, 1)]  # fmt: skip

    found = compare(msgspec.structs.replace(PAGE, blocks=tuple(items)), ())

    assert (found.coverage, found.numbers_kept) == (0.0, 0.0)
