"""The content of a page: lines with boxes, and the blocks they form, in reading order.

These values travel as JSON (``encode_page`` / ``decode_page``) from a sandboxed child, which read untrusted bytes, to a
worker. Decoding checks the type of every field and raises ``GarbledPage``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from apps.pages.model.errors import GarbledPage
from apps.pages.model.geometry import Box

# Tables are expanded to full rectangles later, so the decoder must reject a cell in row 999,999,999.
RowNumber = Annotated[int, msgspec.Meta(ge=0, le=5_000)]
ColumnNumber = Annotated[int, msgspec.Meta(ge=0, le=500)]
RowSpan = Annotated[int, msgspec.Meta(ge=1, le=5_000)]
ColumnSpan = Annotated[int, msgspec.Meta(ge=1, le=500)]


class BlockType(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    PICTURE = "picture"
    CAPTION = "caption"
    CODE = "code"
    FOOTNOTE = "footnote"
    PAGE_HEADER = "page_header"
    PAGE_FOOTER = "page_footer"


class Source(StrEnum):
    """Where a block's text comes from."""

    TEXT_LAYER = "text_layer"
    OCR = "ocr"
    MODEL = "model"


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A word and its box; ``confidence`` 0.0-1.0, None when unknown."""

    text: str
    box: Box
    confidence: float | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One printed line (of one column). ``size`` in points; ``confidence`` 0.0-1.0, None when unknown.

    ``words``: only if the request asks for their boxes.
    """

    text: str
    box: Box
    size: float = 0.0
    bold: bool = False
    italic: bool = False
    confidence: float | None = None
    words: tuple[Word, ...] = ()


class TextSpan(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Characters ``start`` to ``end`` (excluded) of a text that are set apart from the rest. Spans never overlap.

    ``level``: 1 above the line, -1 below it, 0 on it. ``url``: where a link leads to. ``latex``: LaTeX with its dollar
    signs, which Markdown has as it is; nothing in it can be read as a tag or a link.
    """

    start: int
    end: int
    bold: bool = False
    italic: bool = False
    struck: bool = False
    code: bool = False
    level: int = 0
    url: str = ""
    latex: bool = False


class Cell(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A table cell; rows and columns count from 0. ``words``: only if the request asks for their boxes."""

    row: RowNumber
    column: ColumnNumber
    text: str = ""
    row_span: RowSpan = 1
    column_span: ColumnSpan = 1
    header: bool = False
    box: Box | None = None
    spans: tuple[TextSpan, ...] = ()
    words: tuple[Word, ...] = ()


class EmbeddedImage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image file inside a document. ``name``: how its reader finds it; width and height in pixels, 0 until known."""

    name: str
    width: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    height: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class Barcode(msgspec.Struct, frozen=True, omit_defaults=True):
    """A bar code or matrix code. ``value``: what it says; ``format``: its kind, such as "QR code" or "EAN-13"."""

    value: str
    format: str
    box: Box


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signature field, or a signature on a scan, which has a ``confidence``, 0.0-1.0.

    ``field``: its name in the file; the others are what the file says: nothing is verified. ``signed_at``: as in ISO
    8601, "" if it is unknown.
    """

    is_signed: bool
    box: Box
    field: str = ""
    name: str = ""
    reason: str = ""
    signed_at: str = ""
    confidence: float | None = None


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One element of a page.

    ``level``: headings 1-6 (0 until the document is surveyed), list items 1 for the outermost, quotations 1.
    ``marker``: the bullet or number of a list item ("-", "3.", "b)"). ``cells``: tables only.
    ``confidence``: 0.0-1.0, None when unknown. ``spans``: the parts of ``text`` that are set apart, in order.
    ``font`` and ``colour`` ("rrggbb", "" for black): those of the first line. ``tagged_level``: the level of the
    heading that the tags of the document make of it, 0 for none. ``latex``: the LaTeX of a formula.
    ``description``: what a model says that a picture shows. ``image``: the file of a picture in an office document.
    ``barcode``: the kind of the code that a picture shows; its description has what the code says.
    ``is_chart``, ``is_signature``: of pictures.
    """

    type: BlockType
    box: Box
    text: str = ""
    lines: tuple[Line, ...] = ()
    level: int = 0
    marker: str = ""
    cells: tuple[Cell, ...] = ()
    source: Source = Source.TEXT_LAYER
    confidence: float | None = None
    spans: tuple[TextSpan, ...] = ()
    font: str = ""
    colour: str = ""
    tagged_level: int = 0
    latex: str = ""
    description: str = ""
    image: EmbeddedImage | None = None
    barcode: str = ""
    is_chart: bool = False
    is_signature: bool = False


class Bookmark(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of the outline of a document. ``level``: 1 for the outermost."""

    title: str
    level: int = 1


class Revision(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tracked change or a comment. ``type``: comment, deleted, formatted, inserted, moved_from or moved_to.

    ``target``: the text that a comment is about.
    """

    type: str
    content: str
    target: str = ""
    author: str = ""


class Page(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="page"):
    """One page as displayed (rotation applied). ``blocks`` is the reading order; sizes in points.

    ``number``: page number, from 1.
    ``needs_ocr``: why the text layer is not enough (``no_text_layer``, ``garbled_text``), or ``text_in_picture`` when
    its pictures may contain text; ``garbled_parts`` when the places ``garbled`` alone are not what the page shows;
    empty when the text layer is enough.
    ``warnings`` are public codes (``text_truncated``, ``text_cleaned``...).
    ``hidden``: invisible text that was removed on request, at most about a page of it.
    ``separators``: horizontal lines near the top and in the lower half, outside tables.
    ``figures``: where the page draws figures, with their labels. ``charts``: those of them that are charts.
    ``outline``: the bookmarks of the whole document, only on its first page.
    ``parsing``: how the content was produced: mode, model, fidelity.
    ``quality``: what is known about the text: ``lost_characters`` (visible and in no block), ``off_page_characters``
    (drawn outside the visible part), ``doubled_characters`` (drawn again over equal ones), ``layout`` ("lines" when
    tables and paragraphs were not looked for), ``reader`` (the second reader, if the first could not read the page).
    ``structured``: read from the structure of an office file, web page or text; its blocks are final, and those
    without a known place have ``NO_BOX``. ``sheet_name``, ``speaker_notes``, ``slide_section``: of sheets and slides.
    ``barcodes``: those found on the page; its blocks have them, too, unless a model wrote the blocks.
    ``signatures``: the signature fields of a page of a PDF, and signatures on scans.
    ``attachment_name``: of a page of a file that is attached to the document.
    """

    number: int
    width: float
    height: float
    blocks: tuple[Block, ...] = ()
    rotation: int = 0
    needs_ocr: str = ""
    warnings: tuple[str, ...] = ()
    parsing: dict[str, Any] = {}
    hidden: tuple[str, ...] = ()
    quality: dict[str, str | int] = {}
    separators: tuple[Box, ...] = ()
    figures: tuple[Box, ...] = ()
    charts: tuple[Box, ...] = ()
    garbled: tuple[Box, ...] = ()
    outline: tuple[Bookmark, ...] = ()
    structured: bool = False
    sheet_name: str = ""
    speaker_notes: str = ""
    slide_section: str = ""
    attachment_name: str = ""
    revisions: tuple[Revision, ...] = ()
    barcodes: tuple[Barcode, ...] = ()
    signatures: tuple[Signature, ...] = ()


class PageFailure(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="failure"):
    """A page that could not be read; ``code`` and ``detail`` as in errors.py. The other pages are not affected."""

    number: int
    code: str
    detail: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Page)
_either_decoder = msgspec.json.Decoder(Page | PageFailure)


def encode_page(page: Page) -> bytes:
    return _encoder.encode(page)


def decode_page(raw: bytes) -> Page:
    """Return the page that ``encode_page`` wrote. Raise ``GarbledPage`` for any other bytes."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GarbledPage from error


def encode_result(result: Page | PageFailure) -> bytes:
    """Return one JSON line, without its newline, for ``decode_result``."""
    return _encoder.encode(result)


def decode_result(raw: bytes) -> Page | PageFailure:
    """Return the result that ``encode_result`` wrote. Raise ``GarbledPage`` for any other bytes."""
    try:
        result: Page | PageFailure = _either_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GarbledPage from error
    return result


def encode_pages(results: Iterable[Page | PageFailure]) -> Iterator[bytes]:
    """Yield one JSON line per page, each with its newline."""
    for result in results:
        yield _encoder.encode(result) + b"\n"


def find_page(content: bytes, page_number: int) -> Page:
    """Return one page of those that ``encode_pages`` wrote, without decoding the others.

    Raise ``GarbledPage`` when the page is missing or malformed.
    """
    head = b'{"kind":"page","number":%d,' % page_number  # a newline inside a value is escaped
    begin = 0 if content.startswith(head) else content.find(b"\n" + head) + 1
    if not content.startswith(head, begin):
        raise GarbledPage
    end = content.find(b"\n", begin)
    return decode_page(content[begin:] if end < 0 else content[begin:end])


def decode_pages(lines: Iterable[bytes]) -> Iterator[Page | PageFailure]:
    """Yield the pages that ``encode_pages`` wrote. Raise ``GarbledPage`` at the first malformed line."""
    for line in lines:
        yield decode_result(line)
