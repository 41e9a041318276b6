"""What is on a page: lines with boxes, and the blocks they form, in reading order.

These values cross a process border as JSON (``encode_page`` / ``decode_page``), from a child that has met hostile
bytes to a worker that trusts nothing: decoding checks every field's type and raises ``GarbledPage``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from apps.pages.model.errors import GarbledPage
from apps.pages.model.geometry import Box

# Tables are spread out into rectangles later, so a line that names row 999,999,999 must not get past the decoder.
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


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One printed line (of one column). ``size`` in points; ``confidence`` 0.0-1.0, None when unknown."""

    text: str
    box: Box
    size: float = 0.0
    bold: bool = False
    italic: bool = False
    confidence: float | None = None


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table cell; rows and columns count from 0."""

    row: RowNumber
    column: ColumnNumber
    text: str = ""
    row_span: RowSpan = 1
    column_span: ColumnSpan = 1
    header: bool = False
    box: Box | None = None


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One element of a page.

    ``level``: headings 1-6 (0 until the document is surveyed), list items 1 for the outermost.
    ``marker``: what stands before a list item ("-", "3.", "b)"). ``cells``: tables only.
    ``confidence``: 0.0-1.0, None when unknown.
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


class Page(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="page"):
    """One page as displayed (rotation applied). ``blocks`` is the reading order; sizes in points.

    ``needs_ocr`` says why the text layer is not enough (``no_text_layer``, ``garbled_text``), or that its pictures may
    hold more (``text_in_picture``); empty when it is enough.
    ``warnings`` are public codes (``text_truncated``, ``text_cleaned``...).
    ``hidden``: text that people cannot see and that was left out because that was asked for, cut to a page's worth.
    ``parsing`` tells people how the page's content came about: mode, model, how true it is.
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
    """The page that ``encode_page`` wrote; ``GarbledPage`` when it is anything else."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GarbledPage from error


def encode_result(result: Page | PageFailure) -> bytes:
    """One JSON line without its line end; ``decode_result`` reads it."""
    return _encoder.encode(result)


def decode_result(raw: bytes) -> Page | PageFailure:
    """What ``encode_result`` wrote; ``GarbledPage`` when it is anything else."""
    try:
        result: Page | PageFailure = _either_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GarbledPage from error
    return result


def encode_pages(results: Iterable[Page | PageFailure]) -> Iterator[bytes]:
    """JSON lines, one per page, each with its line end."""
    for result in results:
        yield _encoder.encode(result) + b"\n"


def find_page(content: bytes, number: int) -> Page:
    """The page of this number among those that ``encode_pages`` wrote; the others are not decoded. ``GarbledPage`` when
    it is not there or is anything else."""
    head = b'{"kind":"page","number":%d,' % number  # a line end within a value is escaped
    begin = 0 if content.startswith(head) else content.find(b"\n" + head) + 1
    if not content.startswith(head, begin):
        raise GarbledPage
    end = content.find(b"\n", begin)
    return decode_page(content[begin:] if end < 0 else content[begin:end])


def decode_pages(lines: Iterable[bytes]) -> Iterator[Page | PageFailure]:
    """The pages that ``encode_pages`` wrote; ``GarbledPage`` at the first line that is anything else."""
    for line in lines:
        yield decode_result(line)
