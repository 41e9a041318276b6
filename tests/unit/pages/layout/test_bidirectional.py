"""Lines as they are displayed, from the left edge, and how they are read. ``DISPLAYED`` follows UAX 9."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.layout.text.bidirectional import in_reading_order
from apps.pages.model.blocks import Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf

SAME_TOKENS = [
    ("םולש", "שלום"),
    ("ש 12 קרפ", "פרק 12 ש"),
    ("שדח Pdf רפס", "ספר Pdf חדש"),
    ("הרודהמ 5.3", "5.3 מהדורה"),
    ("hello world", "hello world"),
    # numbers with their signs
    ("הנשב 17.5% לש היילע", "עלייה של 17.5% בשנה"),
    ("טלפון"[::-1] + " 03-5051051", "03-5051051 טלפון"),
    ("ב 1,234.50₪ לש", "של 1,234.50₪ ב"),
    ("2013 דע 2017 תנש", "שנת 2017 עד 2013"),
    # units and names
    ("חק kg 25 לקשמ", "משקל 25 kg קח"),
    ("ה iPhone 15 לש", "של iPhone 15 ה"),
    ("ה OWASP Top 10 לש", "של OWASP Top 10 ה"),
    ("ה 2FA לש", "של 2FA ה"),
    ("ה 4.x לש", "של 4.x ה"),
    # brackets
    ("ב (XXE) א", "א (XXE) ב"),
    ("ב A4:2017-XML (XXE) א", "א A4:2017-XML (XXE) ב"),
    ("םולש (בוט) א", "א (טוב) שלום"),
    ("םולש )בוט( א", "א (טוב) שלום"),
    # Arabic: numbers after Arabic letters take no sign along
    ("%25 ةبسن", "نسبة 25%"),
    ("25% ةبسن", "نسبة 25%"),
    ("٪٢٥ ةبسن", "نسبة ٢٥٪"),
    ("٥١٦١ ددع", "عدد ٥١٦١"),
    ("۱۴۰۲/۰۵/۰۳ خیرات", "تاریخ ۱۴۰۲/۰۵/۰۳"),
    ("2021 – 2008 OWASP ةمظنمل", "لمنظمة OWASP 2008 – 2021"),
]


@pytest.mark.parametrize(("displayed", "read"), SAME_TOKENS)
def test_a_displayed_line_is_read_from_the_right(displayed: str, read: str) -> None:
    assert "".join(text for _place, text in in_reading_order(list(displayed))) == read


def test_every_character_is_read_once() -> None:
    displayed = "ב [f(x) 12.5%] kg 3 - (א) OWASP 2FA, ٢٥٪ 10"

    places = [place for place, _text in in_reading_order(list(displayed))]

    assert sorted(places) == list(range(len(displayed)))


def drawn_lines(path: Path, *lines: tuple[float, float, str]) -> list[str]:
    """Return the texts of a page with lines at these places, as they are displayed from the left."""
    letters = sorted(set("".join(text for _x, _top, text in lines)))
    drawing = Drawing(letters)
    for x, top, text in lines:
        drawing.draw(text, x, top)
    (page,) = read_pages(mapped_pdf(path, letters, {}, drawing.content()), [1])
    assert isinstance(page, Page)
    return [block.text for block in page.blocks]


@pytest.mark.parametrize("share", [1, 6])
def test_a_column_of_latin_text_beside_one_of_hebrew(tmp_path: Path, share: int) -> None:
    latin = ["The mill turns all day.", "2. It stops at night."]
    hebrew = " ".join(["שלום עולם"] * share)[::-1]
    lines = [(72, 100 + 40 * number, text) for number, text in enumerate(latin)]

    read = " ".join(drawn_lines(tmp_path / "a.pdf", *lines, *((330, top, hebrew[:30]) for _x, top, _text in lines)))

    assert latin[0] in read
    assert "It stops at night." in read
    assert "שלום עולם" in read
    assert ".2" not in read
