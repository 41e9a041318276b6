"""Electronic books (EPUB 2 and 3): each chapter of the reading order begins a page."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from apps.pages.model.blocks import Block, BlockType, EmbeddedImage
from apps.pages.model.errors import DamagedDocument, ParseError, TooManyElements, UnsupportedEncryption
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import xml_parts
from apps.pages.office.archive import Archive
from apps.pages.office.drawing.pictures import image_of_address
from apps.pages.office.paged_blocks import Content, PagedBlocks
from apps.pages.office.sources import Source
from apps.pages.office.web import html_file
from apps.pages.office.xml_parts import Element

MEDIA_TYPE = "application/epub+zip"
MAX_AUTHORS = 50
MAX_BOOK_ELEMENTS = 2 * xml_parts.MAX_ELEMENTS
CHAPTERS_MISSING = "chapters_not_read"
_DRAWING = "image/svg+xml"
_CHAPTERS = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document", _DRAWING)
# These hide fonts from other programs; the text can be read.
_FONT_METHODS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


class _Item(NamedTuple):
    """A file of the book. ``path``: its name in the archive."""

    path: str
    media_type: str
    properties: frozenset[str]
    fallback: str


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> PagedBlocks:
    return _Book(Archive(source), options).opened()


class _Book:
    def __init__(self, archive: Archive, options: OfficeOptions) -> None:
        self._archive, self._options = archive, options
        container = xml_parts.part(archive, "META-INF/container.xml")
        root_file = container.find(".//{*}rootfile") if container is not None else None
        package_path = unquote(root_file.get("full-path", "")) if root_file is not None else ""
        package = xml_parts.part(archive, package_path) if package_path else None
        if package is None:
            raise DamagedDocument("The book has no list of its files. Save it again in the program that made it.")
        self._package, self._folder = package, posixpath.dirname(package_path)
        self._items = {item.get("id", ""): self._item(item) for item in package.iterfind("{*}manifest/{*}item")}
        self._elements, self._is_incomplete = 0, False

    def opened(self) -> PagedBlocks:
        """Return the pages of the book. Raise DocumentError."""
        chapters = [self._readable(entry.get("idref", "")) for entry in self._package.iterfind("{*}spine/{*}itemref")]
        encrypted = self._encrypted()
        if any(item is not None and item.path.lower() in encrypted for item in chapters):
            raise UnsupportedEncryption("The book is protected against copying. Send a copy without this protection.")
        titles = self._titles()
        contents = [self._chapter(item, titles) for item in chapters]
        warnings = (CHAPTERS_MISSING,) if self._is_incomplete else ()
        metadata = self._package.find("{*}metadata")
        named = list(metadata.iter("{*}title", "{*}creator")) if metadata is not None else []
        title = next((_text(element) for element in named if xml_parts.local_name(element) == "title"), "")
        authors = [_text(element) for element in named if xml_parts.local_name(element) == "creator"]
        known = tuple(name for name in authors if name)[:MAX_AUTHORS]
        return PagedBlocks(MEDIA_TYPE, contents, title=title, warnings=warnings, authors=known)

    def _item(self, element: Element) -> _Item:
        path = self._resolved(self._folder, element.get("href", ""))
        properties = frozenset(element.get("properties", "").split())
        return _Item(path, element.get("media-type", "").lower(), properties, element.get("fallback", ""))

    def _resolved(self, folder: str, address: str) -> str:
        """Return the name in the archive of what an address leads to."""
        path = unquote(urlsplit(address).path) if "://" not in address else ""
        return posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/") if path else ""

    def _image(self, folder: str, address: str) -> EmbeddedImage | None:
        path = self._resolved(folder, address)
        return EmbeddedImage(path) if path in self._archive else image_of_address(address)

    def _readable(self, identifier: str) -> _Item | None:
        """Return a file of the reading order, or its fallback if it is of a kind that is not read."""
        first = item = self._items.get(identifier)
        for _ in range(len(self._items)):
            if item is None or item.media_type in _CHAPTERS or item.media_type.startswith("image/"):
                break
            item = self._items.get(item.fallback)
        return item or first

    def _encrypted(self) -> set[str]:
        """Return the names, in lower case, of the files that are encrypted, other than hidden fonts."""
        root = xml_parts.part(self._archive, "META-INF/encryption.xml")
        names = set()
        for entry in root.iter("{*}EncryptedData") if root is not None else ():
            method, reference = entry.find("{*}EncryptionMethod"), entry.find(".//{*}CipherReference")
            if reference is not None and (method is None or method.get("Algorithm") not in _FONT_METHODS):
                names.add(self._resolved("", reference.get("URI", "")).lower())
        return names

    def _titles(self) -> dict[str, str]:
        """Return the titles in the table of contents by the file, in lower case, that they lead to."""
        contents = next((item for item in self._items.values() if "nav" in item.properties), None)
        spine = self._package.find("{*}spine")
        older = self._items.get(spine.get("toc", "")) if spine is not None else None
        titles: dict[str, str] = {}
        for item in (contents, older):
            for address, title in self._entries(item) if item is not None else ():
                path = self._resolved(posixpath.dirname(item.path), address) if item is not None else ""
                if path and title:
                    titles.setdefault(path.lower(), title)
        return titles

    def _entries(self, item: _Item) -> Iterator[tuple[str, str]]:
        """Yield address and title of the entries of a table of contents (EPUB 3) or an NCX file (EPUB 2)."""
        content = self._archive.read(item.path)
        if item.media_type == "application/x-dtbncx+xml":
            try:
                root = xml_parts.parsed(content) if content else None
            except ParseError:  # the book can be read without it
                return
            for point in root.iter("{*}navPoint") if root is not None else ():
                target, label = point.find("{*}content"), point.find("{*}navLabel")
                if target is not None and label is not None:
                    yield target.get("src", ""), _text(label)
            return
        root = html_file.parsed_xhtml(content)
        for link in root.iter("a") if root is not None else ():
            yield link.get("href", ""), _text(link)

    def _chapter(self, item: _Item | None, titles: dict[str, str]) -> Content:
        if item is not None and item.media_type.startswith("image/") and item.media_type not in _CHAPTERS:
            image = EmbeddedImage(item.path) if item.path in self._archive else None
            picture = Block(BlockType.PICTURE, NO_BOX, description=titles.get(item.path.lower(), ""), image=image)
            return Content((picture,), ("pictures_not_read",))
        if item is None or item.media_type not in _CHAPTERS or item.path not in self._archive:
            self._is_incomplete = True
            return Content(())
        content = self._archive.read(item.path)
        self._elements += content.count(b"<") // 2
        if self._elements > MAX_BOOK_ELEMENTS:
            raise TooManyElements
        page = html_file.read_xhtml(content, self._options, partial(self._image, posixpath.dirname(item.path)))
        blocks = page.content.blocks
        title = titles.get(item.path.lower(), "")
        if title and blocks and not any(block.type is BlockType.HEADING for block in blocks):
            blocks = (Block(BlockType.HEADING, NO_BOX, text=title, level=1), *_without_title(blocks, title))
        warnings = (*page.content.warnings, *page.warnings)
        if item.media_type == _DRAWING:  # its text was read, what it draws was not
            return Content(
                (*blocks, Block(BlockType.PICTURE, NO_BOX, description=title)), (*warnings, "pictures_not_read")
            )
        return Content(blocks, warnings)


def _without_title(blocks: tuple[Block, ...], title: str) -> tuple[Block, ...]:
    """Return the blocks without a first paragraph that is the title of the chapter."""
    first = blocks[0]
    is_title = first.type is BlockType.PARAGRAPH and " ".join(first.text.split()).casefold() == title.casefold()
    return blocks[1:] if is_title else blocks


def _text(element: Element) -> str:
    return clean(" ".join("".join(element.itertext()).split()))[:300]
