"""Workbooks of older programs (xls), with xlrd, and with calamine if xlrd cannot open them. Macros are never run."""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import Any

from apps.pages.model.blocks import Revision
from apps.pages.model.errors import DamagedDocument, EncryptedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office import encryption
from apps.pages.office.sheets import number_formats, values_only
from apps.pages.office.sheets.content import Area, FilledCell, SheetContent, cell_name
from apps.pages.office.sheets.number_formats import GENERAL
from apps.pages.office.sheets.workbook import DRAWINGS_NOT_READ, HIDDEN_SHEETS, SheetSource, Workbook
from apps.pages.office.sources import Source, bytes_of

MEDIA_TYPE = "application/vnd.ms-excel"
REPAIRED = "document_repaired"
_OBJECT_RECORD = 0x005D
_NO_DRAWINGS = (0x14, 0x19)  # drop-down lists and notes (MS-XLS 2.5.143)
_STREAMS = ("Workbook", "Book")


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
    sheets = [sheet for sheet in book.sheets() if options.hidden_sheets or not sheet.visibility]
    warnings = [HIDDEN_SHEETS] if len(sheets) < book.nsheets else []
    if _has_drawings(content):
        warnings.append(DRAWINGS_NOT_READ)
    sources = [SheetSource(clean(sheet.name), partial(_read, book, sheet)) for sheet in sheets]
    return Workbook(MEDIA_TYPE, sources, warnings=tuple(warnings), options=options)


def _opened(content: bytes) -> Any:
    import xlrd
    from xlrd.compdoc import CompDocError
    from xlrd.formula import FormulaError

    try:
        return xlrd.open_workbook(
            file_contents=content,
            logfile=io.StringIO(),
            formatting_info=True,
            ignore_workbook_corruption=True,  # streams that share sectors; other programs open such files
        )
    except xlrd.XLRDError as error:
        raise (EncryptedDocument if "encrypted" in str(error).lower() else DamagedDocument) from error
    except (CompDocError, FormulaError, struct.error) as error:
        raise DamagedDocument from error
    except (ValueError, LookupError, AssertionError, TypeError, AttributeError, ArithmeticError) as error:
        raise DamagedDocument from error  # xlrd believes what a file says about itself


def _read(book: Any, sheet: Any) -> SheetContent:
    found = SheetContent()
    for row in range(sheet.nrows):
        for column in range(sheet.row_len(row)):
            if text := _shown(book, sheet.cell(row, column)).strip():
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
    return found


def _shown(book: Any, cell: Any) -> str:
    kind, value = cell.ctype, cell.value
    if kind == 1:
        return clean(value)
    if kind in (2, 3):
        entry = book.format_map.get(book.xf_list[cell.xf_index].format_key)
        code = entry.format_str if entry else GENERAL
        return number_formats.shown(value, BUILT_IN_SHORT_DATE.get(code, code), is_1904=bool(book.datemode))
    if kind == 4:
        return "TRUE" if value else "FALSE"
    if kind == 5:
        from xlrd.biffh import error_text_from_code

        return str(error_text_from_code.get(value, "#N/A"))
    return ""


BUILT_IN_SHORT_DATE = {"m/d/yy": number_formats.BUILT_IN[14], "m/d/yy h:mm": number_formats.BUILT_IN[22]}
"""xlrd names these by their American form, but they follow the user's locale."""


def _has_drawings(content: bytes) -> bool:
    """Return whether sheets have charts, pictures or text boxes, by their records (MS-XLS 2.4.181)."""
    import olefile

    if not content.startswith(olefile.MAGIC):
        return False
    try:
        with olefile.OleFileIO(io.BytesIO(content)) as file:
            name = next((name for name in _STREAMS if file.exists(name)), "")
            stream = file.openstream(name).read() if name else b""
    except (OSError, ValueError, LookupError):
        return False
    place = 0
    while place + 4 <= len(stream):
        record, size = struct.unpack_from("<HH", stream, place)
        if record == _OBJECT_RECORD and size >= 6:
            (kind,) = struct.unpack_from("<H", stream, place + 8)
            if kind not in _NO_DRAWINGS:
                return True
        place += 4 + size
    return False
