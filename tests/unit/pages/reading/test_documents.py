"""Facts about a file before its pages are read, and pages without readable text."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.pages.layout.text.right_to_left import rebuild_runs
from apps.pages.model import errors
from apps.pages.model.blocks import BlockType, Page, PageFailure
from apps.pages.model.raw_page import Char, TextRun
from apps.pages.model.text.safe_text import clean
from apps.pages.reading.page_reading import inspect_document, read_pages
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import encrypted, unspeakable_text
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

IMAGES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}


Save = Callable[[bytes], str]


@pytest.fixture
def saved(tmp_path: Path) -> Save:
    def save(content: bytes) -> str:
        path = tmp_path / "document"
        path.write_bytes(content)
        return str(path)

    return save


def image(kind: str, size: tuple[int, int] = (300, 150), **options: object) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, "white").save(out, format=kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", errors.EmptyFile),
        (b"PK\x03\x04 an office file", errors.DamagedDocument),
        (b"%PDF-1.7\nnothing else", errors.DamagedDocument),
        (b"\x89PNG\r\n\x1a\n and no more", errors.DamagedDocument),
        (encrypted("secret"), errors.EncryptedDocument),
    ],
)
def test_an_unreadable_file_raises_its_error(saved: Save, content: bytes, error: type[errors.DocumentError]) -> None:
    with pytest.raises(error):
        inspect_document(saved(content), max_pages=10)


def test_a_password_is_checked_and_used(saved: Save) -> None:
    path = saved(encrypted("secret"))

    with pytest.raises(errors.WrongPassword):
        inspect_document(path, password="wrong", max_pages=10)
    assert inspect_document(path, password="secret", max_pages=10).page_count == 1
    (page,) = read_pages(path, [1], password="secret")
    assert isinstance(page, Page)
    assert page.blocks[0].text == "Ready"


def test_too_many_pages_are_refused(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "long.pdf", *(Sheet() for _ in range(3)))

    with pytest.raises(errors.TooManyPages, match="3 pages"):
        inspect_document(path, max_pages=2)


def test_a_page_tree_without_pages_gives_an_empty_sheet(saved: Save) -> None:
    path = saved(assembled_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1>>"))

    (page,) = read_pages(path, [1])

    assert isinstance(page, Page)
    assert page.blocks == ()


def test_junk_before_the_header_is_ignored(tmp_path: Path) -> None:
    path = Path(write_pdf(tmp_path / "junk.pdf", Sheet().text(60, 60, "Readable")))
    path.write_bytes(b"\r\nX-Mailer: a mail gateway\r\n\r\n" + path.read_bytes())

    assert inspect_document(str(path), max_pages=10).page_count == 1
    (page,) = read_pages(str(path), [1])
    assert isinstance(page, Page)
    assert page.blocks[0].text == "Readable"


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_a_page_that_needs_ocr(saved: Save, kind: str) -> None:
    path = saved(image(kind, **({"dpi": (100, 100)} if kind in ("PNG", "JPEG", "TIFF") else {})))

    facts = inspect_document(path, max_pages=10)
    (page,) = read_pages(path, [1], media_type=facts.media_type)

    assert facts.media_type == IMAGES[kind]
    assert isinstance(page, Page)
    assert page.needs_ocr == "no_text_layer"
    assert [block.type for block in page.blocks] == [BlockType.PICTURE]
    if kind == "PNG":
        assert (round(page.width), round(page.height)) == (216, 108)


def test_a_tiff_has_a_page_for_each_frame(saved: Save) -> None:
    from PIL import Image

    path = saved(image("TIFF", save_all=True, append_images=[Image.new("RGB", (40, 40))] * 2))

    assert inspect_document(path, max_pages=10).page_count == 3
    third, fourth = read_pages(path, [3, 4], media_type="image/tiff")
    assert isinstance(third, Page)
    assert isinstance(fourth, PageFailure)


def test_a_huge_image_is_refused_before_it_is_decoded(saved: Save) -> None:
    with pytest.raises(errors.ImageTooLarge):
        inspect_document(saved(image("PNG", (9000, 8000))), max_pages=10)


def test_an_empty_page_needs_no_ocr_and_a_missing_one_fails_alone(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "made.pdf", Sheet(), Sheet().text(60, 60, "Words"))

    blank, missing, words = read_pages(path, [1, 7, 2])

    assert isinstance(blank, Page)
    assert blank.needs_ocr == ""
    assert isinstance(missing, PageFailure)
    assert isinstance(words, Page)
    assert words.number == 2
    assert words.blocks[0].text == "Words"


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_page_whose_content_is_not_where_the_file_says_has_its_text(saved: Save, *, is_compressed: bool) -> None:
    shown = b"BT /F 12 Tf 72 720 Td (Ready) Tj ET"
    stream = zlib.compress(shown) if is_compressed else shown
    content = assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream"
        % (len(stream), b"/Filter/FlateDecode" if is_compressed else b"", stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    place = b"%010d" % content.index(b"4 0 obj")
    assert content.count(place) == 1

    (page,) = read_pages(saved(content.replace(place, b"%010d" % (int(place) + 1))), [1])

    assert isinstance(page, Page)
    assert [block.text for block in page.blocks] == ["Ready"]


def test_an_empty_page_whose_content_cannot_be_decoded(saved: Save) -> None:
    content = b"<</Length 4/Filter/FlateDecode>>stream\nnone\nendstream"
    kids, sheet = b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"

    (page,) = read_pages(saved(assembled_pdf(b"<</Type/Catalog/Pages 2 0 R>>", kids, sheet, content)), [1])

    assert isinstance(page, Page)
    assert page.blocks == ()


def test_dangerous_characters_are_removed(saved: Save) -> None:
    (page,) = read_pages(saved(unspeakable_text()), [1])

    assert isinstance(page, Page)
    text = " ".join(block.text for block in page.blocks)
    assert "plain" in text
    assert not set(text) & {"\x00", "\x1b", "\u202e"}
    text.encode()


def test_cleaning_keeps_normal_text() -> None:
    assert clean("tab\tline\nümlaut שלום 漢字") == "tab\tline\nümlaut שלום 漢字"
    assert clean("a\x00b\x1bc\u202ed\ud800e") == "a\ufffdbcd\ufffde"


def test_a_right_to_left_line_is_read_from_the_right() -> None:
    """Hebrew letters with a Latin name in the middle, from left to right as on the page."""
    display = "םולש OWASP בר"
    chars = [Char(text, 10 + 6 * n, 50, 15 + 6 * n, 60) for n, text in enumerate(display)]
    run = TextRun("scrambled", 10, 50, 10 + 6 * len(display), 60, 10, False, False)

    (line,) = rebuild_runs([run], chars)

    assert line.text == "רב OWASP שלום"
    assert [word.text for word in line.words] == ["רב", "OWASP", "שלום"]


@pytest.mark.parametrize("word", ["ישראל", "پاکستان"])
def test_a_blank_without_width_after_the_first_letter_is_none(word: str) -> None:
    run = TextRun(word[::-1], 100, 50, 100 + 6 * len(word), 60, 10, False, False)
    chars = [Char(text, 100 + 6 * place, 50, 106 + 6 * place, 60) for place, text in enumerate(word[::-1])]
    between = 100 + 6 * (len(word) - 1)
    blanks = [Char(" ", between + 0.2, 58, between + 0.2, 58), Char(" ", 400, 90, 403, 100)]

    (line,) = rebuild_runs([run], [*chars, *blanks])

    assert line.text == word


def test_turned_text_beside_right_to_left_lines_is_read_once() -> None:
    """A stamp up the margin crosses the heights of the lines beside it."""
    display = "םולש"
    lines = [TextRun(display, 100, 50 + 20 * n, 124, 60 + 20 * n, 10, False, False) for n in range(3)]
    stamp = TextRun("abc", 10, 50, 20, 100, 10, False, False, angle=270.0)
    chars = [
        Char(text, 100 + 6 * place, line.top, 105 + 6 * place, line.bottom)
        for line in lines
        for place, text in enumerate(display)
    ]
    chars += [Char(text, 10, 90 - 20 * n, 20, 100 - 20 * n, 270.0) for n, text in enumerate("abc")]

    found = rebuild_runs([*lines, stamp], chars)

    assert sorted(run.text for run in found) == ["abc", *["שלום"] * 3]
