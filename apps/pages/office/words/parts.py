"""The parts of an Open XML text (ECMA-376 part 1, section 17) and the names of its elements."""

from __future__ import annotations

from apps.pages.model.errors import DamagedDocument
from apps.pages.office import xml_parts
from apps.pages.office.archive import Archive
from apps.pages.office.xml_parts import Element, Relationship

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = b"http://purl.oclc.org/ooxml/"
# Strict files (ISO/IEC 29500) have other names for the same elements.
_TRANSITIONAL = (
    (b"wordprocessingml/main", b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"officeDocument/relationships", b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"),
    (b"officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
    (b"drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
)


class WordParts:
    """The parts of one document: the main one and those that it refers to by kind ("styles", "footnotes")."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        main = [
            entry.target
            for entry in xml_parts.relationships(archive, "").values()
            if entry.kind == "officeDocument" and not entry.is_external
        ]
        self.main_name = main[0] if main else "word/document.xml"
        self._by_kind = {entry.kind: entry.target for entry in self.relationships(self.main_name).values()}
        root = self.root(self.main_name)
        body = root.find(f"{W}body") if root is not None else None
        if body is None:
            raise DamagedDocument("The file has no text part. Open it in the program that made it and save it again.")
        self.body: Element = body

    def root(self, name: str) -> Element | None:
        content = self.archive.read(name)
        if _STRICT in content:
            for strict, transitional in _TRANSITIONAL:
                content = content.replace(_STRICT + strict, transitional)
        return xml_parts.parsed(content) if content.strip() else None

    def of_kind(self, kind: str) -> Element | None:
        """Return the root of the part that the main part refers to; None without one."""
        name = self._by_kind.get(kind)
        return self.root(name) if name else None

    def name_of_kind(self, kind: str) -> str:
        return self._by_kind.get(kind, "")

    def relationships(self, name: str) -> dict[str, Relationship]:
        return xml_parts.relationships(self.archive, name)


def value(element: Element | None, name: str) -> str:
    """Return the value of a child element; "" without one."""
    child = element.find(W + name) if element is not None else None
    return str(child.get(f"{W}val", "")) if child is not None else ""


def is_on(element: Element | None, name: str) -> bool | None:
    """Return whether a property is on; None if the element does not say."""
    child = element.find(W + name) if element is not None else None
    if child is None:
        return None
    return child.get(f"{W}val", "1") not in ("0", "false", "off", "none")


def number(text: str, default: int = 0) -> int:
    """Return a whole number of an attribute within the limits of a document."""
    try:
        return max(-1_000_000, min(1_000_000, int(text)))
    except ValueError:
        return default
