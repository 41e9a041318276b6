"""Pictures in EMF and WMF: their text follows them, and a bitmap that is all of one is its image."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import pytest

from apps.pages.model.blocks import BlockType, EmbeddedImage, Page
from tests.unit.pages.office.office_files import read
from tests.unit.pages.office.test_embedded_images import word_file
from tests.unit.pages.reading.metafiles import (
    bitmap,
    emf,
    plus,
    plus_text,
    record,
    stretched,
    wide_font,
    wide_text,
    wmf,
    wmf_font,
    wmf_record,
    wmf_text,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.docx"


def page_with(path: Path, picture: bytes) -> Page:
    """Return the page of a text document with this picture between two paragraphs."""
    with zipfile.ZipFile(word_file(path.with_name("plain.docx"))) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, picture if entry.filename.endswith(".png") else source.read(entry))
    _facts, [page] = read(path)
    return page


def lines(path: Path, picture: bytes) -> list[str]:
    """Return the lines of text that were read in a picture."""
    page = page_with(path, picture)
    assert [block.type for block in page.blocks][:2] == [BlockType.PARAGRAPH, BlockType.PICTURE]
    texts = [block.text for block in page.blocks]
    assert (texts[0], texts[-1]) == ("Before", "After")
    return texts[2:-1]


def test_texts_of_an_emf_are_lines_from_the_top(path: Path) -> None:
    picture = emf(
        wide_font(1, -20),
        wide_text("Revenue", 10, 200, width=10),
        wide_text("2026", 85, 202, width=10),
        wide_text("Title", 10, 20, width=10),
        wide_text("Server", 400, 201, width=10),
        record(108, struct.pack("<2i2I", 10, 300, 4, 0x300) + bytes(12) + b"Note"),
    )
    page = page_with(path, picture)

    assert lines(path, picture) == ["Title", "Revenue 2026", "Server", "Note"]
    assert page.warnings == ("picture_format_not_read",)  # its text was read, it has no image


def test_places_follow_transformations_windows_and_saved_states(path: Path) -> None:
    moved = struct.pack("<6f", 1, 0, 0, 1, 0, 500)
    picture = emf(
        record(33, b""),
        record(35, moved),
        wide_text("last", 0, 0),
        record(34, struct.pack("<i", -1)),
        wide_text("first", 0, 10),
        record(10, struct.pack("<2i", 0, -200)),
        wide_text("second", 0, 0),
    )

    assert lines(path, picture) == ["first", "second", "last"]


def test_a_text_goes_on_where_the_last_ended(path: Path) -> None:
    picture = emf(wide_font(1, 20), record(22, struct.pack("<I", 25)), record(27, struct.pack("<2i", 10, 50)))
    picture = emf(picture[88:-20], wide_text("Flour", 0, 0, width=10), wide_text("mill", 0, 0, width=10))

    assert lines(path, picture) == ["Flourmill"]


def test_records_for_newer_programs_are_read_once(path: Path) -> None:
    only_plus = emf(plus(plus_text("below", 0, 90), plus_text("above", 0, 9)))
    both = emf(plus(plus_text("Text", 0, 9), is_dual=True), wide_text("Text", 0, 9))

    assert lines(path, only_plus) == ["above", "below"]
    assert lines(path, both) == ["Text"]


@pytest.mark.parametrize("is_placeable", [True, False])
@pytest.mark.parametrize("is_packed", [True, False])
def test_texts_of_a_wmf_are_in_the_letters_of_their_fonts(path: Path, is_placeable: bool, is_packed: bool) -> None:
    pen = wmf_record(0x02FA, bytes(10))
    picture = wmf(
        pen,
        wmf_font(204),
        wmf_font(2, b"Symbol"),
        wmf_record(0x012D, struct.pack("<H", 1)),
        wmf_text("Мельница".encode("cp1251"), 10, 10),
        wmf_record(0x012D, struct.pack("<H", 2)),
        wmf_text(b"a+b", 10, 100, is_long=True),
        is_placeable=is_placeable,
    )

    assert lines(path, gzip.compress(picture) if is_packed else picture) == ["Мельница", "α+β"]


def test_a_picture_that_is_one_bitmap_is_its_image(path: Path) -> None:
    header, pixels = bitmap(200, 80, 40)
    blit = wmf_record(0x0F43, bytes(22) + header + pixels)
    for picture in (emf(stretched(header, pixels)), wmf(blit)):
        page = page_with(path, picture)
        [image] = [block.image for block in page.blocks if block.type is BlockType.PICTURE]
        assert image == EmbeddedImage("word/media/image1.png", 200, 80)
        assert (page.needs_ocr, page.warnings) == ("text_in_picture", ("pictures_not_read",))
    drawn = page_with(path, emf(stretched(header, pixels), record(54, bytes(8))))
    assert [block.image for block in drawn.blocks if block.type is BlockType.PICTURE] == [None]


@pytest.mark.parametrize(
    "picture",
    [
        emf(wide_text("Text", 0, 0)[:40]),
        emf(record(84, b"\xff" * 68)),
        emf(record(97, bytes(28) + struct.pack("<I", 1 << 31) + bytes(400))),
        emf(struct.pack("<2I", 84, 1 << 31)),
        emf(plus(b"\x1c\x40\0\0" + struct.pack("<2I", 1 << 31, 1 << 31))),
        emf(record(34, struct.pack("<i", 1 << 30)), record(37, b""), stretched(b"\0" * 40, b"")),
        wmf(struct.pack("<IH", 1 << 31, 0x0521)),
        wmf(wmf_record(0x0521, b"\xff\xff"), wmf_record(0x02FB, b""), wmf_record(0x0F43, bytes(24))),
        gzip.compress(emf(wide_text("Text", 0, 0)))[:-30],
    ],
)
def test_damaged_records_are_left_out(path: Path, picture: bytes) -> None:
    page = page_with(path, picture)
    assert [block.image for block in page.blocks if block.type is BlockType.PICTURE] == [None]


def test_many_texts_that_are_not_there_are_left_out_in_time(path: Path) -> None:
    nothing = struct.pack("<2i3I4iI", 0, 0, 10_000, 1 << 30, 0, 0, 0, 0, 0, 4)
    many = record(97, bytes(28) + struct.pack("<I", 20_000) + nothing * 20_000)

    assert lines(path, emf(many, wide_text("Text", 0, 0))) == ["Text"]


def test_texts_without_end_are_cut_with_a_warning(path: Path) -> None:
    page = page_with(path, emf(*(wide_text("x" * 2_000, 0, 40 * number) for number in range(200))))

    assert sum(len(block.text) for block in page.blocks) < 210_000
    assert "text_truncated" in page.warnings
