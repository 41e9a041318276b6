"""A copy of a PDF with our text under its pages: they stay as they were, and the words are in their boxes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pikepdf
import pypdfium2
import pytest

from apps.pages.model.blocks import Block, BlockType, Line, Page, PageFailure, Source, Word
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.output.exports.registry import EXPORTS, PICTURES_ONLY, ExportSource
from apps.pages.output.exports.text_layers import TextLayers, text_layers_of
from apps.pages.sandbox.client import Reader
from tests.documents.scans import scanned_pdf
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

WORDS = (
    Word("Invoice", Box(72, 100, 130, 114)),
    Word("№", Box(140, 100, 154, 114)),
    Word("漢字", Box(160, 100, 190, 114)),
)


def read_by(source: Source, *words: Word) -> Block:
    box = Box(words[0].box.x0, words[0].box.top, words[-1].box.x1, words[0].box.bottom)
    text = " ".join(word.text for word in words)
    return Block(BlockType.PARAGRAPH, box, text, (Line(text, box, words=words),), source=source)


def page(number: int, *blocks: Block) -> Page:
    return Page(number=number, width=480, height=336, blocks=blocks)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(scanned_pdf(3))
    return path


def copied(reader: Reader, document: Path, layers: TextLayers, password: str | None = None) -> bytes:
    out = io.BytesIO()
    reader.searchable_copy(
        document,
        out,
        page_numbers=layers.pages,
        layers=layers.layers,
        layer_pages=layers.layer_pages,
        pages_to_check=layers.pages_to_check,
        password=password,
    )
    return out.getvalue()


def words_read(reader: Reader, content: bytes, folder: Path, number: int = 1) -> list[Word]:
    path = folder / "copy.pdf"
    path.write_bytes(content)
    (found,) = reader.read_range(path, [number], word_boxes=True)
    assert isinstance(found, Page)
    return [word for block in found.blocks for line in block.lines for word in line.words]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_words_are_in_their_boxes_of_the_page_as_displayed(
    reader: Reader, scan: Path, tmp_path: Path, rotation: int
) -> None:
    with pikepdf.open(scan, allow_overwriting_input=True) as document:
        document.pages[0].MediaBox = [-10, -20, 500, 700]
        document.pages[0].CropBox = [5, 7, 485, 343] if rotation % 180 == 0 else [5, 7, 341, 487]
        document.pages[0].Rotate = rotation
        document.save(scan)
    content = copied(reader, scan, text_layers_of([page(1, read_by(Source.OCR, *WORDS))]))
    found = words_read(reader, content, tmp_path)
    assert [word.text for word in found] == [word.text for word in WORDS]
    for word, ours in zip(found, WORDS, strict=True):
        for side in ("x0", "top", "x1", "bottom"):
            assert getattr(word.box, side) == pytest.approx(getattr(ours.box, side), abs=3)


def test_pages_stay_as_they_are_and_those_not_asked_for_are_left_out(reader: Reader, scan: Path) -> None:
    layers = text_layers_of([page(1, read_by(Source.OCR, *WORDS)), PageFailure(3, "page_timeout")])
    content = copied(reader, scan, layers)
    before, after = pypdfium2.PdfDocument(scan), pypdfium2.PdfDocument(content)
    assert len(after) == 2
    for ours, theirs in ((0, 0), (1, 2)):
        drawn, expected = after[ours].render().to_numpy(), before[theirs].render().to_numpy()
        assert (drawn == expected).all()
    with pikepdf.open(io.BytesIO(content), suppress_warnings=False) as document:
        assert document.check_pdf_syntax() == []


def test_a_page_with_text_gets_only_what_ocr_read_beside_it(reader: Reader, tmp_path: Path) -> None:
    sheet = Sheet().lines(72, 72, ["The ships of the company carried coal to every harbour of the coast."] * 6)
    path = Path(write_pdf(tmp_path / "typed.pdf", sheet, sheet, Sheet().square(50, 50, 300)))
    pages = [
        page(1, read_by(Source.TEXT_LAYER, WORDS[0])),
        page(2, read_by(Source.MODEL, WORDS[0])),
        page(3, read_by(Source.MODEL, WORDS[0])),
    ]
    layers = text_layers_of(pages)
    assert (layers.layer_pages, layers.pages_to_check) == ((2, 3), (2, 3))
    document = pypdfium2.PdfDocument(copied(reader, path, layers))
    texts = [sheet.get_textpage().get_text_range() for sheet in document]
    assert ["Invoice" in text for text in texts] == [False, False, True]
    assert ["harbour" in text for text in texts] == [True, True, False]


def test_an_encrypted_document_is_copied_with_its_password(reader: Reader, scan: Path) -> None:
    with pikepdf.open(scan, allow_overwriting_input=True) as document:
        document.save(scan, encryption=pikepdf.Encryption(owner="owner", user="secret"))
    layers = text_layers_of([page(1, read_by(Source.OCR, *WORDS))])
    with pikepdf.open(io.BytesIO(copied(reader, scan, layers, "secret"))) as document:
        assert not document.is_encrypted
    with pytest.raises(PageError):
        copied(reader, scan, layers)


def test_a_document_that_cannot_be_copied_becomes_pictures_with_a_warning() -> None:
    def add_text(layers: TextLayers, out: BinaryIO) -> None:
        out.write(b"half of a file")
        raise PageError

    warnings: list[str] = []
    out = io.BytesIO()
    source = ExportSource(lambda: [page(1, read_by(Source.OCR, *WORDS))], add_text=add_text, warn=warnings.append)
    EXPORTS["searchable_pdf"].write(source, out)
    assert warnings == [PICTURES_ONLY]
    assert len(pypdfium2.PdfDocument(out.getvalue())) == 1
