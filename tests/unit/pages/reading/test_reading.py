"""Real files are read into pages."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from apps.pages.model import errors
from apps.pages.model.blocks import BlockType, Page, PageFailure
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, clean
from apps.pages.reading import page_reading
from tests.documents.hostile import looping_page_tree
from tests.unit.pages.drawing import Sheet, write_pdf


def only_page(path: Path) -> Page:
    (result,) = page_reading.read_pages(str(path), [1])
    assert isinstance(result, Page)
    return result


def test_type_pages_and_title_of_a_pdf(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "any.name", [Sheet(), Sheet(), Sheet()], title="Of Leaves")

    facts = page_reading.inspect_document(str(path), max_pages=10)

    assert (facts.media_type, facts.page_count, facts.title) == ("application/pdf", 3, "Of Leaves")


@pytest.mark.parametrize("lines", [100, 600])
def test_a_page_after_junk_before_the_header_is_read(tmp_path: Path, lines: int) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet().text("Hello", 72, 72)])
    path.write_bytes(b"junk\n" * lines + path.read_bytes())

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1
    assert only_page(path).blocks[0].text == "Hello"


def test_pages_are_counted_if_the_declared_count_is_wrong(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet()])
    path.write_bytes(path.read_bytes().replace(b"/Count 1 ", b"/Count 9999999 "))

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1


def test_a_page_tree_that_contains_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(looping_page_tree())

    with pytest.raises(errors.DamagedDocument, match="The page tree of the PDF contains itself"):
        page_reading.inspect_document(str(path), max_pages=10)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", errors.EmptyFile),
        (b"MZ\x90\0 a program", errors.UnsupportedDocument),
        (b"PK\x03\x04 an archive with a document\n%PDF-1.7\n", errors.DamagedDocument),
        (b"%PDF-1.7\nnothing else", errors.DamagedDocument),
        (b"\x89PNG\r\n\x1a\nnothing else", errors.DamagedDocument),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, error: type[errors.DocumentError]) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(content)

    with pytest.raises(error):
        page_reading.inspect_document(str(path), max_pages=10)


def test_too_many_pages_are_refused_with_their_number(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(), Sheet(), Sheet()])

    with pytest.raises(errors.TooManyPages, match="has 3 pages; 2 are allowed"):
        page_reading.inspect_document(str(path), max_pages=2)


def test_an_encrypted_document_needs_its_password(tmp_path: Path) -> None:
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


def test_an_owner_password_alone_does_not_prevent_reading(tmp_path: Path) -> None:
    plain = write_pdf(tmp_path / "plain.pdf", [Sheet()])
    path = tmp_path / "locked.pdf"
    with pikepdf.open(plain) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="owner", user="", R=6))

    assert page_reading.inspect_document(str(path), max_pages=10).page_count == 1


def test_pages_are_returned_in_the_requested_order(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet().text(f"Page {n}", 72, 400) for n in (1, 2, 3)])

    pages = list(page_reading.read_pages(str(path), [3, 1]))

    assert [page.blocks[0].text for page in pages if isinstance(page, Page)] == ["Page 3", "Page 1"]


def test_a_missing_page_does_not_affect_the_others(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet().text("Here", 72, 400)])

    missing, page = page_reading.read_pages(str(path), [7, 1])

    assert isinstance(missing, PageFailure)
    assert (missing.number, missing.code) == (7, "page_failed")
    assert isinstance(page, Page)
    assert page.blocks[0].text == "Here"


def test_boxes_are_points_from_the_top_left(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet().text("Hello", 72, 100, size=20)]))

    box = page.blocks[0].box

    assert (page.width, page.height) == (595.0, 842.0)
    assert box.x0 == pytest.approx(72, abs=2)
    assert 95 < box.top < 110
    assert 110 < box.bottom < 130


def test_a_rotated_page_is_measured_as_displayed(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet(rotate=90).text("Hello", 72, 100)]))

    assert (page.width, page.height) == (842.0, 595.0)


def test_a_page_of_two_thousand_million_points_is_read(tmp_path: Path) -> None:
    sheet = Sheet().text("Hello hostile world", 72, 72)
    path = write_pdf(tmp_path / "a.pdf", [sheet])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].obj.MediaBox = pikepdf.Array([0, 0, 2_000_000_000, 2_000_000_000])
        pdf.save(path)

    page = only_page(path)

    assert (page.width, [block.text for block in page.blocks]) == (2e9, ["Hello hostile world"])
    assert page.blocks[0].box.x0 == pytest.approx(72, abs=0.5)


def test_a_page_without_ink_needs_no_ocr(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet()]))

    assert (page.blocks, page.needs_ocr) == ((), "")


def test_a_page_that_is_one_picture_needs_ocr(tmp_path: Path) -> None:
    page = only_page(write_pdf(tmp_path / "a.pdf", [Sheet().image(0, 0, 595, 842)]))

    assert page.needs_ocr == "no_text_layer"


def test_a_picture_beside_text_has_a_box_and_needs_no_ocr(tmp_path: Path) -> None:
    sheet = Sheet().text("A caption of some length under a picture of leaves", 72, 320).image(72, 100, 200, 200)

    page = only_page(write_pdf(tmp_path / "a.pdf", [sheet]))

    (picture,) = [block for block in page.blocks if block.type is BlockType.PICTURE]
    assert page.needs_ocr == ""
    assert (round(picture.box.x0), round(picture.box.top), round(picture.box.width)) == (72, 100, 200)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"])
def test_images_are_documents_whose_pages_need_ocr(tmp_path: Path, kind: str) -> None:
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


def test_an_image_too_large_for_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (9_000, 9_000)).save(path)

    with pytest.raises(errors.ImageTooLarge):
        page_reading.inspect_document(str(path), max_pages=10)


def raw_page(*tops: float) -> RawPage:
    """Return a page of 600 x 800 points with a line of text at each of these tops."""
    runs = [TextRun("A line of text", 50, top, 550, top + 12, 12, False, False) for top in tops]
    return RawPage(1, 600, 800, runs, [], [], [], content_box=Box(50, tops[0], 550, tops[-1] + 12))


def test_text_is_cleaned_and_limited_in_length() -> None:
    page = raw_page(100, 116, 132)
    page.runs[0].text = "a\x00b"
    page.runs[1].text = "x" * MAX_TEXT_CHARACTERS

    assert page_reading.clean_runs(page) == ["text_cleaned", "text_truncated"]
    assert [run.text for run in page.runs] == ["a\ufffdb"]


def test_control_characters_and_direction_marks_are_removed() -> None:
    assert clean("pay\u202e001\u202c now\x00\x07\t\n\ud800") == "pay001 now\ufffd\t\n\ufffd"
