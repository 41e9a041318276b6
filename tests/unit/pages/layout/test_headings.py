"""Headings by outline, numbering, capitals, slant and colour."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pikepdf
import pytest

from apps.pages.model.blocks import Block, BlockType, Bookmark, Page, Source
from apps.pages.model.geometry import Box
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.drawing import Sheet, assembled, page, text_block, write_pdf

BODY = "Leaves are green, and there is much more to say about them than a page can hold. " * 3


def markdown(*blocks: Block, outline: tuple[Bookmark, ...] = ()) -> str:
    _, files = assembled([msgspec.structs.replace(page(*blocks), outline=outline)])
    return files["markdown.md"].decode()


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def test_the_outline_decides_about_levels() -> None:
    found = headings(
        markdown(
            text_block("Of Leaves", 150, size=20),
            text_block("Oak", 200, size=14),
            text_block(BODY, 230),
            text_block("Its bark", 300, bold=True),
            text_block(BODY, 330),
            outline=(Bookmark("Oak", 1), Bookmark("Its bark", 2)),
        )
    )

    assert found == ["# Of Leaves", "# Oak", "## Its bark"]


@pytest.mark.parametrize(
    ("bottom", "found"), [(330, ["# Of Leaves", "## Oak"]), (830, ["# Of Leaves", "## Level of the water", "## Oak"])]
)
def test_labels_that_ocr_read_in_a_picture_are_no_headings(bottom: float, found: list[str]) -> None:
    picture = Block(BlockType.PICTURE, Box(20, 160, 580, bottom))
    label = msgspec.structs.replace(text_block("Level of the water", 200, size=16), source=Source.OCR)

    text = markdown(
        text_block("Of Leaves", 60, size=20),
        text_block(BODY, 100),
        picture,
        label,
        text_block("Oak", 350, size=14),
        text_block(BODY, 380),
    )

    assert [line.replace("###", "##") for line in headings(text)] == found
    assert "Level of the water" in text


def test_the_depth_of_numbers_decides_where_sizes_do_not() -> None:
    found = headings(
        markdown(
            *(
                block
                for place, title in enumerate(["1 Trees", "1.1 Oak", "1.1.1 Bark", "1.2 Elm"])
                for block in (text_block(title, 120 + 120 * place, bold=True), text_block(BODY, 150 + 120 * place))
            )
        )
    )

    assert found == ["# 1 Trees", "## 1.1 Oak", "### 1.1.1 Bark", "## 1.2 Elm"]


@pytest.mark.parametrize(
    "change", [{"italic": True}, {"colour": "1f3864"}, {"font": "Gillius"}], ids=["italic", "colour", "family"]
)
def test_short_lines_of_another_look_above_text_are_headings(change: dict[str, object]) -> None:
    blocks: list[Block] = []
    for place, title in enumerate(["Of oaks", "Of elms", "Of ashes"]):
        block = text_block(title, 120 + 200 * place)
        if "italic" in change:
            lines = tuple(msgspec.structs.replace(line, italic=True) for line in block.lines)
            block = msgspec.structs.replace(block, lines=lines)
        else:
            block = msgspec.structs.replace(block, **change)
        blocks += [block, text_block(BODY * 3, 150 + 200 * place)]

    assert headings(markdown(*blocks)) == ["# Of oaks", "# Of elms", "# Of ashes"]


def test_a_line_in_italics_between_paragraphs_of_which_many_are_italic_is_text() -> None:
    lines = (msgspec.structs.replace(text_block(BODY).lines[0], italic=True),)
    quotes = [Block(b.type, b.box, b.text, lines) for b in (text_block(BODY, 100 + 60 * n) for n in range(4))]

    assert headings(markdown(*quotes, text_block(BODY * 9, 500))) == []


def test_names_in_bold_are_no_heading() -> None:
    found = headings(
        markdown(
            text_block("Of Leaves", 100, size=20),
            text_block("Ada Oak 1, Ben Elm 2, Cy Ash 3, and Di Fir 1", 140, bold=True),
            text_block(BODY, 230),
        )
    )

    assert found == ["# Of Leaves"]


def write_outlined(path: Path, *, loops: bool) -> Path:
    write_pdf(path, [Sheet(operators=[]).text("Oak", 72, 100).text(BODY[:80], 72, 130).text(BODY[:80], 72, 145)])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        first = pdf.make_indirect(pikepdf.Dictionary(Title="Oak"))
        second = pdf.make_indirect(pikepdf.Dictionary(Title="Elm"))
        first.Next = second
        if loops:
            second.Next = first
            second.First = first
        pdf.Root.Outlines = pdf.make_indirect(pikepdf.Dictionary(First=first, Last=second))
        pdf.save(path)
    return path


@pytest.mark.parametrize("loops", [False, True])
def test_the_outline_is_read_from_the_file_once_even_when_it_loops(tmp_path: Path, loops: bool) -> None:
    path = write_outlined(tmp_path / "outlined.pdf", loops=loops)

    (found,) = read_pages(str(path), [1])

    assert isinstance(found, Page)
    assert [(bookmark.title, bookmark.level) for bookmark in found.outline] == [("Oak", 1), ("Elm", 1)]


def test_a_roman_number_before_capitals_makes_a_heading() -> None:
    blocks: list[Block] = []
    for place, title in enumerate(["I. INTRODUCTION", "II. BACKGROUND", "III. METHOD"]):
        box = Box(200, 100 + 200 * place, 300, 112 + 200 * place)
        blocks += [
            msgspec.structs.replace(text_block(title, box.top), box=box),
            text_block(BODY * 3, 130 + 200 * place),
        ]

    assert headings(markdown(*blocks)) == ["# I. INTRODUCTION", "# II. BACKGROUND", "# III. METHOD"]


def test_numbered_lines_in_the_letters_of_the_body_are_headings_above_text() -> None:
    blocks: list[Block] = []
    for place, title in enumerate(["1 Trees", "1.1 Oaks", "1.2 Elms"]):
        blocks += [text_block(title, 100 + 100 * place), text_block(BODY, 130 + 100 * place)]

    assert headings(markdown(*blocks)) == ["# 1 Trees", "## 1.1 Oaks", "## 1.2 Elms"]


def test_numbered_lines_below_each_other_are_no_headings() -> None:
    items = [
        text_block(f"{number} Oaks of the year", 100 + 14 * place) for place, number in enumerate(["1.1", "1.2", "1.3"])
    ]

    assert headings(markdown(*items, text_block(BODY, 300))) == []
