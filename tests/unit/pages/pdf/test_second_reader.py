"""Pages read by pdfminer give the same values as pages read by PDFium."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.model.errors import PageError
from apps.pages.model.raw_page import RawPage
from apps.pages.pdf.pdf_file import PdfFile
from apps.pages.pdf.text import second_reader
from apps.pages.pdf.text.characters import CharacterReader
from apps.pages.pdf.text.second_reader import second_runs
from apps.pages.reading import page_reading
from tests.unit.pages.columns_pdf import columns_pdf
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_both_readers_agree_on_texts_and_places(tmp_path: Path, rotate: int) -> None:
    sheet = (
        Sheet()
        .lines(72, 72, ["The mill stands at the weir", "Total due: 120.05 EUR"])
        .text(72, 150, "A title", size=20)
    )
    path = write_pdf(tmp_path / "mill.pdf", sheet, rotate=rotate)
    with PdfFile(path) as pdf:
        (first,) = pdf.pages([1])
    assert isinstance(first, RawPage)

    # PDFium sorts the objects of a turned page.
    second = sorted(second_runs(path, None, 1), key=lambda run: run.text)
    first.runs.sort(key=lambda run: run.text)

    assert [run.text for run in second] == [run.text for run in first.runs]
    assert [run.angle for run in second] == [run.angle for run in first.runs]
    for ours, theirs in zip(second, first.runs, strict=True):
        assert (ours.x0, ours.top, ours.x1) == pytest.approx((theirs.x0, theirs.top, theirs.x1), abs=6)
        assert ours.size == pytest.approx(theirs.size)


def test_a_page_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "mill.pdf", Sheet().text(72, 72, "one page"))

    with pytest.raises(PageError):
        second_runs(path, None, 2)


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_bytes(b"%PDF-1.7\nnothing")

    with pytest.raises(PageError):
        second_runs(str(tmp_path / "bad.pdf"), None, 1)


def test_glyphs_drawn_below_each_other_are_columns_from_the_right(tmp_path: Path) -> None:
    path = columns_pdf(tmp_path / "columns.pdf", "いつもおせわに", "なっております")

    runs = second_runs(path, None, 1, turned=90)

    assert [(run.text, run.angle) for run in runs] == [("いつもおせわに", 0), ("なっております", 0)]
    assert runs[0].bottom <= runs[1].top


@pytest.mark.parametrize(("given", "asked"), [("A", [1]), ("\0\t", []), (" \x0b", []), ("\xad", [])])
def test_a_group_without_visible_text_needs_no_second_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, asked: list[int]
) -> None:
    letters = [*"The mil"]
    drawing = Drawing(letters).draw("The mill", 72, 100).mark(given).content()
    path = mapped_pdf(tmp_path / "a.pdf", letters, {}, f"{drawing} BT /F1 11 Tf 300 500 Td <0000> Tj ET EMC")
    pages: list[int] = []

    def second_characters(*_: object) -> None:
        pages.append(1)
        raise PageError

    monkeypatch.setattr(CharacterReader, "has_silent_fonts", lambda *_: False)
    monkeypatch.setattr(second_reader, "second_characters", second_characters)
    list(page_reading.read_pages(path, [1]))

    assert pages == asked
