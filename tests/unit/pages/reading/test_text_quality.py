"""Text layers that differ from the text of their page are not trusted, and no text is lost silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.pages.layout.quality.garbled_text import is_garbled
from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord
from apps.pages.pdf.text.characters import CharacterReader, Characters
from apps.pages.reading.page_reading import read_pages
from apps.pages.sandbox.preload import assembled_pdf
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

LINES = [
    "The river mill has stood at the weir for three hundred years and its",
    "wheel still turns every working day of the week although the miller",
    "now sells most of the flour to the bakers of the town.",
]


def read(path: str) -> Page:
    (page,) = read_pages(path, [1])
    assert isinstance(page, Page)
    return page


def text_of(page: Page) -> str:
    return " ".join(block.text for block in page.blocks)


def recognized(*texts: str) -> Recognition:
    lines = []
    for number, text in enumerate(texts):
        top = 100.0 + 16 * number
        places = range(50, 650, 60)
        words = tuple(
            RecognizedWord(word, x, top, x + 50, top + 12, 0.9) for x, word in zip(places, text.split(), strict=False)
        )
        lines.append(RecognizedLine(words, Box(50, top, words[-1].x1, top + 12), 0.9))
    return Recognition(tuple(lines), (), 612.0, 792.0, 0, 0.0, "test", "1", ("en",), 0.9, 0.1, ())


def test_a_line_of_control_characters_does_not_cost_the_page(tmp_path: Path) -> None:
    sheet = Sheet().text(72, 100, LINES[0])
    sheet.raw(rb"BT /F0 11 Tf 72 670 Td (\004\005\010) Tj ET")
    sheet.lines(72, 130, LINES[1:])

    page = read(write_pdf(tmp_path / "a.pdf", sheet))

    assert text_of(page).split() == " ".join(LINES).split()
    assert page.needs_ocr == ""
    assert "text_cleaned" in page.warnings


def test_a_page_of_control_characters_goes_to_ocr(tmp_path: Path) -> None:
    sheet = Sheet()
    for number in range(20):
        codes = b"".join(rb"\%03o" % (1 + (7 * number + 3 * at) % 31) for at in range(40))
        sheet.raw(b"BT /F0 11 Tf 72 %d Td (%s) Tj ET" % (700 - 14 * number, codes))

    page = read(write_pdf(tmp_path / "a.pdf", sheet))

    assert page.needs_ocr == "garbled_text"
    assert "text_unreliable" in page.warnings


def suspected() -> Page:
    box = Box(50, 100, 500, 150)
    block = Block(BlockType.PARAGRAPH, box, " ".join(LINES))
    return Page(1, 612.0, 792.0, (block,), needs_ocr="garbled_text", warnings=("text_unreliable",))


def test_a_suspected_text_layer_is_kept_when_the_picture_says_the_same() -> None:
    page = apply_recognition(suspected(), recognized(*LINES[:2], "now seIls most of the fIour to"))

    assert text_of(page) == " ".join(LINES)
    assert (page.needs_ocr, page.warnings) == ("", ())


def test_a_text_layer_of_which_a_part_is_garbled_is_replaced() -> None:
    block = Block(BlockType.PARAGRAPH, Box(50, 100, 500, 150), f"{LINES[0]} {rotated(' '.join(LINES[1:]), 1)}")
    page = apply_recognition(msgspec.structs.replace(suspected(), blocks=(block,)), recognized(*LINES))

    assert "most of the flour" in text_of(page)


def test_a_text_layer_that_contradicts_the_picture_is_replaced() -> None:
    page = msgspec.structs.replace(
        suspected(), warnings=("text_unreliable", "lost_characters"), quality={"lost_characters": 3}
    )

    found = apply_recognition(page, recognized("Payment is due within thirty days of the delivery."))

    assert text_of(found) == "Payment is due within thirty days of the delivery."
    assert (found.needs_ocr, found.warnings, found.quality) == ("", (), {})


@pytest.mark.parametrize("text", ["", "\N{REPLACEMENT CHARACTER}"])
def test_a_suspected_text_layer_keeps_its_warning_when_ocr_reads_nothing(text: str) -> None:
    page = msgspec.structs.replace(suspected(), blocks=(Block(BlockType.PARAGRAPH, Box(50, 100, 500, 150), text),))

    found = apply_recognition(page, msgspec.structs.replace(recognized("x"), lines=()))

    assert (text_of(found), found.needs_ocr, found.warnings) == (text, "", ("text_unreliable",))


ENGLISH = (
    "The mill keeps a record of every sack that leaves the yard. The carter signs for the sacks and the clerk writes "
    "the weight. At the end of the quarter the balance is sent to the owner. Payment is due within thirty days."
)
CZECH = "Mlýn stojí u jezu už tři sta let a jeho kolo se stále otáčí každý pracovní den, i když mlynář prodává mouku."


RUSSIAN = (
    "мельница стоит у плотины уже триста лет и её колесо вращается каждый рабочий день хотя мельник продаёт большую "
    "часть муки пекарям города"
)


def moved(text: str, by: int) -> str:
    """Return a text of small Cyrillic letters with each replaced by a later one, from я to а."""
    letters = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
    return text.translate(str.maketrans(letters, letters[by:] + letters[:by]))


def shifted(text: str, by: int) -> str:
    """Return the text with each letter moved along the character set; blanks stay."""
    return "".join(" " if character == " " else chr(ord(character) + by) for character in text)


def rotated(text: str, by: int) -> str:
    """Return the text with each letter replaced by a later one, from z to a."""
    small = "abcdefghijklmnopqrstuvwxyz"
    later = small[by:] + small[:by]
    return text.translate(str.maketrans(small + small.upper(), later + later.upper()))


def permuted(text: str) -> str:
    """Return the text with each letter replaced by one of another kind."""
    return text.lower().translate(str.maketrans("etaoinshrdlucmfwypvbgkjqxz", "qxzjkvbpygfwmucldrhsniotae"))


@pytest.mark.parametrize(
    "text",
    [
        *(rotated(ENGLISH, by) for by in (1, 13, 25)),
        shifted(ENGLISH, -29),  # glyph numbers of common fonts
        shifted(ENGLISH, 1),
        permuted(ENGLISH * 2),
        "Ìåëüíèöà ñòîèò ó ïëîòèíû óæå òðèñòà ëåò, è å¸ êîëåñî âð\xe0ùàåòñÿ",  # Cyrillic read as Latin
        "ɍɝɥɨɜɚɹ ɲɥɢɮɨɜɚɥɶɧɚɹ ɦɚɲɢɧɚ",
        "0SVIQMTWYQ HSPSVWMXEQIX GSRWIGXIXYV EHMTMWGMRK IPMX",  # few letters, moved along the character set
        "ČãþĜåêitpċâýěäéÈËe ċâýěäéÈËeČãþĜåêitp",
        moved(RUSSIAN, 7),
        "□□□ □□□□□ □□□□ □□□ □□□□□ □□ □□□ □□□□ □□□ □□□□□ □□□□□□□",
        "?!%& ;:<>= @[]{} ^~|# $*+-/ (!)&% >;=<: }{][@ #|~^ !?&%; <=>:",
        "ଋҨƹԱକҨǥ ҨଋǥƹԱ କƹҨଋ ǥԱҨକ ƹଋҨ",
    ],
)
def test_text_in_wrong_letters_is_garbled(text: str) -> None:
    assert is_garbled(text)


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        ENGLISH.upper(),
        CZECH,
        "CWE-79 CWE-89 CWE-352 NCLB NCLB IASA BTEX HTTP XML SOAP XXE XSS SQL TLS " * 4,
        "for (size_t i = 0; i < strlen(src); i++) { dst[i] = tmp[i]; fprintf(stdout, ptr); } " * 4,
        "XXXXXXXX LLC Lic. # XXXXXXXX Underwritten by XXXXXXXX Insurance Company XXXXXXXXXXXXXXXXX " * 2,
        "Vlk zmrzl, zhltl hrst zrn. Strč prst skrz krk. " * 4,
        "Мельница стоит у плотины уже триста лет, и её колесо вращается каждый рабочий день.",
        "OWASP Top 10は変化する必要がありました。我々はAPIとSDKを使う会社です。A社とB社のXML。",
        "Δx = αx + βy and μm, σn for λk with θi, φj and ωt in the text of a formula",
        "/ðə ˈrɪvə mɪl hæz stʊd æt ðə wɪə fɔː θriː ˈhʌndrəd jɪəz/ /wiːl stɪl tɜːnz ˈevri ˈwɜːkɪŋ deɪ/",
        "B4KDFG7H X2QRTB9C K7WNPD3F ZHTR44KB GV8NNQ2S LK3RTWB7 QQ7ZXKB1 WRT5PLK9 " * 3,
        "☐ ☐ ☐ ☑ ☐ ☐ ☐ ☐ ☐ ☑ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐ ☐",
        "0123456789 ABCDEF 00FF 7FA8 E0B1 C4D2 9A3C " * 6,
        "Nhà máy xay bên sông đã đứng ở đập nước suốt ba trăm năm và bánh xe của nó vẫn quay mỗi ngày làm việc.",
    ],
)
def test_text_of_a_language_or_a_table_is_not_garbled(text: str) -> None:
    assert not is_garbled(text)


def test_a_page_of_shifted_letters_goes_to_ocr(tmp_path: Path) -> None:
    lines = [rotated(line, 1) for line in LINES * 3]

    page = read(write_pdf(tmp_path / "a.pdf", Sheet().lines(72, 100, lines)))

    assert page.needs_ocr == "garbled_text"
    assert "text_unreliable" in page.warnings


def test_a_font_that_is_not_embedded_is_read_by_its_glyph_names(tmp_path: Path) -> None:
    """The map of the font gives the next letter for each; viewers draw the glyphs that the encoding names."""
    entries = b"".join(b"<%02X> <%04X>\n" % (code, ord(rotated(chr(code), 1))) for code in range(97, 123))
    to_unicode = (
        b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def
1 begincodespacerange <00> <FF> endcodespacerange 26 beginbfchar
%sendbfchar endcmap end end"""
        % entries
    )
    content = b"BT /F 11 Tf 72 700 Td (%s) Tj ET" % LINES[0].lower().encode()
    path = tmp_path / "a.pdf"
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 6 0 R>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(to_unicode), to_unicode),
        )
    )

    page = read(str(path))

    assert text_of(page) == LINES[0].lower()
    assert (page.needs_ocr, page.warnings) == ("", ())


def glyph_number_font(path: Path, text: str) -> str:
    """Write a page in a font that is not embedded, has no map and whose codes are numbers of glyphs."""
    codes = b"".join(b"%04X" % (" abcdefghijklmnopqrstuvwxyz".index(letter) + 0x300) for letter in text)
    return font_without_map(path, b"BT /F 11 Tf 72 700 Td <%s> Tj ET" % codes)


def font_without_map(path: Path, content: bytes) -> str:
    """Write a page in a font that is not embedded and has no map."""
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type0/BaseFont/Secret/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Secret/DW 500/FontDescriptor 7 0 R"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
            b"<</Type/FontDescriptor/FontName/Secret/Flags 4/FontBBox[0 -200 1000 800]/Ascent 800/Descent -200>>",
        )
    )
    return str(path)


def test_numbers_of_glyphs_are_no_text(tmp_path: Path) -> None:
    page = read(glyph_number_font(tmp_path / "a.pdf", "the river mill turns every working day"))

    assert page.needs_ocr == "garbled_text"
    assert "text_unreliable" in page.warnings


def test_codes_that_are_characters_are_kept_where_the_second_reader_has_none(tmp_path: Path) -> None:
    codes = "разве не выражает глубокого".encode("utf-16-be").hex().encode()
    silent = b"BT /F 11 Tf 300 700 Td <0000> Tj ET"

    page = read(font_without_map(tmp_path / "a.pdf", b"BT /F 11 Tf 72 700 Td <%s> Tj ET %s" % (codes, silent)))

    assert text_of(page) == "разве не выражает глубокого"


def test_a_page_that_only_the_second_reader_reads_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pdf(tmp_path / "a.pdf", Sheet().lines(72, 100, LINES))

    def garbled(reader: CharacterReader, *arguments: Any, **options: Any) -> Characters:
        """Return control codes for letters, as PDFium does for some fonts."""
        found = usual(reader, *arguments, **options)
        found.text = "\x03" * len(found.text)
        return found

    usual = CharacterReader.read
    monkeypatch.setattr(CharacterReader, "read", garbled)
    page = read(path)

    assert text_of(page).split() == " ".join(LINES).split()
    assert (page.needs_ocr, page.warnings, page.quality) == ("", (), {"reader": "pdfminer"})


def test_a_page_that_pdfium_cannot_load_is_read_by_the_second_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pdf(tmp_path / "a.pdf", Sheet().lines(72, 100, LINES))

    def unreadable(*_arguments: Any, **_options: Any) -> Characters:
        raise PageError

    monkeypatch.setattr(CharacterReader, "read", unreadable)
    page = read(path)

    assert text_of(page).split() == " ".join(LINES).split()
    assert page.quality == {"reader": "pdfminer"}


def test_letters_of_a_negative_font_size_are_upright(tmp_path: Path) -> None:
    sheet = Sheet().raw(b"BT /F0 -11 Tf -1 0 0 -1 72 700 Tm (%s) Tj ET" % LINES[0].encode())
    sheet.raw(b"BT /F0 -11 Tf -1 0 0 -1 72 686 Tm (%s) Tj ET" % LINES[1].encode())

    page = read(write_pdf(tmp_path / "a.pdf", sheet))

    assert (text_of(page), page.rotation) == (f"{LINES[0]} {LINES[1]}", 0)
