"""Columns from the right and rows from the top, on one page or on two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from apps.pages.model.blocks import Page
from apps.pages.pdf.text.character_records import RECORD
from apps.pages.pdf.text.characters import CharacterReader, Characters, Frame
from apps.pages.reading.page_reading import read_pages
from apps.pages.sandbox.preload import assembled_pdf
from tests.unit.pages.columns_pdf import Letters, columns_pdf, letters_pdf
from tests.unit.pages.conftest import Outputs


def page_of(path: str) -> Page:
    (page,) = read_pages(path, [1])
    assert isinstance(page, Page)
    return page


def text_of(page: Page) -> str:
    return "\n".join(block.text for block in page.blocks)


def test_columns_of_single_glyphs_are_read_from_the_right(tmp_path: Path) -> None:
    page = page_of(columns_pdf(tmp_path / "a.pdf", "いつもおせわに", "なっております"))

    assert text_of(page) == "いつもおせわになっております"


def test_a_page_in_columns_is_not_a_turned_page(tmp_path: Path) -> None:
    page = page_of(columns_pdf(tmp_path / "a.pdf", "いつもおせわに", "なっております"))

    assert (page.rotation, page.width, page.height) == (0, 595, 842)
    (block,) = page.blocks
    assert block.box.x0 < 480 < block.box.x1
    assert block.box.bottom < 220


def test_numbers_set_across_a_column_stay_in_their_place(tmp_path: Path) -> None:
    column = [Letters("平成", 500, 90), Letters("12", 500, 126, size=7, down=False), Letters("年四月", 500, 140)]

    page = page_of(letters_pdf(tmp_path / "a.pdf", *column, Letters("会議の議事録", 460, 90)))

    assert "平成12年四月" in text_of(page)


def test_a_headline_across_the_columns_comes_first(tmp_path: Path) -> None:
    headline = Letters("本日の大きな知らせ", 100, 40, size=24, down=False)
    columns = [Letters("川の水が増えて橋が流れた", 500 - 24 * n, 90) for n in range(4)]

    page = page_of(letters_pdf(tmp_path / "a.pdf", *columns, headline))

    assert page.blocks[0].text == "本日の大きな知らせ"
    assert page.rotation == 0
    assert text_of(page).count("川の水が増えて橋が流れた") == 4


def test_a_heading_in_columns_is_a_heading(tmp_path: Path) -> None:
    columns = [Letters("川の水が増えて橋が流れた。", 460 - 24 * n, 90) for n in range(6)]
    page = page_of(letters_pdf(tmp_path / "a.pdf", Letters("大きな見出し", 500, 90, size=28), *columns))

    assert Outputs([page]).markdown.startswith("# 大きな見出し")


def test_rows_stay_rows(tmp_path: Path) -> None:
    rows = [Letters("川の水が増えて橋が流れた", 72, 90 + 16 * n, down=False) for n in range(4)]

    page = page_of(letters_pdf(tmp_path / "a.pdf", *rows))

    assert text_of(page).replace(" ", "") == "川の水が増えて橋が流れた" * 4


def test_text_in_fonts_that_are_missing_is_read_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether PDFium finds such a font depends on the machine.
    monkeypatch.setattr(CharacterReader, "has_silent_fonts", lambda *_: True)

    def read_nothing(reader: CharacterReader, page: int, text_page: int, frame: Frame, **_: object) -> Characters:
        return reader._characters(text_page, np.zeros(0, RECORD), np.zeros(0, int), frame)

    monkeypatch.setattr(CharacterReader, "read", read_nothing)

    page = page_of(columns_pdf(tmp_path / "a.pdf", "いつもおせわに"))

    assert text_of(page) == "いつもおせわに"
    assert page.warnings == ("fonts_missing",)


def vertical_font(path: Path, places: Sequence[tuple[str, float, float]]) -> str:
    """A page whose font writes downwards; each letter is placed by itself, from the left and the bottom."""
    shown = "\n".join(
        f"BT /F 12 Tf 1 0 0 1 {x:g} {y:g} Tm <{ord(letter):04X}> Tj ET" for letter, x, y in places
    ).encode()
    codes = sorted({letter for letter, _, _ in places})
    mapped = b"\n".join(b"<%04X> <%04X>" % (ord(letter), ord(letter)) for letter in codes)
    to_unicode = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /A def /CMapType 2 def\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n%d beginbfchar\n%s\nendbfchar\n"
        b"endcmap CMapName currentdict /CMap defineresource pop end end" % (len(codes), mapped)
    )
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
            b"<</Type/Font/Subtype/Type0/BaseFont/Any/Encoding/Identity-V/DescendantFonts[6 0 R]/ToUnicode 8 0 R>>",
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Any/FontDescriptor 7 0 R/DW 600/DW2[880 -1000]"
            b"/CIDToGIDMap/Identity/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
            b"<</Type/FontDescriptor/FontName/Any/Flags 4/FontBBox[0 -250 1000 900]/ItalicAngle 0"
            b"/Ascent 900/Descent -250/CapHeight 700/StemV 80>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(to_unicode), to_unicode),
        )
    )
    return str(path)


def test_a_vertical_font_in_lines_that_run_to_the_right(tmp_path: Path) -> None:
    lines = ["NOTICE OF A HEARING", "to be held in April"]
    places = [
        (letter, 72 + 7.5 * at, 700 - 16 * number)
        for number, line in enumerate(lines)
        for at, letter in enumerate(line)
        if letter != " "
    ]

    page = page_of(vertical_font(tmp_path / "a.pdf", places))

    assert text_of(page).split() == " ".join(lines).split()
    assert page.rotation == 0


def test_a_vertical_font_in_columns(tmp_path: Path) -> None:
    places = [(letter, 300, 700 - 12 * at) for at, letter in enumerate("いつもおせわになっております")]

    page = page_of(vertical_font(tmp_path / "a.pdf", places))

    assert text_of(page) == "いつもおせわになっております"
