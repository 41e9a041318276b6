"""Headings, running headers and footers, and paragraphs over page breaks are found over the whole document."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType, Page, PageFailure
from apps.pages.output.assembly import finished_pages
from tests.unit.pages.drawing import assembled, page, text_block

BODY = "Leaves are green, and there is much more to say about them than a page can hold. " * 3


def finished(*pages: Page | PageFailure) -> list[Page]:
    return [one for one in finished_pages(lambda: pages) if isinstance(one, Page)]


def headings(*blocks: Block) -> list[tuple[int, str]]:
    (done,) = finished(page(*blocks))
    return [(block.level, block.text) for block in done.blocks if block.type is BlockType.HEADING]


def test_larger_lines_are_headings_and_the_largest_has_the_highest_level() -> None:
    found = headings(
        text_block("Of Leaves", 150, size=20),
        text_block("Oak", 200, size=14),
        text_block(BODY, 230),
        text_block("Elm", 400, size=14),
        text_block(BODY, 430),
    )

    assert found == [(1, "Of Leaves"), (2, "Oak"), (2, "Elm")]


def test_bold_lines_in_the_size_of_the_body_are_headings() -> None:
    assert headings(text_block("Oak", 200, bold=True), text_block(BODY, 230)) == [(1, "Oak")]


def test_a_sentence_in_large_letters_is_not_a_heading() -> None:
    assert headings(text_block("Leaves fall, as everybody knows.", 200, size=14), text_block(BODY, 230)) == []


def test_there_are_at_most_six_levels() -> None:
    sizes = [40, 36, 32, 28, 24, 20, 16, 14]
    found = headings(
        *(text_block(f"Heading of {size}", 120 + 50 * n, size=size) for n, size in enumerate(sizes)),
        text_block(BODY, 560),
    )

    assert [level for level, _ in found] == [1, 2, 3, 4, 5, 6, 6, 6]


def test_a_numbered_heading_keeps_its_number() -> None:
    number = text_block("Oak", 200, size=16, kind=BlockType.LIST_ITEM, marker="1.")

    _, files = assembled([page(number, text_block(BODY, 230))])

    assert files["markdown.md"].startswith(b"# 1. Oak\n")


def test_lines_at_the_same_height_of_many_pages_are_running_lines() -> None:
    pages = [
        page(
            text_block("The Leaf Handbook", 30),
            text_block(f"Text number {number} of this handbook.", 300),
            text_block(f"Leaves | {number}", 800),
            number=number,
        )
        for number in range(1, 9)
    ]

    done = finished(*pages)

    kinds = [[block.type for block in one.blocks] for one in done]
    assert kinds == [[BlockType.PAGE_HEADER, BlockType.PARAGRAPH, BlockType.PAGE_FOOTER]] * 8


def test_a_page_number_is_a_footer_even_on_one_page() -> None:
    (done,) = finished(page(text_block(BODY, 300), text_block("Page 3 of 7", 800)))

    assert [block.type for block in done.blocks] == [BlockType.PARAGRAPH, BlockType.PAGE_FOOTER]


def test_running_lines_are_left_out_of_markdown_and_text_but_not_of_items() -> None:
    pages = [page(text_block("The Leaf Handbook", 30), text_block(f"Text {n}.", 300), number=n) for n in range(1, 5)]

    _, files = assembled(pages)

    assert b"Handbook" not in files["markdown.md"] + files["text.txt"] + files["text.json"]
    assert files["items.json"].count(b'"type":"header"') == 4
    assert files["markdown.json"].count(b'"header":"The Leaf Handbook"') == 4


def test_a_line_at_the_top_of_only_one_page_is_kept() -> None:
    (done, *_) = finished(*(page(text_block(f"{word} leaves", 30), number=n) for n, word in enumerate("abcdef", 1)))

    assert done.blocks[0].type is BlockType.PARAGRAPH


def test_a_paragraph_over_a_page_break_is_joined_in_the_whole_document() -> None:
    first = page(text_block("The leaves of the oak are much lar-", 700))
    second = page(text_block("ger than those of the elm.", 100), number=2)

    _, files = assembled([first, second])

    assert files["text.txt"] == b"The leaves of the oak are much larger than those of the elm.\n"
    assert b'"text":"ger than those of the elm."' in files["text.json"]


def test_sentences_that_end_with_their_page_are_not_joined() -> None:
    first = page(text_block("Leaves are green.", 700))
    second = page(text_block("Trees are tall.", 100), number=2)

    _, files = assembled([first, second])

    assert files["markdown.md"] == b"Leaves are green.\n\nTrees are tall.\n"
