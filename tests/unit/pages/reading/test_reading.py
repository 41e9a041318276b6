"""Files -> pages, with real files."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from apps.pages.model import errors
from apps.pages.model.blocks import BlockType, Page, PageFailure
from apps.pages.model.safe_text import clean
from apps.pages.reading import page_reading
from tests.unit.pages.drawing import Sheet, write_pdf


def only_page(path: Path) -> Page:
    (result,) = page_reading.read_pages(str(path), [1])
    assert isinstance(result, Page)
    return result


def test_a_pdf_says_its_type_pages_and_title(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "any.name", [Sheet(), Sheet(), Sheet()], title="Of Leaves")

    facts = page_reading.inspect_document(str(path), max_pages=10)

    assert (facts.media_type, facts.page_count, facts.title) == ("application/pdf", 3, "Of Leaves")


def test_junk_before_the_header_is_passed_over(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet().text("Hello", 72, 72)])
    path.write_bytes(b"junk\n" * 100 + path.read_bytes())

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1
    assert only_page(path).blocks[0].text == "Hello"


def test_a_page_tree_that_lies_about_its_length_is_not_believed(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet()])
    path.write_bytes(path.read_bytes().replace(b"/Count 1 ", b"/Count 9999999 "))

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1


def test_a_page_tree_that_contains_itself_ends(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet()])
    path.write_bytes(path.read_bytes().replace(b"/Kids [7 0 R]", b"/Kids [2 0 R]"))

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", errors.EmptyFile),
        (b"MZ\x90 a program", errors.UnsupportedDocument),
        (b"%PDF-1.7\nnothing else", errors.DamagedDocument),
        (b"\x89PNG\r\n\x1a\nnothing else", errors.DamagedDocument),
    ],
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes, error: type[errors.DocumentError]) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(content)

    with pytest.raises(error):
        page_reading.inspect_document(str(path), max_pages=10)


def test_more_pages_than_allowed_are_counted_and_refused(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(), Sheet(), Sheet()])

    with pytest.raises(errors.TooManyPages, match="has 3 pages; 2 are allowed"):
        page_reading.inspect_document(str(path), max_pages=2)


def test_an_encrypted_document_asks_for_its_password(tmp_path: Path) -> None:
    plain = write_pdf(tmp_path / "plain.pdf", [Sheet().text("Secret leaves", 72, 72)])
    path = tmp_path / "locked.pdf"
    with pikepdf.open(plain) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="owner", user="käse", R=6))

    with pytest.raises(errors.EncryptedDocument):
        page_reading.inspect_document(str(path), max_pages=10)
    with pytest.raises(errors.WrongPassword):
        page_reading.inspect_document(str(path), password="guess", max_pages=10)
    assert page_reading.inspect_document(str(path), password="käse", max_pages=10).page_count == 1
    (page,) = page_reading.read_pages(str(path), [1], password="käse")
    assert isinstance(page, Page)
    assert page.blocks[0].text == "Secret leaves"


def test_an_owner_password_alone_keeps_nobody_out(tmp_path: Path) -> None:
    plain = write_pdf(tmp_path / "plain.pdf", [Sheet()])
    path = tmp_path / "locked.pdf"
    with pikepdf.open(plain) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="owner", user="", R=6))

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1


def test_pages_come_in_the_order_asked(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet().text(f"Page {n}", 72, 400) for n in (1, 2, 3)])

    pages = list(page_reading.read_pages(str(path), [3, 1]))

    assert [page.blocks[0].text for page in pages if isinstance(page, Page)] == ["Page 3", "Page 1"]


def test_a_page_that_is_not_there_does_not_cost_the_others(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet().text("Here", 72, 400)])

    missing, page = page_reading.read_pages(str(path), [7, 1])

    assert isinstance(missing, PageFailure)
    assert (missing.number, missing.code) == (7, "page_failed")
    assert isinstance(page, Page)
    assert page.blocks[0].text == "Here"


def test_boxes_count_from_the_top_left_in_points(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet().text("Hello", 72, 100, size=20)]))

    box = page.blocks[0].box

    assert (page.width, page.height) == (595.0, 842.0)
    assert box.x0 == pytest.approx(72, abs=2)
    assert 95 < box.top < 110
    assert 110 < box.bottom < 130


def test_a_rotated_page_is_measured_as_displayed(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet(rotate=90).text("Hello", 72, 100)]))

    assert (page.width, page.height) == (842.0, 595.0)


def test_a_page_without_ink_needs_no_ocr(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet()]))

    assert (page.blocks, page.needs_ocr) == ((), "")


def test_a_page_that_is_one_picture_needs_ocr(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet().image(0, 0, 595, 842)]))

    assert page.needs_ocr == "no_text_layer"


def test_a_picture_beside_text_has_a_box_and_no_need_of_ocr(tmp_path: Path) -> None:
    sheet = Sheet().text("A caption of some length under a picture of leaves", 72, 320).image(72, 100, 200, 200)

    page = only_page(write_pdf(tmp_path / "a.pdf", [sheet]))

    (picture,) = [block for block in page.blocks if block.type is BlockType.PICTURE]
    assert page.needs_ocr == ""
    assert (round(picture.box.x0), round(picture.box.top), round(picture.box.width)) == (72, 100, 200)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
def test_pictures_are_documents_whose_pages_wait_for_ocr(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.pdf"
    Image.new("RGB", (300, 150), "white").save(path, format=kind, dpi=(150, 150))

    facts = page_reading.inspect_document(str(path), max_pages=10)
    (page,) = page_reading.read_pages(str(path), [1], media_type=facts.media_type)

    assert facts.media_type == f"image/{kind.lower()}"
    assert facts.page_count == 1
    assert isinstance(page, Page)
    assert (page.needs_ocr, [block.type for block in page.blocks]) == ("no_text_layer", [BlockType.PICTURE])
    assert (page.width, page.height) == (pytest.approx(144, abs=0.1), pytest.approx(72, abs=0.1))


def test_a_tiff_has_a_page_for_each_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    frames = [Image.new("L", (150 * n, 150)) for n in (1, 2, 3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], dpi=(150, 150))

    facts = page_reading.inspect_document(str(path), max_pages=10)
    pages = list(page_reading.read_pages(str(path), [1, 2, 3], media_type=facts.media_type))

    assert facts.page_count == 3
    assert [page.width for page in pages if isinstance(page, Page)] == [72.0, 144.0, 216.0]


def test_a_picture_taken_sideways_is_measured_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.new("L", (300, 150)).save(path, exif=exif, dpi=(150, 150))

    (page,) = page_reading.read_pages(str(path), [1], media_type="image/jpeg")

    assert isinstance(page, Page)
    assert page.width < page.height


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (9_000, 9_000)).save(path)

    with pytest.raises(errors.ImageTooLarge):
        page_reading.inspect_document(str(path), max_pages=10)


def test_control_characters_and_direction_marks_do_not_come_through() -> None:
    assert clean("pay\u202e001\u202c now\x00\x07\t\n\ud800") == "pay001 now\ufffd\t\n\ufffd"
