"""hOCR, ALTO and the searchable PDF: each word at its place. A strict reader of each format reads it back."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from apps.pages.model.blocks import Block, BlockType, Cell, Line, Page, PageFailure, Source, Word
from apps.pages.model.errors import PageTimeout
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.output.exports.alto import write_alto
from apps.pages.output.exports.hocr import write_hocr
from apps.pages.output.exports.searchable_pdf import write_searchable_pdf
from apps.pages.output.exports.text_lines import placed_lines
from apps.pages.reading.page_reading import read_pages
from tests.unit.pages.drawing import page, text_block

ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"


def scanned(words: Sequence[tuple[str, float, float]], top: float = 100.0) -> Block:
    """Return a block with a line of these words (text, left and right edge) as OCR reads them."""
    placed = tuple(Word(text, Box(x0, top, x1, top + 14), 0.87) for text, x0, x1 in words)
    box = Box(min(word.box.x0 for word in placed), top, max(word.box.x1 for word in placed), top + 14)
    text = " ".join(word.text for word in placed)
    return Block(BlockType.PARAGRAPH, box, text, (Line(text, box, words=placed),), source=Source.OCR)


SCAN = scanned([("Invoice", 72.25, 130), ("№", 136, 150), ("7-Δοκιμή", 155, 230), ("漢字", 240, 270)])


def written(write: Callable[..., None], *pages: Page | PageFailure, **options: object) -> bytes:
    out = io.BytesIO()
    write(pages, out, title="scan <1>.pdf", **options)
    return out.getvalue()


def words_in_pdf(content: bytes, page_number: int = 1) -> list[tuple[str, Box]]:
    """Return the words that PDFium finds in the text layer, with their boxes from the top left."""
    document = pypdfium2.PdfDocument(content)
    sheet = document[page_number - 1]
    height, text_page = sheet.get_height(), sheet.get_textpage()
    text = text_page.get_text_range()
    words = []
    for found in re.finditer(r"\S+", text):
        boxes = [text_page.get_charbox(index, loose=True) for index in range(found.start(), found.end())]
        left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
        bottom, top = min(box[1] for box in boxes), max(box[3] for box in boxes)
        words.append((found.group(), Box(left, height - top, right, height - bottom)))
    return words


def test_words_without_boxes_share_their_line_by_their_letters() -> None:
    (line,) = placed_lines(text_block("ab cdef", 100))
    assert [(word.text, word.box.x0, word.box.x1) for word in line.words] == [
        ("ab", 72.0, pytest.approx(72 + 2 / 7 * 200)),
        ("cdef", pytest.approx(72 + 3 / 7 * 200), 272.0),
    ]
    (hebrew,) = placed_lines(text_block("שלום עולם", 100))
    assert hebrew.words[0].box.x0 > hebrew.words[1].box.x1  # the first word is at the right


def test_cells_and_blocks_of_a_model_have_lines_and_what_has_no_place_has_none() -> None:
    cells = (Cell(0, 0, "two\nlines", box=Box(72, 100, 172, 140)), Cell(0, 1, "no place"))
    table = Block(BlockType.TABLE, Box(72, 100, 300, 140), cells=cells)
    assert [(line.box.top, line.words[0].text) for line in placed_lines(table)] == [(100, "two"), (120, "lines")]
    (line,) = placed_lines(Block(BlockType.PARAGRAPH, Box(72, 100, 300, 140), "by a model", source=Source.MODEL))
    assert [word.text for word in line.words] == ["by", "a", "model"]
    narrow = Block(BlockType.PARAGRAPH, Box(72, 100, 132, 160), "a block as a model writes it in one line")
    lines = [" ".join(word.text for word in line.words) for line in placed_lines(narrow)]
    assert lines == ["a block as", "a model writes", "it in one", "line"]
    assert not list(placed_lines(Block(BlockType.PARAGRAPH, NO_BOX, "of an office file")))


def test_hocr_has_each_word_with_its_box_and_confidence() -> None:
    content = written(write_hocr, page(SCAN), PageFailure(2, "page_timeout"), page(number=3)).decode()
    assert "<title>scan &lt;1&gt;.pdf</title>" in content
    assert '<span class="ocrx_word" title="bbox 301 417 542 475; x_wconf 87">Invoice</span>' in content
    assert re.findall(r'class="ocr_page" id="page_(\d)" title="bbox 0 0 2479 3508; ppageno (\d)', content) == [
        ("1", "0"),
        ("3", "2"),
    ]
    ElementTree.fromstring(re.sub(r"<!DOCTYPE html>|<meta[^>]*>", "", content))  # all elements are closed


def test_alto_has_each_word_with_its_place_and_confidence() -> None:
    picture = Block(BlockType.PICTURE, Box(72, 400, 172, 500))
    root = ElementTree.fromstring(written(write_alto, page(SCAN, picture, text_block('a "b" \x0b&', 300))))
    strings = [each.attrib for each in root.iter(f"{ALTO}String")]
    assert [each["CONTENT"] for each in strings] == ["Invoice", "№", "7-Δοκιμή", "漢字", "a", '"b"', "&"]
    assert strings[0] == {
        "CONTENT": "Invoice", "HPOS": "1204", "VPOS": "1667", "WIDTH": "963", "HEIGHT": "233", "WC": "0.870",
    }  # fmt: skip
    assert "WC" not in strings[-1]
    assert len(list(root.iter(f"{ALTO}Illustration"))) == 1
    ids = [each.attrib["ID"] for each in root.iter() if "ID" in each.attrib]
    assert len(ids) == len(set(ids))


def test_a_picture_without_a_place_is_in_no_file_of_places() -> None:
    picture = Block(BlockType.PICTURE, NO_BOX)
    assert b'class="ocr_photo"' not in written(write_hocr, page(picture))
    assert b"<Illustration" not in written(write_alto, page(picture))
    assert b'class="ocr_photo"' in written(write_hocr, page(Block(BlockType.PICTURE, Box(72, 400, 172, 500))))


def test_the_text_layer_of_the_pdf_has_our_words_in_our_boxes() -> None:
    found = words_in_pdf(written(write_searchable_pdf, page(SCAN)))
    assert [text for text, _ in found] == [word.text for word in SCAN.lines[0].words]
    for (_, box), word in zip(found, SCAN.lines[0].words, strict=True):
        ours = word.box
        assert (box.x0, box.x1, box.top, box.bottom) == pytest.approx(
            (ours.x0, ours.x1, ours.top, ours.bottom), abs=0.6
        )


TO_THE_LEFT = {
    "Hebrew": (("שלום", 300, 340), ("עולם", 250, 290), ("2024", 210, 240), ("(טוב)", 160, 200), ("ב־12.5%", 100, 150)),
    "Arabic": (("مرحبا", 300, 340), ("بالعالم", 240, 290), ("١٢٫٥", 200, 230)),
    "Latin words in between": (("שלום", 400, 440), ("חברת", 300, 340), ("Coal", 200, 240), ("בע״מ", 150, 190)),
}


@pytest.mark.parametrize("words", TO_THE_LEFT.values(), ids=TO_THE_LEFT)
def test_text_that_runs_to_the_left_is_found_as_it_is_read(
    words: Sequence[tuple[str, float, float]], tmp_path: Path
) -> None:
    content = written(write_searchable_pdf, page(scanned(words)))
    found = {text: (box.x0, box.x1) for text, box in words_in_pdf(content)}
    assert found == {text: pytest.approx((x0, x1), abs=0.9) for text, x0, x1 in words}
    path = tmp_path / "copy.pdf"
    path.write_bytes(content)
    (read,) = read_pages(str(path), [1])
    assert isinstance(read, Page)
    assert " ".join(block.text for block in read.blocks) == " ".join(text for text, _, _ in words)


def test_ligatures_are_found_by_their_letters() -> None:
    found = words_in_pdf(written(write_searchable_pdf, page(scanned([("ofﬁce", 72, 120), ("ﬂow", 130, 170)]))))
    assert [text for text, _ in found] == ["office", "flow"]


def test_characters_beyond_the_first_plane_are_found() -> None:
    found = words_in_pdf(written(write_searchable_pdf, page(scanned([("𠀀𝄞a", 72, 172)]))))
    assert [text for text, _ in found] == ["𠀀𝄞a"]


def test_the_pdf_is_well_formed_and_shows_the_picture_of_each_page(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (60, 80), "red").save(jpeg, "JPEG")

    def picture_of(shown: Page, box: Box) -> bytes:
        assert (box.width, box.height) == (shown.width, shown.height)
        if shown.number == 3:
            raise PageTimeout
        return jpeg.getvalue()

    pages = (page(SCAN), PageFailure(2, "page_timeout"), page(SCAN, number=3))
    content = written(write_searchable_pdf, *pages, picture_of=picture_of, language="el")
    with pikepdf.open(io.BytesIO(content), suppress_warnings=False) as document:
        assert document.check_pdf_syntax() == []
        assert str(document.Root.Lang) == "el"
        assert str(document.docinfo.Title) == "scan <1>.pdf"
        assert [len(sheet.get_images()) for sheet in document.pages] == [1, 0, 0]
    image = pypdfium2.PdfDocument(content)[0].render().to_pil()
    red, green, blue = image.getpixel((100, 105))[:3]  # a place with text, which is not seen
    assert red > 200
    assert max(green, blue) < 60
    for number, code in ((2, "page_timeout"), (3, PageTimeout.code)):
        assert words_in_pdf(content, number)[-1][0] == code


def test_turned_lines_are_turned_in_the_pdf() -> None:
    line = Line("turned", Box(500, 100, 512, 180))
    block = Block(BlockType.PARAGRAPH, line.box, "turned", (line,))
    ((text, box),) = words_in_pdf(written(write_searchable_pdf, page(block)))
    assert text == "turned"
    assert (box.x0, box.top, box.x1, box.bottom) == pytest.approx((500, 100, 512, 180), abs=2.5)


def test_the_archive_pdf_keeps_the_rules_of_pdf_a_2b() -> None:
    """ISO 19005-2: the rules that concern what we write; clauses in the comments."""
    jpeg = io.BytesIO()
    Image.new("RGB", (60, 80), "red").save(jpeg, "JPEG")
    pages = (page(SCAN), PageFailure(2, "page_timeout"))
    content = written(write_searchable_pdf, *pages, picture_of=lambda _page, _box: jpeg.getvalue(), is_archive=True)
    assert re.match(rb"%PDF-1\.[0-7]\n%[\x80-\xff]{4}", content)  # 6.1.2
    with pikepdf.open(io.BytesIO(content), suppress_warnings=False) as document:
        assert document.check_pdf_syntax() == []
        assert len(document.trailer.ID) == 2  # 6.1.3
        assert not document.is_encrypted
        assert not {"/OpenAction", "/AA", "/AcroForm", "/Names"} & set(document.Root.keys())  # 6.5
        (intent,) = document.Root.OutputIntents  # 6.2.3
        assert (str(intent.S), str(intent.OutputConditionIdentifier)) == ("/GTS_PDFA1", "sRGB")
        profile = intent.DestOutputProfile
        assert profile.N == 3
        assert profile.read_bytes()[16:20] == b"RGB "
        assert "/Filter" not in document.Root.Metadata  # 6.6.2.1
        with document.open_metadata() as metadata:
            assert metadata.pdfa_status == "2B"  # 6.6.4
            assert metadata["dc:title"] == "scan <1>.pdf" == str(document.docinfo.Title)
        for sheet in document.pages:
            assert set(sheet.resources.keys()) <= {"/Font", "/XObject"}  # no transparency, no other colours
            for image in sheet.images.values():
                assert str(image.ColorSpace) in ("/DeviceRGB", "/DeviceGray")  # 6.2.4.3, with the output intent
                assert not {"/SMask", "/Alternates", "/Interpolate"} & set(image.keys())  # 6.2.8
            for font in sheet.resources.get("/Font", {}).values():
                (letters,) = font.DescendantFonts
                assert "/FontFile2" in letters.FontDescriptor  # 6.2.11.4
                assert "/CIDToGIDMap" in letters  # 6.2.11.3.2
                assert set(letters.CIDToGIDMap.read_bytes()[1::2]) == {1}  # 6.2.11.8: never .notdef
                assert struct.unpack(">H", _table(letters.FontDescriptor.FontFile2.read_bytes())[:2])[0] == letters.DW
    assert [text for text, _ in words_in_pdf(content)] == [word.text for word in SCAN.lines[0].words]


def _table(font: bytes, tag: bytes = b"hmtx") -> bytes:
    at = font.index(tag)
    _sum, offset, length = struct.unpack(">III", font[at + 4 : at + 16])
    return font[offset : offset + length]
