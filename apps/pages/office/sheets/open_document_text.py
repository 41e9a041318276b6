"""Read the text of OpenDocument files (OASIS ODF 1.3, part 3, 6)."""

from __future__ import annotations

from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.xml_parts import Element, attribute, local_name, part

_ASIDE = ("annotation", "note", "annotation-end", "ruby-text")
MAX_BLANKS = 1_000


def text_of(element: Element) -> str:
    """Return the text of a paragraph or a list, with its line breaks."""
    return clean("".join(_pieces(element)))


def _pieces(element: Element) -> list[str]:
    pieces = [element.text or ""]
    for child in element:
        kind = local_name(child)
        if kind == "s":
            count = attribute(child, "c")
            pieces.append(" " * min(int(count), MAX_BLANKS) if count.isdigit() and len(count) < 9 else " ")
        elif kind == "tab":
            pieces.append("\t")
        elif kind == "line-break":
            pieces.append("\n")
        elif kind == "list-item":
            pieces.append("\n".join(text_of(line) for line in child) + "\n")
        elif kind not in _ASIDE:
            pieces += _pieces(child)
        pieces.append(child.tail or "")
    return pieces


def title(archive: Archive) -> str:
    root = part(archive, "meta.xml")
    return clean(" ".join((root.findtext(".//{*}title") or "").split())) if root is not None else ""
