"""Chunks for retrieval: what is never divided, what each chunk says about its place, and the limits."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest

from apps.pages.model.blocks import Block, BlockType, Cell, Page, PageFailure, TextSpan
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output import items
from apps.pages.output.exports.chunks import Chunk, chunks_of
from apps.pages.output.exports.options import ChunkOptions
from apps.pages.output.exports.tokens import count_tokens
from apps.pages.output.render import RenderOptions
from tests.unit.pages.drawing import page, text_block

HEADING, ITEM = BlockType.HEADING, BlockType.LIST_ITEM
PLACE = Box(72, 100, 400, 700)
SENTENCE = "The ships of the company carried coal to every harbour of the coast."


def heading(text: str, level: int = 1) -> Block:
    return text_block(text, kind=HEADING, level=level)


def table(rows: int, *, columns: int = 3, header_rows: int = 1, name: str = "t") -> Block:
    cells = [
        Cell(row, column, f"{name}-r{row}c{column}", header=row < header_rows, box=Box(72, 100 + row, 172, 101 + row))
        for row in range(rows)
        for column in range(columns)
    ]
    return Block(BlockType.TABLE, PLACE, cells=tuple(cells))


def chunks(*blocks: Block, pages: list[Page | PageFailure] | None = None, **options: Any) -> list[Chunk]:
    return list(chunks_of(pages or [page(*blocks)], ChunkOptions(**options)))


def test_a_chunk_begins_at_each_heading_and_knows_the_headings_above() -> None:
    found = chunks(
        text_block("Before all headings."),
        heading("Fees"),
        heading("Late fees", 2),
        text_block("Five per cent."),
        heading("Terms"),
        text_block("Thirty days."),
    )
    assert [(chunk.headings, chunk.text) for chunk in found] == [
        ((), "Before all headings."),
        (("Fees", "Late fees"), "# Fees\n\n## Late fees\n\nFive per cent."),
        (("Terms",), "# Terms\n\nThirty days."),
    ]
    assert [chunk.index for chunk in found] == [1, 2, 3]
    assert {chunk.tokenizer for chunk in found} == {"subwords-1"}


def test_by_tokens_small_sections_share_a_chunk_and_no_heading_ends_one() -> None:
    sections = [block for each in range(4) for block in (heading(f"Section {each}"), text_block(SENTENCE))]
    found = chunks(*sections, max_tokens=60, split_by="tokens")
    assert len(found) == 2
    assert found[0].text.startswith("# Section 0")
    assert not found[0].text.splitlines()[-1].startswith("#")
    assert found[1].text.startswith("# Section 2")


def test_a_long_table_repeats_its_header_rows_and_each_row_is_whole_in_one_chunk() -> None:
    found = chunks(table(60, header_rows=2), max_tokens=200)
    assert len(found) > 3
    for chunk in found:
        assert all(header in chunk.text for header in ("t-r0c0", "t-r1c2"))
        assert chunk.tokens <= 200
    for row in range(2, 60):
        line = f"| t-r{row}c0 | t-r{row}c1 | t-r{row}c2 |"
        assert sum(line in chunk.text for chunk in found) == 1
    rows = [chunk.locators[0].rows or (-1, -1) for chunk in found]
    assert (rows[0][0], rows[-1][1]) == (0, 60)
    assert [start for start, _ in rows[1:]] == [end for _, end in rows[:-1]]
    start, end = rows[1]
    box = found[1].locators[0].bbox
    assert box is not None
    assert (box.y, box.h) == (100 + start, end - start)  # that of the rows, not of the table


def test_a_cell_over_several_rows_is_repeated_where_its_table_is_divided() -> None:
    cells = [Cell(0, 0, "Region", header=True), Cell(0, 1, "Port", header=True), Cell(1, 0, "North", row_span=40)]
    cells += [Cell(row, 1, f"harbour {row}") for row in range(1, 41)]
    found = chunks(Block(BlockType.TABLE, PLACE, cells=tuple(cells)), max_tokens=80)
    assert len(found) > 2
    assert all(chunk.text.count("North") == 1 and chunk.text.count("Region") == 1 for chunk in found)


def test_a_table_of_header_cells_only_and_one_without_any_are_divided_too() -> None:
    for header_rows in (0, 50):
        found = chunks(table(50, header_rows=header_rows), max_tokens=100)
        assert len(found) > 2
        for row in range(50):
            assert sum(f"t-r{row}c0 |" in chunk.text for chunk in found) == 1


def test_a_list_item_a_row_and_a_heading_that_are_too_long_stay_whole() -> None:
    long = " ".join([SENTENCE] * 20)
    row = Block(BlockType.TABLE, PLACE, cells=(Cell(0, 0, long), Cell(1, 0, "short")))
    found = chunks(heading(long), text_block(long, kind=ITEM, marker="-", level=1), row, max_tokens=50)
    assert max(chunk.tokens for chunk in found) > 50
    assert sum(chunk.text.count(f"- {long}") for chunk in found) == 1
    assert sum(chunk.text.count(f"| {long} |") for chunk in found) == 1


def test_a_long_paragraph_is_divided_at_sentences_and_says_which_characters_are_where() -> None:
    paragraph = text_block(" ".join(f"Sentence {each}: {SENTENCE}" for each in range(30)))
    found = chunks(paragraph, max_tokens=100)
    assert len(found) > 3
    for chunk in found:
        assert chunk.tokens <= 100
        assert (chunk.text[:8], chunk.text[-6:]) == ("Sentence", "coast.")
        start, end = chunk.locators[0].characters or (0, 0)
        assert paragraph.text[start:end].strip() == chunk.text


def test_a_sentence_that_is_too_long_is_divided_between_words_or_characters_of_scripts_without_blanks() -> None:
    for text in ("word " * 500, "船" * 500):
        found = chunks(text_block(text.strip()), max_tokens=100)
        assert all(chunk.tokens <= 100 for chunk in found)
        assert "".join(chunk.text for chunk in found).replace(" ", "") == text.replace(" ", "")


def test_bold_text_and_code_stay_so_in_each_part() -> None:
    text = " ".join([SENTENCE] * 20)
    bold = Block(BlockType.PARAGRAPH, PLACE, text, spans=(TextSpan(0, len(text), bold=True),))
    code = Block(BlockType.CODE, PLACE, "\n".join(f"    x = {each}" for each in range(100)))
    assert all(chunk.text.startswith("**The") and chunk.text.endswith("**") for chunk in chunks(bold, max_tokens=80))
    found = chunks(code, max_tokens=80)
    assert len(found) > 3
    assert all(chunk.tokens <= 80 for chunk in found)
    assert all(chunk.text.startswith("```\n    x = ") and chunk.text.endswith("\n```") for chunk in found)


def test_the_overlap_repeats_sentences_of_the_chunk_before_and_says_so() -> None:
    sentences = [f"Sentence {each} is about ships." for each in range(40)]
    found = chunks(text_block(" ".join(sentences)), max_tokens=64, overlap_tokens=20)
    for before, chunk in pairwise(found):
        repeated = chunk.text[: chunk.overlap_characters]
        assert repeated
        assert before.text.endswith(repeated)
        assert count_tokens(repeated) <= 20
        assert chunk.tokens <= 64
    assert sum(chunk.overlap_characters for chunk in chunks(text_block(" ".join(sentences)), max_tokens=64)) == 0


def test_pages_are_crossed_unless_that_is_not_wanted() -> None:
    pages: list[Page | PageFailure] = [page(heading("Ports"), text_block("Hull.")), PageFailure(2, "page_timeout")]
    pages.append(page(text_block("Whitby."), number=3))
    (across,) = chunks(pages=pages)
    assert across.pages == (1, 3)
    within = chunks(pages=pages, within_pages=True)
    assert [(chunk.pages, chunk.headings) for chunk in within] == [((1,), ("Ports",)), ((3,), ("Ports",))]


def test_running_lines_and_pictures_without_a_description_are_in_no_chunk() -> None:
    blocks = (
        text_block("Annual report", kind=BlockType.PAGE_HEADER),
        Block(BlockType.PICTURE, PLACE),
        Block(BlockType.PICTURE, PLACE, description="A ship under sail"),
    )
    (chunk,) = chunks(*blocks)
    assert chunk.text == "A ship under sail"


def test_no_box_is_invented_where_the_document_knows_no_places() -> None:
    (chunk,) = chunks(Block(BlockType.PARAGRAPH, NO_BOX, "Words of an office file."))
    assert chunk.locators[0].bbox is None


def test_ids_depend_on_text_and_place_only() -> None:
    first, again = chunks(heading("A"), text_block("b")), chunks(heading("A"), text_block("b"))
    assert [chunk.id for chunk in first] == [chunk.id for chunk in again]
    assert chunks(text_block("c"))[0].id != first[0].id


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("options", [{}, {"split_by": "tokens"}, {"within_pages": True, "overlap_tokens": 30}])
def test_each_heading_item_and_row_of_any_document_is_whole_in_one_chunk(seed: int, options: dict[str, Any]) -> None:
    random_, marks = random.Random(seed), list[str]()
    pages: list[Page | PageFailure] = [page(*_blocks(random_, marks), number=number) for number in range(1, 5)]

    found = chunks(pages=pages, max_tokens=random_.choice([40, 90, 300]), **options)

    new_text = [chunk.text[chunk.overlap_characters :] for chunk in found]
    for mark in marks:
        assert sum(mark in text for text in new_text) == 1, mark
    for chunk in found:
        for locator in chunk.locators:
            item: Any = {"items": items.items_of(pages[locator.page_number - 1].blocks, RenderOptions())}  # type: ignore[union-attr]
            for step in locator.pointer.removeprefix("/").split("/"):
                item = item[int(step) if step.isdigit() else step]
            text = " ".join(item["rows"][-1]) if item["type"] == "table" else item["value"]
            assert item["type"] == "table" or text.split()[-1] in chunk.text or locator.characters


def _blocks(random_: random.Random, marks: list[str]) -> list[Block]:
    """Return blocks of a page, and add the texts that must be whole in one chunk to ``marks``."""
    blocks = []
    for _ in range(random_.randint(1, 12)):
        number = len(marks)
        kind = random_.choice(["heading", "item", "table", "text"])
        if kind == "heading":
            blocks.append(heading(f"Heading {number} of them", random_.randint(1, 4)))
            marks.append(f"# Heading {number} of them")
        elif kind == "item":
            text = f"item {number} " + "ship " * random_.randint(0, 60) + f"end {number}"
            blocks.append(text_block(text, kind=ITEM, marker="-", level=random_.randint(1, 3)))
            marks.append(f"- {text}")
        elif kind == "table":
            rows, headers = random_.randint(1, 30), random_.randint(0, 3)
            blocks.append(table(rows, header_rows=headers, name=f"t{number}"))
            body = range(headers if headers < rows else 0, rows)
            marks += [f"| t{number}-r{row}c0 | t{number}-r{row}c1 | t{number}-r{row}c2 |" for row in body]
        else:
            blocks.append(text_block(" ".join([SENTENCE] * random_.randint(1, 12))))
    return blocks
