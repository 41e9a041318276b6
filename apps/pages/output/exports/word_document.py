"""Write a document as a Word file (docx): styles for headings and lists, tables with merged cells, links, pictures.

Pages flow into each other: what a page break divided is one paragraph or table again.
"""

# ruff: noqa: SLF001 (python-docx has no public names for the XML of links, merged cells and descriptions)

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import docx
from docx.exceptions import InvalidSpanError
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Pt

from apps.pages.layout.document.continuations import ContinuationJoiner
from apps.pages.model.blocks import Block, BlockType, Page, PageFailure, TextSpan
from apps.pages.model.errors import DocumentError, PageError
from apps.pages.model.text import list_markers
from apps.pages.output import render
from apps.pages.output.exports.pictures import PictureOf, has_picture, picture_of_block, width_of
from apps.pages.output.exports.xml_text import xml_text

MAX_EMBEDDED_PICTURES = 200
MAX_COLUMNS = 63
"""Word reports a file with a wider table as damaged."""
_MAX_PICTURE_POINTS = 430.0  # the text of the template is as wide
_MAX_LIST_STYLES = 3
_MONOSPACED = "Courier New"
_PLAIN = TextSpan(0, 0)


def write_docx(
    pages: Iterable[Page | PageFailure],
    out: BinaryIO,
    *,
    title: str,
    picture_of: PictureOf | None = None,
) -> None:
    """Write the pages, whose blocks are finished. Running headers and footers are left out.

    Pictures beyond ``MAX_EMBEDDED_PICTURES``, and those that cannot be rendered, have only their texts; a line at the
    end says how many they are.
    """
    writer = _WordWriter(title, picture_of)
    joiner = ContinuationJoiner()
    pictures: list[tuple[Page, Block]] = []
    for page in pages:
        if isinstance(page, PageFailure):
            writer.add_note(f"Page {page.number} could not be read: {page.code}. {page.detail}")
            continue
        for block in page.blocks:
            if block.type is BlockType.PICTURE:
                pictures.append((page, block))
                continue
            for _number, finished in joiner.add(page.number, [block]):
                writer.add(finished)
                writer.add_pictures(pictures)
    for _number, finished in joiner.finish():
        writer.add(finished)
    writer.add_pictures(pictures)
    writer.save(out)


class _WordWriter:
    """Writes blocks into one Word document."""

    def __init__(self, title: str, picture_of: PictureOf | None) -> None:
        self._document: Any = docx.Document()
        self._document.core_properties.title = xml_text(title)[:255]
        self._document.core_properties.author = ""
        self._picture_of = picture_of
        self._embedded = 0
        self._left_out = 0

    def save(self, out: BinaryIO) -> None:
        if self._left_out:
            self.add_note(f"{self._left_out} more pictures are not shown.")
        self._document.save(out)

    def add_note(self, text: str) -> None:
        self._document.add_paragraph(xml_text(text).strip(), style="Intense Quote")

    def add(self, block: Block) -> None:
        if block.type is BlockType.TABLE:
            self._add_table(block)
            return
        paragraph, text = self._document.add_paragraph(), block.text
        marker = block.marker
        if block.type is BlockType.HEADING:
            paragraph.style = f"Heading {max(1, min(6, block.level))}"
        elif block.type is BlockType.LIST_ITEM:
            level = min(max(1, block.level), _MAX_LIST_STYLES)
            if list_markers.is_ordered(marker) or list_markers.is_check_box(marker):
                # The numbers of the document are kept: Word would count on from the list before.
                paragraph.style = "List" if level == 1 else f"List {level}"
            else:
                paragraph.style, marker = "List Bullet" if level == 1 else f"List Bullet {level}", ""
        elif block.type is BlockType.CAPTION:
            paragraph.style = "Caption"
        elif block.type is BlockType.PARAGRAPH and block.level:
            paragraph.style = "Quote"
        if marker:
            paragraph.add_run(xml_text(f"{marker} "))
        if block.type is BlockType.CODE:
            paragraph.add_run(xml_text(text)).font.name = _MONOSPACED
        else:
            self._add_text(paragraph, text, block.spans)

    def add_pictures(self, pictures: list[tuple[Page, Block]]) -> None:
        """Add the pictures with their texts, and empty the list."""
        for page, block in pictures:
            text = xml_text(block.description or block.text)
            jpeg = self._picture(page, block)
            if jpeg:
                width = Pt(min(width_of(block), _MAX_PICTURE_POINTS))
                shown = self._document.add_picture(io.BytesIO(jpeg), width=width)
                shown._inline.docPr.set("descr", text)
            if text:
                self._document.add_paragraph(text, style="Caption")
        pictures.clear()

    def _picture(self, page: Page, block: Block) -> bytes:
        if self._picture_of is None or not has_picture(block):
            return b""
        if self._embedded < MAX_EMBEDDED_PICTURES:
            self._embedded += 1
            try:
                return picture_of_block(self._picture_of, page, block)
            except (PageError, DocumentError):  # such as a password that is no longer known
                pass
        self._left_out += 1
        return b""

    def _add_text(self, paragraph: Any, text: str, spans: Iterable[TextSpan]) -> None:
        """Add runs for the parts of a text that are set apart, and for those between them."""
        if _is_right_to_left(text):
            paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
        for part, span in _parts(text, spans):
            run = paragraph.add_run(xml_text(part))
            run.bold, run.italic = span.bold or None, span.italic or None
            run.font.strike = span.struck or None
            run.font.superscript, run.font.subscript = span.level > 0 or None, span.level < 0 or None
            if span.code:
                run.font.name = _MONOSPACED
            if span.url:
                link = OxmlElement("w:hyperlink")
                address = paragraph.part.relate_to(xml_text(span.url), RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
                link.set(qn("r:id"), address)
                run.font.underline = True
                paragraph._p.replace(run._r, link)
                link.append(run._r)

    def _add_table(self, block: Block) -> None:
        height = max((cell.row + cell.row_span for cell in block.cells), default=0)
        width = max((cell.column + cell.column_span for cell in block.cells), default=0)
        if width > MAX_COLUMNS:
            self.add_note(f"This table has {width} columns, more than Word can show.")
            for texts in render.grid_of(block.cells):
                self._document.add_paragraph(xml_text("\t".join(texts)))
            return
        if not height:
            return
        table = self._document.add_table(height, width, style="Table Grid")
        grid = table._cells  # one list: table.cell() would read the whole table for each cell
        for cell in block.cells:
            shown = grid[cell.row * width + cell.column]
            if cell.row_span > 1 or cell.column_span > 1:
                last = (cell.row + cell.row_span - 1) * width + cell.column + cell.column_span - 1
                with suppress(InvalidSpanError):  # cells that overlap stay apart
                    shown = shown.merge(grid[last])
            spans = cell.spans or ((TextSpan(0, len(cell.text), bold=True),) if cell.header else ())
            self._add_text(shown.paragraphs[0], cell.text, spans)
        body = min((cell.row for cell in block.cells if not cell.header), default=0)
        for row in table.rows[:body]:  # repeated on each page
            row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
        self._document.add_paragraph()


def _parts(text: str, spans: Iterable[TextSpan]) -> Iterator[tuple[str, TextSpan]]:
    at = 0
    for span in spans:
        if span.start > at:
            yield text[at : span.start], _PLAIN
        if span.end > max(at, span.start):
            yield text[max(at, span.start) : span.end], span
        at = max(at, span.end)
    if at < len(text):
        yield text[at:], _PLAIN


def _is_right_to_left(text: str) -> bool:
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"
