"""Words come apart where a reader sees a gap, with or without a blank in the file, and nowhere else."""

from __future__ import annotations

import math
from pathlib import Path

import pikepdf
import pytest

from apps.pages.model.blocks import Page
from apps.pages.reading import page_reading
from apps.pages.sandbox.preload import assembled_pdf
from tests.unit.pages.mapped_pdf import Drawing, mapped_pdf
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


def text_of(path: Path, operators: str) -> str:
    sheet = Sheet().raw(b"BT /F0 10 Tf 72 700 Td %s ET" % operators.encode())
    (page,) = page_reading.read_pages(write_pdf(path, sheet), [1])
    assert isinstance(page, Page)
    return " ".join(block.text for block in page.blocks)


@pytest.mark.parametrize("gap", [90, 100, 130, 160, 280, 500])
def test_words_set_apart_without_blanks(tmp_path: Path, gap: int) -> None:
    words = ["This", "chapter", "deals", "with", "the", "graphical", "user", "interface", "of", "it"]

    read = text_of(tmp_path / "a.pdf", "[" + f" {-gap} ".join(f"({word})" for word in words) + "] TJ")

    assert read == " ".join(words)


@pytest.mark.parametrize("kern", [-80, -40, 60, 75])
def test_kerned_letters_stay_in_their_word(tmp_path: Path, kern: int) -> None:
    read = text_of(tmp_path / "a.pdf", f"[(T) {kern} (o the w) {-kern} (ard of V) {kern} (ienna)] TJ")

    assert read == "To the ward of Vienna"


def test_a_blank_that_the_file_omits_beside_blanks_it_has(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.pdf", "[(received all) -226 (external requests) -226 (in the) -226 (office)] TJ") == (
        "received all external requests in the office"
    )


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ("3 Tc (Lorem ipsum) Tj", "Lorem ipsum"),
        ("4 Tc [(ANNUAL) -300 (REPORT)] TJ", "ANNUAL REPORT"),
        ("4 Tc [(A) 60 (VENUE) -350 (GRAND)] TJ", "AVENUE GRAND"),
        ("1 Tc (Wide text) Tj", "Wide text"),
        ("10 Tc (ANNUAL REPORT) Tj", "ANNUAL REPORT"),
    ],
)
def test_spaced_letters_are_words(tmp_path: Path, operators: str, expected: str) -> None:
    assert text_of(tmp_path / "a.pdf", operators) == expected


@pytest.mark.parametrize("degrees", [15, 45, 60, -45, 135])
@pytest.mark.parametrize(
    "shown",
    [
        "(How will my text be found when turned) Tj",
        "[(How) -280 (will) -280 (my) -280 (text) -280 (be) -280 (found) -280 (when) -280 (turned)] TJ",
    ],
)
def test_words_of_slanted_text(tmp_path: Path, degrees: int, shown: str) -> None:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))

    read = text_of(tmp_path / "a.pdf", f"{cosine:.4f} {sine:.4f} {-sine:.4f} {cosine:.4f} 300 400 Tm {shown}")

    assert read == "How will my text be found when turned"


def glyph_by_glyph(text: str, spacing: float, word_space: float) -> str:
    """Operators that show each letter by itself; blanks are moves of the pen."""
    return " ".join(
        f"[{-100 * word_space:g}] TJ" if letter == " " else f"({letter}) Tj [{-100 * spacing:g}] TJ" for letter in text
    )


@pytest.mark.parametrize(
    ("spacing", "word_space"), [(2.7, 5.5), (4, 6), (6.4, 5), (6.9, 6)], ids=["close", "wide", "wider", "widest"]
)
def test_short_words_of_spaced_letters(tmp_path: Path, spacing: float, word_space: float) -> None:
    text = "DOLOR SIT AMET ON THE DAY"

    assert text_of(tmp_path / "a.pdf", glyph_by_glyph(text, spacing, word_space)) == text


def test_leaders_do_not_join_the_words_before_them(tmp_path: Path) -> None:
    leader = " [-278] TJ ".join(["(.) Tj"] * 40)
    read = text_of(
        tmp_path / "a.pdf", f"(1.1) Tj [-278] TJ (The) Tj [-278] TJ (weir) Tj [-360] TJ {leader} [-2080] TJ (4) Tj"
    )

    assert read.startswith("1.1 The weir")


def test_single_letters_at_even_places_stay_apart(tmp_path: Path) -> None:
    read = text_of(tmp_path / "a.pdf", " ".join(f"({letter}) Tj 30 0 Td" for letter in "AIMJSR"))

    assert read.split() == list("AIMJSR")


@pytest.mark.parametrize("font", ["F0", "F2"])
def test_signs_at_even_places_near_each_other_stay_apart(tmp_path: Path, font: str) -> None:
    read = text_of(tmp_path / "a.pdf", f"/{font} 10 Tf " + " ".join(f"({sign}) Tj 12 0 Td" for sign in "0123456"))

    assert read.split() == list("0123456")


def test_the_glyph_of_a_blank_in_a_font_without_a_map(tmp_path: Path) -> None:
    shown = b"BT /F 12 Tf 72 700 Td <002400250003002600030027> Tj ET"
    path = tmp_path / "a.pdf"
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(shown), shown),
            b"<</Type/Font/Subtype/Type0/BaseFont/Arial/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Arial/DW 600/CIDToGIDMap/Identity"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
        )
    )

    (page,) = page_reading.read_pages(str(path), [1])

    assert isinstance(page, Page)
    assert [len(word) for word in page.blocks[0].text.split(" ")] == [2, 1, 1]


def test_characters_of_two_bytes_in_a_font_of_one(tmp_path: Path) -> None:
    read = text_of(tmp_path / "a.pdf", f"<{'Ready'.encode('utf-16-be').hex()}> Tj")

    assert read == "Ready"


def test_words_over_the_end_of_others_stay_apart(tmp_path: Path) -> None:
    read = text_of(tmp_path / "a.pdf", "(Once upon a time there) Tj 88 0 Td (was a king) Tj")

    assert read == "Once upon a time there was a king"


def test_labels_with_decimals_near_each_other_are_two_numbers(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.pdf", "(73.8) Tj /F1 10 Tf 20 0 Td (74.6) Tj") == "73.8 74.6"


def test_a_number_in_two_weights_is_one(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.pdf", "(73.8) Tj /F1 10 Tf 19.5 0 Td (42) Tj") == "73.842"


@pytest.mark.parametrize(("blank", "expected"), [(" ", "存在的 FOSS 政策"), ("", "存在的FOSS政策")])
def test_a_blank_of_its_own_beside_ideographs(tmp_path: Path, blank: str, expected: str) -> None:
    characters = [*"存在的FOS 政策"]
    drawing = Drawing(characters).draw("存在的", 72, 100)
    if blank:
        drawing.draw(blank, 108, 100)
    drawing.draw("FOSS", 111, 100)
    if blank:
        drawing.draw(blank, 135, 100)
    drawing.draw("政策", 138, 100)
    path = mapped_pdf(tmp_path / "a.pdf", characters, dict.fromkeys("存在的政策", 1000) | {" ": 250}, drawing.content())

    (page,) = page_reading.read_pages(path, [1])

    assert isinstance(page, Page)
    assert " ".join(block.text for block in page.blocks) == expected


def test_korean_words_of_one_syllable(tmp_path: Path) -> None:
    shown = "둘 중 더 긴 것을"
    characters = [*dict.fromkeys(shown.replace(" ", ""))]
    drawing, x = Drawing(characters), 72.0
    for word in shown.split():
        drawing.draw(word, x, 100)
        x += 12 * len(word) + 5.9

    path = mapped_pdf(tmp_path / "a.pdf", characters, dict.fromkeys(characters, 1000), drawing.content())
    (page,) = page_reading.read_pages(path, [1])

    assert isinstance(page, Page)
    assert [block.text for block in page.blocks] == [shown]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_words_whose_letters_reach_into_the_gap(tmp_path: Path, turn: int) -> None:
    characters, words = [*"aWM"], ["aWW", "WMa", "aMa", "MWW"]
    drawing = Drawing(characters)
    for number, word in enumerate(words):
        # Glyphs of W and M are far wider than the file says.
        drawing.draw(word, 72 + 20.5 * number, 100, size=12)
    path = mapped_pdf(tmp_path / "a.pdf", characters, {"W": 480, "M": 480}, drawing.content())
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].rotate(turn, relative=False)
        pdf.save(path)

    (page,) = page_reading.read_pages(path, [1])

    assert isinstance(page, Page)
    assert " ".join(block.text for block in page.blocks) == " ".join(words)


@pytest.mark.parametrize("pitch", [12.5, 12.7])
def test_signs_of_a_table_stay_apart(tmp_path: Path, pitch: float) -> None:
    widths = {"a": 5.56, "b": 5.56, "c": 5, "d": 5.56, "e": 5.56, "f": 2.78, "g": 5.56, "h": 5.56, "i": 2.22}
    places = [72 + pitch * number - width / 2 for number, width in enumerate(widths.values())]
    shown = " ".join(f"1 0 0 1 {x:.2f} 700 Tm ({sign}) Tj" for x, sign in zip(places, widths, strict=True))

    assert text_of(tmp_path / "a.pdf", shown).split() == list(widths)


def test_letters_of_a_rising_word_in_two_colours(tmp_path: Path) -> None:
    turned = "0.9976 0.0689 -0.0689 0.9976"

    first = f"{turned} 401.3 703 Tm 1 0 0 rg (t) Tj 0 g"

    read = text_of(tmp_path / "a.pdf", f"/F0 44 Tf {first} {turned} 372 701 Tm (S) Tj {turned} 413.6 703.9 Tm (op) Tj")

    assert read == "Stop"
