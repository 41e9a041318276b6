"""Workbooks of older programs (xls), with xlrd, and with calamine if xlrd cannot open them. Macros are never run."""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import Any

from apps.pages.model.blocks import BlockType, Revision
from apps.pages.model.errors import DamagedDocument, EncryptedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office import encryption
from apps.pages.office.sheets import number_formats
from apps.pages.office.sheets.content import Area, FilledCell, SheetContent, cell_name
from apps.pages.office.sheets.number_formats import GENERAL
from apps.pages.office.sheets.older import drawings, values_only
from apps.pages.office.sheets.workbook import (
    DRAWINGS_NOT_READ,
    HIDDEN_SHEETS,
    PICTURES_NOT_READ,
    SheetSource,
    Workbook,
)
from apps.pages.office.sources import Source, bytes_of

MEDIA_TYPE = "application/vnd.ms-excel"
REPAIRED = "document_repaired"
_WITHOUT_VALUE = (0, 6)  # no cell, and one with nothing but a format


def open_file(source: Source, password: str | None, options: OfficeOptions) -> Workbook:
    content = bytes_of(source)
    try:
        try:
            book = _opened(content)
        except EncryptedDocument:
            content = encryption.decrypted(io.BytesIO(content), password).read()
            book = _opened(content)
    except DamagedDocument:
        return values_only.workbook_of(content, MEDIA_TYPE, options, warnings=(REPAIRED, DRAWINGS_NOT_READ))
    stream = drawings.workbook_stream(content)
    try:
        bound = drawings.bound_sheets(stream) if drawings.is_readable(stream) else []
    except (struct.error, IndexError):
        bound = []
    worksheets = iter(book.sheets())
    sources = []
    for one in bound:
        if one.kind == drawings.CELLS and (sheet := next(worksheets, None)) is not None:
            sources.append((one.is_hidden, SheetSource(one.name, partial(_read, book, sheet, stream, one.start))))
        elif one.kind == drawings.CHART:
            sources.append((one.is_hidden, SheetSource(one.name, partial(_read_chart, stream, one.start))))
    sources += [
        (bool(sheet.visibility), SheetSource(clean(sheet.name), partial(_read, book, sheet))) for sheet in worksheets
    ]
    shown = [source for is_hidden, source in sources if options.hidden_sheets or not is_hidden]
    warnings = [HIDDEN_SHEETS] if len(shown) < len(sources) else []
    if not bound and drawings.has_objects(stream):
        warnings.append(DRAWINGS_NOT_READ)
    return Workbook(MEDIA_TYPE, shown, warnings=tuple(warnings), options=options)


def _opened(content: bytes) -> Any:
    import xlrd
    from xlrd.compdoc import CompDocError
    from xlrd.formula import FormulaError

    try:
        return xlrd.open_workbook(
            file_contents=content,
            logfile=io.StringIO(),
            formatting_info=True,
            ragged_rows=True,  # otherwise all rows are as long as the longest
            ignore_workbook_corruption=True,  # streams that share sectors; other programs open such files
        )
    except xlrd.XLRDError as error:
        raise (EncryptedDocument if "encrypted" in str(error).lower() else DamagedDocument) from error
    except (CompDocError, FormulaError, struct.error) as error:
        raise DamagedDocument from error
    except (ValueError, LookupError, AssertionError, TypeError, AttributeError, ArithmeticError) as error:
        raise DamagedDocument from error  # xlrd believes what a file says about itself


def _read(book: Any, sheet: Any, stream: bytes = b"", start: int = 0) -> SheetContent:
    """Return what a sheet has. ``stream``, ``start``: where its drawings are, if they can be read."""
    found = SheetContent()
    for row in range(sheet.nrows):
        for column, kind in enumerate(sheet.row_types(row)):
            if kind not in _WITHOUT_VALUE and (text := _shown(book, sheet.cell(row, column)).strip()):
                found.cells.append(FilledCell(row, column, text))
    found.merged = [Area(row, column, end - 1, last - 1) for row, end, column, last in sheet.merged_cells]
    for link in sheet.hyperlink_list:
        address = str(link.url_or_path or "") if link.type == "url" else ""
        if is_shown_address(address):
            found.links[link.frowx, link.fcolx] = clean(address)
    for (row, column), note in sorted(sheet.cell_note_map.items()):
        author = clean(note.author or "")
        text = clean(note.text or "").strip().removeprefix(f"{author}:").strip()
        if text:
            found.comments.append(Revision("comment", text, cell_name(row, column), author))
    if stream:
        _add_drawings(found, stream, start)
    return found


def _add_drawings(found: SheetContent, stream: bytes, start: int) -> None:
    try:
        drawn = drawings.content_of_sheet(stream, start)
    except (struct.error, IndexError):
        found.warn(DRAWINGS_NOT_READ)
        return
    found.after += drawn.blocks
    if drawn.has_files:
        found.warn("embedded_files_not_read")
    if any(block.type is BlockType.PICTURE for block in drawn.blocks):
        found.warn(PICTURES_NOT_READ)


def _read_chart(stream: bytes, start: int) -> SheetContent:
    found = SheetContent()
    try:
        found.after += drawings.blocks_of_chart_sheet(stream, start)
    except (struct.error, IndexError):
        found.warn(DRAWINGS_NOT_READ)
    return found


def _shown(book: Any, cell: Any) -> str:
    kind, value = cell.ctype, cell.value
    if kind == 1:
        return clean(value)
    if kind in (2, 3):
        entry = book.format_map.get(book.xf_list[cell.xf_index].format_key)
        code = (entry.format_str if entry else None) or GENERAL
        return number_formats.shown(value, BUILT_IN_SHORT_DATE.get(code, code), is_1904=bool(book.datemode))
    if kind == 4:
        return "TRUE" if value else "FALSE"
    if kind == 5:
        from xlrd.biffh import error_text_from_code

        return str(error_text_from_code.get(value, "#N/A"))
    return ""


BUILT_IN_SHORT_DATE = {"m/d/yy": number_formats.BUILT_IN[14], "m/d/yy h:mm": number_formats.BUILT_IN[22]}
"""xlrd names these by their American form, but they follow the user's locale."""
