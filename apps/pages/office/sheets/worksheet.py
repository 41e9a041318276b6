"""Read a sheet of an Open XML workbook: its cells as they are shown, comments, links, pictures and charts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from apps.pages.model.blocks import Block, BlockType, Revision
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.sheets import sheet_drawing
from apps.pages.office.sheets.content import Area, SheetContent
from apps.pages.office.sheets.sheet_rows import BookParts, area_of, read_rows, unescaped
from apps.pages.office.xml_parts import Element, Relationship, part, relationships

# Codes, and the sign of one point before which Office writes a document's sensitivity.
_ON_PAPER = re.compile(r'&(?:"[^"]*"|0?1#|K[0-9A-Fa-f]{6}|[0-9]+|[A-Za-z])')


def read(archive: Archive, name: str, book: BookParts) -> SheetContent:
    """Return what a sheet has. Raise DamagedDocument, TooManyElements, ArchiveTooLarge."""
    sheet = SheetContent()
    links = relationships(archive, name)

    def add(kind: str, attributes: dict[str, str], text: str) -> None:
        if kind in ("oddHeader", "oddFooter"):
            add_running_line(sheet, text, is_header=kind == "oddHeader")
        elif (area := area_of(attributes.get("ref", ""))) is None:
            return
        elif kind == "mergeCell":
            sheet.merged.append(area)
        else:
            add_link(sheet, area, links.get(attributes.get("id") or _id_in(attributes)), attributes.get("location", ""))

    with archive.opened(name) as source:
        read_rows(source, sheet, book, add)
    sheet.cells.sort()  # by row and column
    _add_comments(sheet, archive, links, book)
    add_linked_parts(sheet, archive, links)
    return sheet


def add_running_line(sheet: SheetContent, text: str, *, is_header: bool) -> None:
    """Add the header or footer that the sheet has on paper, without its codes for fonts, dates and page numbers."""
    if text := clean(" ".join(_ON_PAPER.sub(" ", unescaped(text)).split())):
        block_type = BlockType.PAGE_HEADER if is_header else BlockType.PAGE_FOOTER
        (sheet.before if is_header else sheet.after).append(Block(type=block_type, box=NO_BOX, text=text))


def add_linked_parts(sheet: SheetContent, archive: Archive, links: dict[str, Relationship]) -> None:
    """Add what is drawn on the sheet, and a warning if files are inside it."""
    for link in links.values():
        if link.kind == "drawing":
            sheet_drawing.read(sheet, archive, link.target)
        elif link.kind in ("oleObject", "package", "control"):
            sheet.warn("embedded_files_not_read")


def rich_text(element: Element) -> str:
    """Return the text of runs, or of one text."""
    texts = [child.text or "" for child in element.iterfind("{*}t")]
    texts += [text.text or "" for text in element.iterfind("{*}r/{*}t")]
    return clean(unescaped("".join(texts)))


def _id_in(attributes: Mapping[str, str]) -> str:
    """Return the id of a relationship in the attributes of an element; its namespace has two names."""
    return next((value for name, value in attributes.items() if name.endswith("}id")), "")


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
