"""Workbooks that no other reader opens, with calamine. It gives values without their number formats."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from apps.pages.model.errors import DamagedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office.sheets import number_formats
from apps.pages.office.sheets.content import FilledCell, SheetContent
from apps.pages.office.sheets.workbook import DRAWINGS_NOT_READ, HIDDEN_SHEETS, SheetSource, Workbook


def workbook_of(content: bytes, media_type: str, options: OfficeOptions, *, warnings: tuple[str, ...] = ()) -> Workbook:
    """Return the workbook as calamine reads it. Raise DamagedDocument."""
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    with _damaged():
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        metadata = book.sheets_metadata
    shown = [sheet for sheet in metadata if options.hidden_sheets or sheet.visible == SheetVisibleEnum.Visible]
    warnings += (HIDDEN_SHEETS,) if len(shown) < len(metadata) else ()
    sources = [SheetSource(clean(sheet.name), partial(_read, book, sheet)) for sheet in shown]
    return Workbook(media_type, sources, warnings=warnings, options=options)


def _read(book: Any, metadata: Any) -> SheetContent:
    from python_calamine import SheetTypeEnum

    found = SheetContent()
    if metadata.typ != SheetTypeEnum.WorkSheet:
        found.warn(DRAWINGS_NOT_READ)
        return found
    with _damaged():
        sheet = book.get_sheet_by_name(metadata.name)
        for row, values in enumerate(sheet.to_python(skip_empty_area=False)):
            for column, value in enumerate(values):
                if text := shown(value).strip():
                    found.cells.append(FilledCell(row, column, text))
    return found


@contextmanager
def _damaged() -> Iterator[None]:
    """Turn the faults of calamine into DamagedDocument; it exports no class for the panics of its language."""
    from python_calamine import CalamineError

    try:
        yield
    except (CalamineError, OSError, ValueError) as error:
        raise DamagedDocument from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise DamagedDocument from error
        raise


def shown(value: object) -> str:
    """Return a value as people write it; the format that it has in the file is not known."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return number_formats.general(value)
    if isinstance(value, datetime):
        return str(value).removesuffix(" 00:00:00")
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3_600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return clean(str(value))
