"""Read a sheet of an Open XML workbook: its cells as they are shown, comments, links, pictures and charts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from apps.pages.model.blocks import Block, BlockType, Revision
from apps.pages.model.errors import TooManyElements
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.sheets import formula_text, number_formats, sheet_drawing
from apps.pages.office.sheets.content import MAX_CELLS, Area, FilledCell, SheetContent
from apps.pages.office.sheets.number_formats import GENERAL
from apps.pages.office.sheets.workbook import NOT_COMPUTED
from apps.pages.office.xml_parts import Element, Relationship, attribute, elements, local_name, part, relationships

MAX_PLAIN_DIGITS = 16
MAX_ROW, MAX_COLUMN = 1_048_575, 16_383
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ON_PAPER = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|[0-9]+|[A-Za-z])')


@dataclass(frozen=True)
class BookParts:
    """What all sheets share. ``formats``: the number format of each style. ``people``: who comments, by id."""

    texts: list[str]
    formats: list[str]
    is_1904: bool = False
    people: dict[str, str] = field(default_factory=dict)


def read(archive: Archive, name: str, book: BookParts) -> SheetContent:
    """Return what a sheet has. Raise DamagedDocument, TooManyElements, ArchiveTooLarge."""
    sheet = SheetContent()
    links = relationships(archive, name)
    masters: dict[str, tuple[int, int, str]] = {}
    row = -1
    tags = ("row", "mergeCell", "hyperlink", "oddHeader", "oddFooter")
    with archive.opened(name) as source:
        for element in elements(source, *(f"{{*}}{tag}" for tag in tags)):
            if element.tag.endswith("}row"):
                number = element.get("r", "")
                row = min(int(number) - 1, MAX_ROW) if number.isdigit() and int(number) else row + 1
                _read_row(sheet, element, row, book, masters)
                continue
            kind = local_name(element)
            if kind == "mergeCell":
                sheet.merged += [area for area in [area_of(element.get("ref", ""))] if area]
            elif kind == "hyperlink":
                _add_link(sheet, element, links)
            else:
                add_running_line(sheet, element.text or "", is_header=kind == "oddHeader")
    sheet.cells.sort()  # by row and column
    _add_comments(sheet, archive, links, book)
    add_linked_parts(sheet, archive, links)
    return sheet


def add_running_line(sheet: SheetContent, text: str, *, is_header: bool) -> None:
    """Add the header or footer that the sheet has on paper, without its codes for fonts, dates and page numbers."""
    if text := clean(" ".join(_ON_PAPER.sub(" ", text).split())):
        block_type = BlockType.PAGE_HEADER if is_header else BlockType.PAGE_FOOTER
        (sheet.before if is_header else sheet.after).append(Block(type=block_type, box=NO_BOX, text=text))


def add_linked_parts(sheet: SheetContent, archive: Archive, links: dict[str, Relationship]) -> None:
    """Add what is drawn on the sheet, and a warning if files are inside it."""
    for link in links.values():
        if link.kind == "drawing":
            sheet_drawing.read(sheet, archive, link.target)
        elif link.kind in ("oleObject", "package", "control"):
            sheet.warn("embedded_files_not_read")


def _read_row(
    sheet: SheetContent, element: Element, row: int, book: BookParts, masters: dict[str, tuple[int, int, str]]
) -> None:
    column = -1
    for cell in element:
        reference = cell.get("r")
        column = _column(reference.rstrip("0123456789")) if reference else column + 1
        value, formula, inline = _parts(cell)
        kind = cell.get("t", "n")
        text = ""
        if inline is not None:
            text = rich_text(inline)
        elif value:
            text = _shown(value, kind, cell.get("s"), book)
        if formula is not None and (written := _formula(formula, row, column, masters)) and not value and kind != "str":
            sheet.warn(NOT_COMPUTED)
            text = "=" + written
        if text := text.strip():
            sheet.cells.append(FilledCell(row, column, text))
    if len(sheet.cells) > MAX_CELLS:
        raise TooManyElements(f"The sheet has more than {MAX_CELLS:,} filled cells. Split it.")


def _parts(cell: Element) -> tuple[str | None, Element | None, Element | None]:
    """Return the value of a cell, its formula and the text that is written in the cell itself."""
    value = formula = inline = None
    for child in cell:
        tag = child.tag
        if tag.endswith("}v"):
            value = child.text
        elif tag.endswith("}f"):
            formula = child
        elif tag.endswith("}is"):
            inline = child
    return value, formula, inline


def _shown(value: str, kind: str, style: str | None, book: BookParts) -> str:
    code = book.formats[int(style)] if style and style.isdigit() and int(style) < len(book.formats) else GENERAL
    if kind == "n":
        if code == GENERAL and len(value) < MAX_PLAIN_DIGITS and value.isdecimal() and value.isascii():
            return value.lstrip("0") or "0"
        try:
            return number_formats.shown(float(value), code, is_1904=book.is_1904)
        except (ValueError, OverflowError):
            return clean(value)
    if kind == "s":
        text = book.texts[int(value)] if value.isdigit() and int(value) < len(book.texts) else ""
        return text if code == GENERAL else number_formats.shown_text(text, code)
    if kind == "b":
        return "TRUE" if value.strip() in ("1", "true") else "FALSE"
    if kind == "d":
        return value.removesuffix("T00:00:00").replace("T", " ")
    return clean(_unescaped(value))


def _formula(element: Element, row: int, column: int, masters: dict[str, tuple[int, int, str]]) -> str:
    """Return a formula; those that share one have it with the references moved to their own cell."""
    text, shared = clean(element.text or ""), element.get("si", "")
    if element.get("t") != "shared":
        return text
    if text:
        masters[shared] = row, column, text
        return text
    first_row, first_column, first = masters.get(shared, (row, column, "?"))
    return formula_text.moved(first, row - first_row, column - first_column)


def rich_text(element: Element) -> str:
    """Return the text of runs, or of one text."""
    texts = [child.text or "" for child in element.iterfind("{*}t")]
    texts += [text.text or "" for text in element.iterfind("{*}r/{*}t")]
    return clean(_unescaped("".join(texts)))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text) if "_x" in text else text


@lru_cache(MAX_COLUMN + 1)
def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper()[:3]:
        number = 26 * number + max(1, min(26, ord(letter) - 64))
    return min(max(0, number - 1), MAX_COLUMN)


def area_of(reference: str) -> Area | None:
    """Return the cells of a reference such as "A1:B3"."""
    ends = [_REFERENCE.fullmatch(end) for end in reference.split(":")]
    if len(ends) not in (1, 2) or any(end is None for end in ends):
        return None
    places = [(int(end.group(2)) - 1, _column(end.group(1))) for end in ends if end]
    return Area(*places[0], *places[-1])


def _add_link(sheet: SheetContent, element: Element, links: dict[str, Relationship]) -> None:
    area = area_of(element.get("ref", ""))
    if area is not None:
        add_link(sheet, area, links.get(attribute(element, "id")), element.get("location", ""))


def add_link(sheet: SheetContent, area: Area, link: Relationship | None, place: str) -> None:
    """Give the cells of ``area`` the address of ``link`` and the ``place`` in it; not if it leads into the workbook."""
    if link is None or not link.is_external:
        return
    address = f"{link.target}#{place}" if place else link.target
    if is_shown_address(address):
        for row in range(area.row, min(area.last_row, area.row + 100) + 1):
            for column in range(area.column, min(area.last_column, area.column + 100) + 1):
                sheet.links[row, column] = address


def _add_comments(sheet: SheetContent, archive: Archive, links: dict[str, Relationship], book: BookParts) -> None:
    notes: list[Revision] = []
    for link in links.values():
        root = part(archive, link.target) if link.kind == "comments" else None
        if root is None:
            continue
        authors = [clean(one.text or "") for one in root.iterfind("{*}authors/{*}author")]
        for element in root.iter("{*}comment"):
            cell = clean(element.get("ref", ""))[:20]
            number = element.get("authorId", "")
            author = authors[int(number)] if number.isdigit() and int(number) < len(authors) else ""
            text = element.find("{*}text")
            notes.append(Revision("comment", rich_text(text) if text is not None else "", cell, author))
    add_comments(sheet, notes, threads(archive, links, book))


def threads(archive: Archive, links: dict[str, Relationship], book: BookParts) -> list[Revision]:
    """Return the comments of a sheet that can be answered."""
    found = []
    for link in links.values():
        root = part(archive, link.target) if link.kind == "threadedComment" else None
        for element in root.iter("{*}threadedComment") if root is not None else ():
            author = book.people.get(element.get("personId", ""), "")
            text = clean(element.findtext("{*}text") or "")
            found.append(Revision("comment", text, clean(element.get("ref", ""))[:20], author))
    return found


def add_comments(sheet: SheetContent, notes: list[Revision], threads: list[Revision]) -> None:
    """Add threads, and notes; a note that only announces a thread is left out."""
    threaded = {thread.target for thread in threads}
    for comment in (*(note for note in notes if note.target not in threaded), *threads):
        author = "" if comment.author.startswith("tc={") else comment.author
        content = comment.content.strip().removeprefix(f"{author}:").strip() if author else comment.content.strip()
        if content:
            sheet.comments.append(Revision("comment", content, comment.target, author))
