"""Texts of scripts with marks, joined letters or phrases, as a user gets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.pages.layout.text import right_to_left
from apps.pages.model.blocks import Page
from apps.pages.model.raw_page import Char, TextRun
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf

THAI_MARKS = {"่": 0, "้": 0, "ื": 0}


def text_of(path: str) -> str:
    (page,) = read_pages(path, [1])
    assert isinstance(page, Page)
    return "\n".join(block.text for block in page.blocks)


def test_a_letter_and_its_mark_with_one_text_come_once(tmp_path: Path) -> None:
    letters = ["ว", "่", "า", "ใ", "ห"]
    drawing = Drawing(letters).draw("ให", 72, 72)
    # Writers place a mark after the letters that follow.
    drawing.mark("ว่").draw("ว", 84, 72).draw("่", 89, 72).end().draw("า", 90, 72)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, THAI_MARKS, drawing.content())) == "ใหว่า"


def test_the_blank_between_phrases_stays_and_words_have_none(tmp_path: Path) -> None:
    letters = ["ก", "า", "ร"]
    drawing = Drawing(letters).draw("การ", 72, 72).draw("การ", 90.5, 72).draw("การ", 112, 72)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, {}, drawing.content())) == "การการ การ"


def test_lines_of_thai_are_joined_without_blanks(tmp_path: Path) -> None:
    letters = ["ก", "า", "ร"]
    drawing = Drawing(letters)
    for line in range(3):
        drawing.draw("การ" * 10, 72, 72 + 16 * line)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, {}, drawing.content())) == "การ" * 30


def test_a_ligature_without_a_character_is_read_by_its_text(tmp_path: Path) -> None:
    letters = ["o", "\ue001", "c", "e"]
    drawing = Drawing(letters).draw("o", 72, 72).draw("\ue001", 78, 72, actual="ffi").draw("ce", 84, 72)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, {}, drawing.content())) == "office"


def test_korean_keeps_its_blanks(tmp_path: Path) -> None:
    letters = ["한", "국", "어", " "]
    drawing = Drawing(letters).draw("한국", 72, 72).draw("어한", 96, 72).draw("국 어", 120, 72).draw("한국", 151, 72)
    widths = dict.fromkeys(letters[:3], 1000) | {" ": 250}

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, widths, drawing.content())) == "한국어한국 어 한국"


def test_lines_of_korean_are_joined_with_blanks(tmp_path: Path) -> None:
    letters = ["한", "국", "어", " "]
    drawing = Drawing(letters)
    for line in range(2):
        drawing.draw("한국어 " * 9 + "한국어", 72, 72 + 16 * line)
    widths = dict.fromkeys(letters[:3], 1000) | {" ": 250}

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, widths, drawing.content())) == " ".join(["한국어"] * 20)


def test_short_words_of_hindi_are_no_letters_set_apart(tmp_path: Path) -> None:
    letters = [*dict.fromkeys("यहचककनदसल")]
    drawing = Drawing(letters)
    x = 72.0
    for word in ("यह", "च", "क", "न", "द", "सल", "स", "ह"):
        drawing.draw(word, x, 72)
        x += 6 * len(word) + 2.8

    found = text_of(mapped_pdf(tmp_path / "a.pdf", letters, {}, drawing.content()))

    assert found == "यह च क न द सल स ह"


HEBREW = [*"שלוםעיהבנדכחמקט", *"0123456789", "%", "(", ")", "k", "g", " ", "."]


def hebrew_line(tmp_path: Path, displayed: str) -> str:
    """Return the text of a line drawn from the left edge in the order of display."""
    drawing = Drawing(HEBREW).draw("שלום", 500, 72).draw(displayed, 72, 90)
    return text_of(mapped_pdf(tmp_path / "a.pdf", HEBREW, {}, drawing.content()))


def test_a_percentage_in_hebrew_keeps_its_sign(tmp_path: Path) -> None:
    assert "עליה של 17.5% כל חדש" in hebrew_line(tmp_path, "שדח לכ 17.5% לש הילע")


def test_a_unit_in_hebrew_follows_its_number(tmp_path: Path) -> None:
    assert "משקל 25 kg חדש" in hebrew_line(tmp_path, "שדח kg 25 לקשמ")


def test_brackets_in_hebrew_open_before_they_close(tmp_path: Path) -> None:
    assert "שלום (חדש) לכל" in hebrew_line(tmp_path, "לכל (שדח) םולש")


def test_a_ligature_of_arabic_is_read_from_its_first_letter(tmp_path: Path) -> None:
    letters = ["ا", "لا", "خ", "ر", "و", "ن", " ", "م"]
    # From the left edge, as it is displayed.
    drawing = Drawing(letters).draw(["م", "ن", " ", "ن", "و", "ر", "خ", "لا", "ا"], 72, 72)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, {}, drawing.content())) == "الاخرون نم"


@pytest.mark.parametrize(("blank", "read"), [(" ", "בית גדול"), ("", "ביתגדול")])
def test_a_narrow_blank_of_its_own_between_hebrew_words(tmp_path: Path, blank: str, read: str) -> None:
    letters = [*dict.fromkeys("ביתגדול"), " "]
    drawing = Drawing(letters).draw("תיב", 97.5, 72)
    if blank:
        drawing.draw(blank, 96, 72)
    drawing.draw("לודג", 72, 72)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, {" ": 125}, drawing.content())) == read


def test_a_narrow_blank_of_its_own_in_a_line_upside_down(tmp_path: Path) -> None:
    letters = [*dict.fromkeys("ביתגדול"), " "]
    drawing = Drawing(letters).draw("תיב", 97.5, 72).draw(" ", 96, 72).draw("לודג", 72, 72)
    content = f"q -1 0 0 -1 612 792 cm {drawing.content()} Q"

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, {" ": 125}, content)) == "בית גדול"


@pytest.mark.parametrize("before", ["kg", "25"])
def test_a_narrow_gap_between_hebrew_and_what_is_written_to_the_right_parts_words(before: str) -> None:
    chars: list[Char] = []
    x = 72.0
    for character in f"שדח לכ|{before}":
        width = 3.0 if character == "|" else 6.0  # a gap that has no blank in the file
        if character != "|":
            chars.append(Char(character, x, 72, x + width, 84))
        x += width
    row = [TextRun(f"שדח לכ{before}", 72, 72, x, 84, 12.0, False, False)]

    assert [run.text for run in right_to_left.rebuild_runs(row, chars)] == [f"{before} כל חדש"]


def test_a_blank_without_the_gap_of_one_joins_the_parts_of_a_persian_word(tmp_path: Path) -> None:
    letters = [*dict.fromkeys("درخیمگ"), " "]
    drawing = Drawing(letters).draw("درخ", 72, 72).draw(" ", 90, 72).draw("یم", 91.5, 72).draw(" ", 103.5, 72)
    drawing.draw("گرد", 109.5, 72)

    found = text_of(mapped_pdf(tmp_path / "a.pdf", letters, {" ": 125}, drawing.content()))

    assert found == "درگ می\u200cخرد"


def test_latin_letters_set_apart_from_ideographs_have_no_blank(tmp_path: Path) -> None:
    letters = [*"年に始", *"2013"]
    drawing = Drawing(letters).draw("2013", 72, 72).draw("年に始", 99, 72)
    wide = dict.fromkeys("年に始", 1000)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, wide, drawing.content())) == "2013年に始"


def test_latin_letters_set_apart_from_hangul_have_no_blank(tmp_path: Path) -> None:
    letters = [*"년월", *"2013"]
    drawing = Drawing(letters).draw("2013", 72, 72).draw("년", 99, 72).draw("13", 115, 72).draw("월", 130, 72)
    wide = dict.fromkeys("년월", 1000)

    assert text_of(mapped_pdf(tmp_path / "a.pdf", letters, wide, drawing.content())) == "2013년 13월"
