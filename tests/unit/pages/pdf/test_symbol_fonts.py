"""Fonts of symbols give the public characters, not the codes that programs write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.pages.model.blocks import Page
from apps.pages.pdf.fonts import symbol_fonts
from apps.pages.reading import page_reading
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf


@pytest.mark.parametrize(
    ("font", "written", "shown"),
    [
        ("Wingdings", 0xF0A7, "▪"),
        ("Wingdings-Regular", 0xF0FC, "✓"),
        ("Wingdings", 0x6C, "●"),
        ("SymbolMT", 0xF0B7, "•"),
        ("Symbol", 0xF061, "α"),
        ("Symbol", 0x61, "a"),
        ("Symbol", 0xF0FF, "\uf0ff"),
    ],
)
def test_codes_of_symbols(font: str, written: int, shown: str) -> None:
    characters = np.array([written], "u4")

    symbol_fonts.replace(characters, np.array([written & 0xFF]), np.array([0]), symbol_fonts.table_of(font))

    assert chr(characters[0]) == shown


@pytest.mark.parametrize("font", ["Calibri", "Wingdings2", "Wingdings 3", "SegoeUISymbol"])
def test_other_fonts_have_no_table(font: str) -> None:
    assert symbol_fonts.table_of(font) is None


@pytest.mark.parametrize(("font", "shown"), [("Wingdings", "Done ✓ today"), ("Any", "Done \uf0fc today")])
def test_a_symbol_among_words(tmp_path: Path, font: str, shown: str) -> None:
    characters = [*"Done \uf0fctady"]
    path = mapped_pdf(
        tmp_path / "a.pdf", characters, {}, Drawing(characters).draw("Done \uf0fc today", 72, 100).content()
    )
    named = Path(path).read_bytes().replace(b"/BaseFont/Any", b"/BaseFont/" + font.encode())
    Path(path).write_bytes(named)

    (page,) = page_reading.read_pages(path, [1])

    assert isinstance(page, Page)
    assert " ".join(block.text for block in page.blocks) == shown


def test_pieces_of_tall_brackets() -> None:
    pieces = [0xF8E6, 0xF8EB, 0xF8F1, 0xF8F5, 0xF8FE, 0xF8E5, 0xF8FF]

    assert [symbol_fonts.piece_of_bracket(piece) for piece in pieces] == [*map(ord, "⏐⎛⎧⎮⎭"), 0, 0]
