"""Open XML workbooks (xlsx, xlsm and their templates). Macros, queries and links to other files are never followed."""

from __future__ import annotations

from functools import partial

from apps.pages.model.errors import DamagedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import encryption, packages
from apps.pages.office.archive import Archive
from apps.pages.office.sheets import sheet_rows, worksheet
from apps.pages.office.sheets.content import ROWS_PER_PAGE
from apps.pages.office.sheets.formulas.recalculation import recalculated
from apps.pages.office.sheets.number_formats import BUILT_IN, GENERAL
from apps.pages.office.sheets.workbook import HIDDEN_SHEETS, NOT_COMPUTED, SheetSource, Workbook
from apps.pages.office.sources import Source
from apps.pages.office.xml_parts import attribute, core_title, part, relationships

_SHORT_BYTES = 200_000
"""A part of this size holds so few cells and characters that they fit on one page, if its rows do."""


def open_file(source: Source, password: str | None, options: OfficeOptions) -> Workbook:
    archive = Archive(source, password)
    warnings: tuple[str, ...] = ()
    if options.computes_formulas:
        archive, is_computed = recalculated(archive, encryption.plain_content(source, password))
        warnings = () if is_computed else (NOT_COMPUTED,)
    main = next((one.target for one in relationships(archive, "").values() if one.kind == "officeDocument"), "")
    root = part(archive, main)
    if root is None:
        raise DamagedDocument
    links = relationships(archive, main)
    by_kind = {link.kind: link.target for link in links.values()}
    properties = root.find("{*}workbookPr")
    book = sheet_rows.BookParts(
        texts=_texts(archive, by_kind.get("sharedStrings", "")),
        formats=_formats(archive, by_kind.get("styles", "")),
        is_1904=properties is not None and properties.get("date1904") in ("1", "true"),
        people=people_of(archive, by_kind.get("person", "")),
    )
    sheets, has_hidden = [], False
    for element in root.iterfind("{*}sheets/{*}sheet"):
        link = links.get(attribute(element, "id"))
        if link is None or link.target not in archive:
            continue
        if element.get("state", "visible") != "visible" and not options.hidden_sheets:
            has_hidden = True
            continue
        load = partial(worksheet.read, archive, link.target, book)
        sheets.append(SheetSource(clean(element.get("name", "")), load, _is_short(archive, link.target)))
    return Workbook(
        packages.type_of_parts(archive),
        sheets,
        title=clean(core_title(archive)),
        warnings=(*warnings, HIDDEN_SHEETS) if has_hidden else warnings,
        options=options,
    )


def _is_short(archive: Archive, name: str) -> bool:
    """Return whether a sheet certainly fits on a page, without parsing it."""
    with archive.opened(name) as source:
        start = source.read(_SHORT_BYTES)
        return not source.read(1) and start.count(b"row ") + start.count(b"row>") <= ROWS_PER_PAGE


def _texts(archive: Archive, name: str) -> list[str]:
    if name not in archive:
        return []
    with archive.opened(name) as source:
        return sheet_rows.shared_texts(source)


def _formats(archive: Archive, name: str) -> list[str]:
    """Return the number format of each cell style."""
    root = part(archive, name) if name else None
    if root is None:
        return []
    own = {
        element.get("numFmtId", ""): element.get("formatCode", GENERAL)
        for element in root.iterfind("{*}numFmts/{*}numFmt")
    }
    formats = []
    for element in root.iterfind("{*}cellXfs/{*}xf"):
        number = element.get("numFmtId", "0")
        formats.append(own.get(number) or BUILT_IN.get(int(number) if number.isdigit() else 0, GENERAL))
    return formats


def people_of(archive: Archive, name: str) -> dict[str, str]:
    """Return the names of those who comment in threads, by id."""
    root = part(archive, name) if name else None
    return {one.get("id", ""): clean(one.get("displayName", "")) for one in root} if root is not None else {}
