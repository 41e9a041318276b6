"""A Korean font whose map has a rare syllable after each gap of the standard gives the usual syllables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apps.pages.model.blocks import Page
from apps.pages.pdf.fonts.hangul_maps import standard_syllables
from apps.pages.reading import page_reading
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf

TEXT = "간단한 절차가 존재하며 신뢰를 구축하기 위한 기간과 활동을 지원하는 문서는 이 안에 있다"


def read(path: Path, characters: Sequence[str], mapped: Sequence[str]) -> str:
    content = Drawing(characters).draw(TEXT, 30, 100).content()
    (page,) = page_reading.read_pages(mapped_pdf(path, mapped, {" ": 250}, content), [1])
    assert isinstance(page, Page)
    return " ".join(block.text for block in page.blocks)


def test_syllables_after_a_gap_of_the_standard(tmp_path: Path) -> None:
    glyphs = [" ", *map(chr, standard_syllables().tolist())]
    wrong = {"간": "갂", "절": "젃", "존": "졲", "신": "싞", "활": "홗"}

    assert read(tmp_path / "a.pdf", glyphs, [wrong.get(glyph, glyph) for glyph in glyphs]) == TEXT


def test_a_font_in_another_order_keeps_its_rare_syllables(tmp_path: Path) -> None:
    glyphs = [" ", *sorted(set(TEXT) - {" "}, reverse=True)]

    assert read(tmp_path / "a.pdf", glyphs, ["갂" if glyph == "간" else glyph for glyph in glyphs]) == TEXT.replace(
        "간", "갂"
    )
