"""Read the structure tree of tagged PDFs: which marked content of a page is in a table cell, in a list item and so on.

The tree is untrusted like everything else in a file: it may be wrong, loop or have millions of elements. Here it is
only read, within limits; layout decides whether to trust it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from apps.pages.model.page_tags import PageTags, Tag
from apps.pages.model.text.safe_text import clean
from apps.pages.pdf.pdfium import Pdfium, utf16

MAX_TAGS = 20_000
MAX_DEPTH = 60
MAX_SPAN = 500
MAX_ALTERNATIVE_CHARACTERS = 2_000
# PDFium compares each element of a page with all that have the same parent. Smaller files have fewer.
MAX_COMPARED, MIN_VAST_TREE_BYTES = 20_000_000, 100_000
_CELLS = frozenset({"TD", "TH"})


def is_vast_tree(document: Any, number: int) -> bool:
    """Return whether the elements of a page and those beside them take too long; ``document`` is pikepdf's."""
    import pikepdf

    try:
        tree = document.Root.StructTreeRoot
        owned = pikepdf.NumberTree(tree.ParentTree)[int(document.pages[number - 1].obj.StructParents)]
        top = tree.K if isinstance(tree.K, pikepdf.Array) else [tree.K]
        inside = [element.get("/K") for element in list(top)[:1]]
        widest = max(len(kids) for kids in (top, *inside) if isinstance(kids, (list, pikepdf.Array)))
        return widest * len(owned) > MAX_COMPARED
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError):  # a broken tree
        return False


def read_tags(library: Pdfium, page: int) -> PageTags | None:
    """Return the tags of a loaded page, None when it has none or more than are read."""
    tree = library.FPDF_StructTree_GetForPage(page)
    if not tree:
        return None
    found = PageTags([], {})
    try:
        for index in range(min(MAX_TAGS, library.FPDF_StructTree_CountChildren(tree))):
            element = library.FPDF_StructTree_GetChildAtIndex(tree, index)
            if element:
                _add(library, found, element, -1, MAX_DEPTH)
    finally:
        library.FPDF_StructTree_Close(tree)
    return found if found.owners and len(found.tags) < MAX_TAGS else None


def _add(library: Pdfium, found: PageTags, element: int, parent: int, depth: int) -> None:
    """Add an element of the tree and those inside it."""
    if not depth or len(found.tags) >= MAX_TAGS:
        return
    place = len(found.tags)
    role = utf16(library.FPDF_StructElement_GetType, element)
    spans = _spans(library, element) if role in _CELLS else (1, 1)
    alternative = ""  # the text for programs that cannot show a formula
    if role == "Formula":
        actual_text = utf16(library.FPDF_StructElement_GetActualText, element)
        alternative = actual_text or utf16(library.FPDF_StructElement_GetAltText, element)
        alternative = " ".join(clean(alternative[:MAX_ALTERNATIVE_CHARACTERS]).split())
    found.tags.append(Tag(role, parent, *spans, alternative))
    for index in range(min(MAX_TAGS, library.FPDF_StructElement_CountChildren(element))):
        child = library.FPDF_StructElement_GetChildAtIndex(element, index)
        if child:
            _add(library, found, child, place, depth - 1)
            continue
        content_id = library.FPDF_StructElement_GetChildMarkedContentID(element, index)
        if content_id >= 0:
            # Two elements that claim one content: the first keeps it, nothing is read twice.
            found.owners.setdefault(content_id, place)


def _spans(library: Pdfium, cell: int) -> tuple[int, int]:
    """Return the rows and columns that a cell covers."""
    rows = columns = 1
    for index in range(min(16, library.FPDF_StructElement_GetAttributeCount(cell))):
        attribute = library.FPDF_StructElement_GetAttributeAtIndex(cell, index)
        if attribute:
            rows = max(rows, _number(library, attribute, b"RowSpan"))
            columns = max(columns, _number(library, attribute, b"ColSpan"))
    return min(rows, MAX_SPAN), min(columns, MAX_SPAN)


def _number(library: Pdfium, attribute: int, name: bytes) -> int:
    value = library.FPDF_StructElement_Attr_GetValue(attribute, name)
    number = ctypes.c_float()
    if value and library.FPDF_StructElement_Attr_GetNumberValue(value, ctypes.addressof(number)):
        return int(number.value) if 1 <= number.value <= MAX_SPAN else 1
    return 1


class MarkReader:
    """Reads the marked content of text objects; its buffers are reused."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        self._name: Any = np.zeros(64, "u1")
        self._length: Any = np.zeros(1, "u4")

    def is_artifact(self, handle: int) -> bool:
        """Return True if an object of a page is marked as an artefact."""
        library = self._library
        at, at_length = self._name.ctypes.data, self._length.ctypes.data
        for index in range(min(16, library.FPDFPageObj_CountMarks(handle))):
            mark = library.FPDFPageObj_GetMark(handle, index)
            if mark and library.FPDFPageObjMark_GetName(mark, at, 64, at_length):
                name = self._name[: int(self._length[0])].tobytes().decode("utf-16-le", "replace")
                if name.rstrip("\0") == "Artifact":
                    return True
        return False
