"""Text that is drawn twice, to be bold or to have a shadow, is read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


def page_of(path: Path, sheet: Sheet) -> Page:
    (page,) = read_pages(write_pdf(path, sheet), [1])
    assert isinstance(page, Page)
    return page


def text_of(page: Page) -> str:
    return " ".join(block.text for block in page.blocks)


@pytest.mark.parametrize(("aside", "down"), [(1.1, 0), (1.1, 1.1), (-1.1, 1.8)])
def test_letters_that_are_each_drawn_twice(tmp_path: Path, aside: float, down: float) -> None:
    sheet = Sheet()
    for moved_aside, moved_down in ((0.0, 0.0), (aside, down)):
        for number, letter in enumerate("Lac Breton"):
            if letter != " ":
                sheet.text(72 + 9 * number + moved_aside, 100 + moved_down, letter, size=12)

    page = page_of(tmp_path / "a.pdf", sheet)

    assert text_of(page).replace(" ", "") == "LacBreton"
    assert page.quality == {"doubled_characters": 9}


def test_a_line_that_is_drawn_again_after_other_text(tmp_path: Path) -> None:
    sheet = Sheet().text(72, 100, "Total due in April")
    sheet.lines(72, 300, ["One", "Two", "Three", "Four", "Five", "Six"], step=60)
    sheet.text(72.9, 101.2, "Total due in April")

    page = page_of(tmp_path / "a.pdf", sheet)

    assert [block.text for block in page.blocks] == ["Total due in April", "One", "Two", "Three", "Four", "Five", "Six"]
    assert page.quality["doubled_characters"] == 15


def test_other_text_over_a_line_is_kept(tmp_path: Path) -> None:
    page = page_of(tmp_path / "a.pdf", Sheet().text(72, 100, "Bill of lading").text(72.5, 100, "Bill for Peter"))

    assert sorted(text_of(page).replace(" ", "")) == sorted("BillofladingBillforPeter")
    assert "doubled_characters" not in page.quality


def test_equal_letters_beside_each_other_are_kept(tmp_path: Path) -> None:
    page = page_of(tmp_path / "a.pdf", Sheet().text(72, 100, "illicit ||| ... iii", size=9))

    assert text_of(page) == "illicit ||| ... iii"
    assert page.quality == {}
