"""Parse the XML parts of office files: no entities, no other files, no network, and no more than a reader can hold."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from lxml import etree

from apps.pages.model.errors import DamagedDocument, DocumentError, TooManyElements
from apps.pages.office.archive import Archive

MAX_ELEMENTS = 1_000_000
_LIMITS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "huge_tree": False,
    "load_dtd": False,
    "remove_comments": True,
    "remove_pis": True,
}
_ENTITIES = tuple("<!ENTITY".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_BUFFER_BYTES = 1 << 16
TOO_LONG = "The XML of the file is nested too deeply or has too long a text. Save it again."
_HAS_ENTITIES = "The file defines XML entities, which office files do not need. Save it again."
_NOT_WELL_FORMED = "A part of the file is no well-formed XML. Open it in the program that made it and save it again."
Element = Any  # lxml.etree._Element


class Relationship(NamedTuple):
    """``kind``: the last word of its type ("hyperlink"). ``target``: a part, or an address if ``is_external``."""

    kind: str
    target: str
    is_external: bool = False


def parsed(content: bytes, *, has_long_texts: bool = False) -> Element:
    """Return the root of a part. Raise DamagedDocument, TooManyElements.

    ``has_long_texts``: texts may have more than 10,000,000 characters, as files in base64 have.
    """
    if any(mark in content for mark in _ENTITIES):
        raise DamagedDocument(_HAS_ENTITIES)
    if content.count(b"<") > 2 * MAX_ELEMENTS:
        raise TooManyElements
    try:
        return etree.fromstring(content, etree.XMLParser(**{**_LIMITS, "huge_tree": has_long_texts}))
    except etree.XMLSyntaxError as error:
        raise _fault(error) from error


def part(archive: Archive, name: str) -> Element | None:
    """Return the root of a part, None if there is none of this name."""
    content = archive.read(name)
    return parsed(content) if content else None


def elements(source: IO[bytes], *tags: str) -> Iterator[Element]:
    """Yield the elements of these names as each is complete; what has been read is freed. For parts of any length."""
    try:
        for _event, element in etree.iterparse(source, tag=tags, **_LIMITS):
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise _fault(error) from error


class LocalNames(dict[str, str]):
    """Names without their namespaces, by the names that ``walk`` gives."""

    def __missing__(self, name: str) -> str:
        self[name] = found = name.rpartition("}")[2]
        return found


def walk(
    source: IO[bytes],
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], object],
) -> None:
    """Call ``start``, ``text`` and ``end`` for the elements of a part as they come. For parts too long for a tree.

    Names with a namespace are "address}name"; the attributes belong to ``start``. Raise DamagedDocument.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.buffer_size = _BUFFER_BYTES
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.EntityDeclHandler = _refuse_entity
    try:
        parser.ParseFile(source)
    except expat.ExpatError as error:
        raise DamagedDocument(_NOT_WELL_FORMED) from error


def _refuse_entity(*_declaration: object) -> None:
    raise DamagedDocument(_HAS_ENTITIES)


def _fault(error: etree.XMLSyntaxError) -> DocumentError:
    if "depth" in str(error) or "huge" in str(error):
        return TooManyElements(TOO_LONG)
    return DamagedDocument(_NOT_WELL_FORMED)


def relationships(archive: Archive, name: str) -> dict[str, Relationship]:
    """Return what a part of an Open XML file refers to, by id; ``name`` "" for the file itself."""
    folder, base = posixpath.split(name)
    root = part(archive, posixpath.join(folder, "_rels", f"{base}.rels"))
    found = {}
    for element in root if root is not None else ():
        target, is_external = element.get("Target", ""), element.get("TargetMode") == "External"
        if not is_external:
            target = posixpath.normpath(posixpath.join("/", folder, unquote(target).replace("\\", "/"))).lstrip("/")
        kind = element.get("Type", "").rpartition("/")[2]
        found[element.get("Id", "")] = Relationship(kind, target, is_external)
    return found


def attribute(element: Element, name: str) -> str:
    """Return an attribute whatever its namespace is: files come with transitional and with strict ones."""
    value = element.get(name)
    if value is not None:
        return str(value)
    return next((str(value) for key, value in element.attrib.items() if key.endswith("}" + name)), "")


def local_name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def core_title(archive: Archive) -> str:
    """Return the title in the properties of an Open XML file."""
    target = next(
        (entry.target for entry in relationships(archive, "").values() if entry.kind == "core-properties"),
        "docProps/core.xml",
    )
    root = part(archive, target)
    return " ".join((root.findtext("{*}title") or "").split()) if root is not None else ""
