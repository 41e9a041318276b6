"""Every visible character of a page is in its blocks, or the page counts how many are missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.pages.layout import page_layout
from apps.pages.layout.quality import conservation
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun, TextStyle
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

ROWS = [("Wheat", "1,204", "12.50"), ("Rye", "893", "9.75"), ("Oats", "310", "8.20"), ("Barley", "77", "7.00")]


def table() -> Sheet:
    sheet = Sheet().text(72, 60, "Deliveries of the quarter")
    sheet.grid([70, 200, 300, 400], [98, 118, 138, 158, 178])
    for number, cells in enumerate(ROWS):
        for x, cell in zip((76, 206, 306), cells, strict=True):
            sheet.text(x, 102 + 20 * number, cell)
    return sheet


def read(path: str) -> Page:
    (page,) = read_pages(path, [1])
    assert isinstance(page, Page)
    return page


def test_a_page_that_keeps_its_text_says_nothing(tmp_path: Path) -> None:
    page = read(write_pdf(tmp_path / "a.pdf", table()))

    assert BlockType.TABLE in {block.type for block in page.blocks}
    assert (page.warnings, page.quality) == ((), {})


def test_a_page_whose_layout_loses_text_is_given_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = page_layout.analyse

    def forgetful(raw: RawPage) -> list[Block]:
        """Lose the last row of each table."""
        blocks = usual(raw)
        return [msgspec.structs.replace(block, cells=block.cells[:-3]) for block in blocks]

    monkeypatch.setattr(page_layout, "analyse", forgetful)
    page = read(write_pdf(tmp_path / "a.pdf", table()))

    text = " ".join(block.text for block in page.blocks)
    assert all(cell in text for row in ROWS for cell in row)
    assert page.warnings == ("plain_layout",)
    assert page.quality == {"layout": "lines"}


def test_what_is_missing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_layout, "analyse", lambda _raw: [])
    monkeypatch.setattr(conservation, "lines_in_order", lambda _raw: [])

    page = read(write_pdf(tmp_path / "a.pdf", Sheet().text(72, 100, "Nine-teen letters here")))

    assert page.warnings == ("lost_characters",)
    assert page.quality == {"lost_characters": 19}


def test_characters_outside_the_page_are_counted(tmp_path: Path) -> None:
    page = read(write_pdf(tmp_path / "a.pdf", Sheet().text(72, 100, "inside").text(700, 100, "outside")))

    assert page.quality == {"off_page_characters": 7}


def test_a_letter_that_the_side_of_the_page_cuts_is_read(tmp_path: Path) -> None:
    sheet = Sheet().text(-9, 100, "Wide", size=11).text(606, 300, "WWW", size=11)

    page = read(write_pdf(tmp_path / "a.pdf", sheet))

    assert sorted(block.text for block in page.blocks) == ["W", "Wide"]
    assert page.quality == {"off_page_characters": 2}
    assert all(0 <= block.box.x0 < block.box.x1 <= page.width for block in page.blocks)


@pytest.mark.parametrize(
    ("visible", "written", "lost"),
    [
        ("atten-tion", "attention", 0),  # the hyphen of a line end
        ("ﬁsh", "fish", 0),
        ("1,234", "1,23", 1),
        ("aab", "ab", 1),
        ("𝑥𝑦", "𝑥", 1),
        ("水車水", "水車", 1),
    ],
)
def test_lost_characters_are_counted_by_kind(visible: str, written: str, lost: int) -> None:
    block = Block(BlockType.PARAGRAPH, Box(0, 0, 10, 10), written)

    assert conservation.lost_characters(visible, [block]) == lost


@pytest.mark.parametrize(
    ("font", "written", "lost"),
    [("Wingdings", "• Wheat • Rye", 0), ("Wingdings", "• Wheat Rye", 1), ("Helvetica", "• Wheat • Rye", 2)],
)
def test_a_bullet_stands_for_a_sign_of_a_symbol_font(font: str, written: str, lost: int) -> None:
    block = Block(BlockType.PARAGRAPH, Box(0, 0, 10, 10), written)
    runs = [TextRun("l", 0, 0, 5, 10, 10, False, False, style=TextStyle(font=font)) for _ in range(2)]

    assert conservation.lost_characters("lWheatlRye", [block], runs=runs) == lost


WORDS = [
    "mill",
    "weir",
    "1,204",
    "12.50",
    "No.",
    "¶",
    "§ 4",
    "ÄÖÜ",
    "(a)",
    "x²",
    "50 %",
    "…",
    "“so”",
    "Q1",
    "a",
    "–",
    "€ 7",
]
placed_words = st.lists(
    st.tuples(
        st.sampled_from(WORDS),
        st.integers(2, 34),
        st.integers(3, 48),
        st.sampled_from([7, 9, 11, 11, 11, 18]),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda word: (word[1] // 4, word[2]),
)
grids = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), max_size=2)


@settings(deadline=None, max_examples=60)
@given(placed_words, grids, st.sampled_from([0, 90, 180, 270]))
def test_every_drawn_character_is_in_the_blocks_once_at_least(
    tmp_path_factory: pytest.TempPathFactory,
    words: list[tuple[str, int, int, int, bool]],
    tables: list[tuple[int, int]],
    rotate: int,
) -> None:
    sheet = Sheet()
    for text, column, row, size, bold in words:
        sheet.text(16 * column, 15 * row, text, size=size, bold=bold)
    for number, (columns, rows) in enumerate(tables):
        top = 60 + 330 * number
        sheet.grid([60 + 110 * at for at in range(columns + 1)], [top + 30 * at for at in range(rows + 1)])

    page = read(write_pdf(tmp_path_factory.mktemp("drawn") / "a.pdf", sheet, rotate=rotate))

    found = "".join(
        part for block in page.blocks for part in (block.marker, block.text, *(c.text for c in block.cells))
    )
    drawn = Counter("".join(text for text, *_place in words))
    found_counts = Counter(found)
    assert {c: n for c, n in (drawn - found_counts).items() if c not in " -"} == {}
    assert "lost_characters" not in page.quality
