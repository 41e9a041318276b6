"""Binary Open XML workbooks (xlsb): an xlsx whose sheets, texts and styles are records instead of XML (MS-XLSB)."""

from __future__ import annotations

import struct
from functools import partial

from apps.pages.model.blocks import Revision
from apps.pages.model.errors import DamagedDocument, TooManyElements
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.sheets import number_formats, worksheet
from apps.pages.office.sheets.binary.records import packed_number, records, rich_string, wide_string
from apps.pages.office.sheets.content import MAX_CELLS, Area, FilledCell, SheetContent, cell_name
from apps.pages.office.sheets.number_formats import BUILT_IN, GENERAL
from apps.pages.office.sheets.sheet_rows import MAX_COLUMN, MAX_ROW, BookParts
from apps.pages.office.sheets.workbook import HIDDEN_SHEETS, SheetSource, Workbook
from apps.pages.office.sheets.xlsx import people_of
from apps.pages.office.sources import Source
from apps.pages.office.xml_parts import Relationship, core_title, relationships

MEDIA_TYPE = "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
_SHORT_BYTES = 50_000
"""A sheet of this size fits on one page: each of its rows takes 19 bytes or more."""
# The types of records (MS-XLSB 2.3.2).
_ROW = 0
_BLANK, _PACKED, _ERROR, _BOOLEAN, _REAL, _TEXT, _SHARED = range(1, 8)
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOLEAN, _FORMULA_ERROR = range(8, 12)
_WITHOUT_COLUMN = {12 + kind - _BLANK: kind for kind in range(_BLANK, _SHARED + 1)}
"""Cells that follow the one before, by the type of the cell that is written in full."""
_SHARED_TEXT, _FORMAT, _STYLE, _RICH_TEXT = 19, 44, 47, 62
_BOOK, _SHEET, _MERGED, _RUNNING_LINES, _LINK = 153, 156, 176, 479, 494
_STYLES, _END_OF_STYLES = 617, 618
_AUTHOR, _COMMENT, _COMMENT_TEXT = 632, 635, 637
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


def open_file(source: Source, password: str | None, options: OfficeOptions) -> Workbook:
    archive = Archive(source, password)
    main = next((one.target for one in relationships(archive, "").values() if one.kind == "officeDocument"), "")
    links = relationships(archive, main)
    by_kind = {link.kind: link.target for link in links.values()}
    sheets, has_hidden, is_1904 = [], False, False
    try:
        texts = [
            clean(rich_string(body, 0)) for body in _bodies(archive, by_kind.get("sharedStrings", ""), _SHARED_TEXT)
        ]
        formats = _formats(archive, by_kind.get("styles", ""))
        found = list(records(archive.read(main)))
        is_1904 = any(kind == _BOOK and body and body[0] & 1 for kind, body in found)
        book = BookParts(texts, formats, is_1904, people_of(archive, by_kind.get("person", "")))
        for kind, body in found:
            if kind != _SHEET:
                continue
            (visibility,) = struct.unpack_from("<I", body)
            link_id, place = wide_string(body, 8)
            name, _end = wide_string(body, place)
            link = links.get(link_id)
            if link is None or link.target not in archive:
                continue
            if visibility and not options.hidden_sheets:
                has_hidden = True
                continue
            load = partial(read, archive, link.target, book)
            sheets.append(SheetSource(clean(name), load, _is_short(archive, link.target)))
    except struct.error as error:
        raise DamagedDocument from error
    if not sheets and not has_hidden:
        raise DamagedDocument
    warnings = (HIDDEN_SHEETS,) if has_hidden else ()
    return Workbook(MEDIA_TYPE, sheets, title=clean(core_title(archive)), warnings=warnings, options=options)


def _is_short(archive: Archive, name: str) -> bool:
    with archive.opened(name) as source:
        return len(source.read(_SHORT_BYTES + 1)) <= _SHORT_BYTES


def _bodies(archive: Archive, name: str, wanted: int) -> list[bytes]:
    return [body for kind, body in records(archive.read(name)) if kind == wanted] if name else []


def _formats(archive: Archive, name: str) -> list[str]:
    """Return the number format of each cell style."""
    own: dict[int, str] = {}
    formats: list[str] = []
    is_for_cells = False
    for kind, body in records(archive.read(name)) if name else ():
        if kind == _FORMAT:
            (number,) = struct.unpack_from("<H", body)
            own[number], _end = wide_string(body, 2)
        elif kind in (_STYLES, _END_OF_STYLES):
            is_for_cells = kind == _STYLES
        elif kind == _STYLE and is_for_cells:
            (number,) = struct.unpack_from("<H", body, 2)
            formats.append(own.get(number) or BUILT_IN.get(number, GENERAL))
    return formats


def read(archive: Archive, name: str, book: BookParts) -> SheetContent:
    """Return what a sheet has. Raise DamagedDocument, TooManyElements, ArchiveTooLarge."""
    sheet = SheetContent()
    links = relationships(archive, name)
    try:
        _read_records(sheet, archive.read(name), book, links)
        notes = [note for link in links.values() if link.kind == "comments" for note in _notes(archive, link.target)]
    except struct.error as error:
        raise DamagedDocument from error
    sheet.cells.sort()  # by row and column
    worksheet.add_comments(sheet, notes, worksheet.threads(archive, links, book))
    worksheet.add_linked_parts(sheet, archive, links)
    return sheet


def _read_records(sheet: SheetContent, content: bytes, book: BookParts, links: dict[str, Relationship]) -> None:
    row = column = 0
    for kind, body in records(content):
        if kind <= 18 or kind == _RICH_TEXT:
            if kind == _ROW:
                row, column = min(struct.unpack_from("<I", body)[0], MAX_ROW), -1
                continue
            if full := _WITHOUT_COLUMN.get(kind):
                kind, column, start = full, column + 1, 4
                (style,) = struct.unpack_from("<I", body)
            else:
                column, style = struct.unpack_from("<II", body)
                start = 8
            if kind != _BLANK and (text := _shown(kind, body, start, style & 0xFFFFFF, book).strip()):
                sheet.cells.append(FilledCell(row, min(column, MAX_COLUMN), text))
                if len(sheet.cells) > MAX_CELLS:
                    raise TooManyElements(f"The sheet has more than {MAX_CELLS:,} filled cells. Split it.")
        elif kind == _MERGED:
            sheet.merged.append(_area(body, 0))
        elif kind == _LINK:
            link_id, place = wide_string(body, 16)
            worksheet.add_link(sheet, _area(body, 0), links.get(link_id), wide_string(body, place)[0])
        elif kind == _RUNNING_LINES:
            header, place = wide_string(body, 2)
            worksheet.add_running_line(sheet, header, is_header=True)
            worksheet.add_running_line(sheet, wide_string(body, place)[0], is_header=False)


def _area(body: bytes, place: int) -> Area:
    """Return the cells of an UncheckedRfX (MS-XLSB 2.5.159)."""
    row, last_row, column, last_column = struct.unpack_from("<4I", body, place)
    return Area(min(row, MAX_ROW), min(column, MAX_COLUMN), min(last_row, MAX_ROW), min(last_column, MAX_COLUMN))


def _shown(kind: int, body: bytes, start: int, style: int, book: BookParts) -> str:
    """Return the value of a cell as its number format shows it."""
    code = book.formats[style] if style < len(book.formats) else GENERAL
    if kind in (_PACKED, _REAL, _FORMULA_NUMBER):
        if kind == _PACKED:
            value = packed_number(struct.unpack_from("<I", body, start)[0])
        else:
            (value,) = struct.unpack_from("<d", body, start)
        try:
            return number_formats.shown(value, code, is_1904=book.is_1904)
        except (ValueError, OverflowError):
            return number_formats.general(value)
    if kind in (_BOOLEAN, _FORMULA_BOOLEAN):
        return "TRUE" if body[start : start + 1] == b"\x01" else "FALSE"
    if kind in (_ERROR, _FORMULA_ERROR):
        return _ERRORS.get(body[start] if len(body) > start else -1, "#N/A")
    if kind == _SHARED:
        (index,) = struct.unpack_from("<I", body, start)
        text = book.texts[index] if index < len(book.texts) else ""
    else:
        text = clean(rich_string(body, start) if kind == _RICH_TEXT else wide_string(body, start)[0])
    return text if code == GENERAL else number_formats.shown_text(text, code)


def _notes(archive: Archive, name: str) -> list[Revision]:
    authors: list[str] = []
    notes: list[Revision] = []
    for kind, body in records(archive.read(name)):
        if kind == _AUTHOR:
            authors.append(clean(wide_string(body, 0)[0]))
        elif kind == _COMMENT:
            (index,) = struct.unpack_from("<I", body)
            area = _area(body, 4)
            author = authors[index] if index < len(authors) else ""
            notes.append(Revision("comment", "", cell_name(area.row, area.column), author))
        elif kind == _COMMENT_TEXT and notes:
            notes[-1] = Revision("comment", clean(rich_string(body, 0)), notes[-1].target, notes[-1].author)
    return notes
