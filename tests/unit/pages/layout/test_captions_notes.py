"""Captions belong to figures and tables; footnotes and stamps do not cut the paragraph around them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.geometry import Box
from apps.pages.output.assembly import finished_pages
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.drawing import Sheet, assembled, page, text_block, write_pdf

CAPTIONS = ["Figure 1: An oak", "Fig. 2. An oak", "Abbildung 3 – Eine Eiche", "図 4 樫", "Plate 5. An oak"]
BODY = "Leaves are green, and there is much more to say about them than a page can hold. " * 3


def types_of(*blocks: Block, separators: tuple[Box, ...] = ()) -> list[BlockType]:
    one = msgspec.structs.replace(page(*blocks), separators=separators)
    (done,) = [found for found in finished_pages(lambda: [one]) if isinstance(found, Page)]
    return [block.type for block in done.blocks]


@pytest.mark.parametrize(
    "caption", ["Figure 1: An oak", "Fig. 2. An oak", "Abbildung 3 – Eine Eiche", "図 4 樫", "Plate 5. An oak"]
)
def test_a_labelled_line_in_small_type_at_a_picture_is_its_caption(caption: str) -> None:
    picture = Block(BlockType.PICTURE, Box(72, 200, 272, 300))
    pages = [page(text_block(BODY, 110), picture, text_block(caption, 306, size=8.5), text_block(BODY, 340))]

    _, files = assembled(pages)

    items = json.loads(files["items.json"])["pages"][0]["items"]
    assert [item["caption"] for item in items if item["type"] == "image"] == [caption]
    assert items[2]["bbox"][0]["label"] == "caption"
    assert files["markdown.md"].decode().count(caption) == 1


def test_a_bold_caption_above_a_table_is_no_heading() -> None:
    table = Block(BlockType.TABLE, Box(72, 200, 272, 300))

    found = types_of(
        text_block(BODY, 110), text_block("Table 2: Oaks by age", 184, bold=True), table, text_block(BODY, 330)
    )

    assert found[1] is BlockType.CAPTION


def test_a_numbered_title_above_a_picture_stays_a_heading() -> None:
    picture = Block(BlockType.PICTURE, Box(72, 230, 272, 300))

    found = types_of(text_block("Chapter 2. Oaks", 200, size=18), picture, text_block(BODY, 330))

    assert found[0] is BlockType.HEADING


def test_small_type_with_marks_at_the_end_of_the_page_is_footnotes() -> None:
    found = types_of(
        text_block(BODY, 110),
        text_block("1 See the book of oaks.", 700, size=8),
        text_block("* And that of elms.", 712, size=8),
    )

    assert found == [BlockType.PARAGRAPH, BlockType.FOOTNOTE, BlockType.FOOTNOTE]


def test_small_type_under_a_short_rule_is_a_footnote() -> None:
    found = types_of(
        text_block(BODY, 110),
        text_block("Translated from the French.", 700, size=8),
        separators=(Box(72, 695, 172, 695.5),),
    )

    assert found == [BlockType.PARAGRAPH, BlockType.FOOTNOTE]


def test_a_list_in_small_type_is_no_footnotes() -> None:
    items = [
        text_block(f"Book {n} of oaks", 400 + 12 * n, size=8, kind=BlockType.LIST_ITEM, marker=f"{n}.")
        for n in range(20)
    ]

    assert BlockType.FOOTNOTE not in types_of(text_block(BODY * 3, 110), text_block("Books", 380, size=8), *items)


def test_a_footnote_or_stamp_between_the_halves_of_a_paragraph_follows_it() -> None:
    turned = Box(20, 200, 40, 500)
    stamp = text_block("DRAFT", 200)
    stamp = msgspec.structs.replace(stamp, box=turned, lines=(msgspec.structs.replace(stamp.lines[0], box=turned),))
    first = page(
        text_block(BODY, 110),
        text_block("The leaves of the oak are", 640),
        text_block("* See the book.", 700, size=8),
        stamp,
    )
    second = page(text_block("larger than those of the elm.", 100), number=2)

    _, files = assembled([first, second])

    text = files["text.txt"].decode()
    assert "The leaves of the oak are larger than those of the elm.\n\n* See the book.\n\nDRAFT\n" in text


def test_footnotes_of_a_drawn_page_under_their_rule(tmp_path: Path) -> None:
    sheet = Sheet(operators=[])
    for line in range(20):
        sheet.text("the wheel turns in the stream and the stones grind the grain", 72, 100 + 14 * line)
    sheet.line(72, 690, 172, 690).text("Translated from the French.", 72, 694, size=8)
    path = write_pdf(tmp_path / "note.pdf", [sheet])

    done = list(finished_pages(lambda: list(read_pages(str(path), [1]))))

    assert isinstance(done[0], Page)
    assert [block.text for block in done[0].blocks if block.type is BlockType.FOOTNOTE] == [
        "Translated from the French."
    ]


@pytest.mark.parametrize(
    ("text", "is_label"),
    [("Figures", False), ("Tables and figures", False), ("Figure 1. The mill", True), ("Table B", True)],
)
def test_a_plural_is_no_label_of_a_caption(text: str, is_label: bool) -> None:
    assert has_caption_label(text) is is_label
