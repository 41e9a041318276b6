"""Optional content (layers): mark what a viewer does not show, in a copy of the document, so that PDFium finds it.

PDFium applies layers when it draws a page and ignores them when it lists text and objects. It gives the marks of an
object with the strings of their dictionaries, but not which dictionary that is. So each dictionary that is off gets a
name here that no other has. Source: PDF 32000-1, 8.11.
"""

from __future__ import annotations

import ctypes
import io
from collections.abc import Iterator
from typing import Any

from apps.pages.pdf.pdfium import Pdfium

HIDDEN_NAME = "leafmill:hidden-layer"
MAX_COPIED_BYTES = 96 << 20
MAX_EXPRESSION_DEPTH, MAX_FORM_DEPTH = 12, 12
_OPENING = b"/OC <</Name(%s)>> BDC\n" % HIDDEN_NAME.encode()
_NAME_BYTES = 64
_DIRECT = (0, 0)
"""Number and generation of an object that is no object of its own."""


def copy_with_marks(pdf: Any) -> bytes | None:
    """Return the document (pikepdf's, changed by this) with hidden content marked; None if it has none."""
    hidden = HiddenLayers(pdf.Root)
    if not hidden:
        return None
    seen: set[tuple[int, int]] = set()
    for page in pdf.pages:
        _mark_resources(page.obj.get("/Resources"), hidden, seen, 0)
        annotations = page.obj.get("/Annots")
        for index in reversed(range(len(annotations) if annotations is not None else 0)):
            if _is_dictionary(annotations[index]) and hidden.hides(annotations[index].get("/OC")):
                del annotations[index]
    copy = io.BytesIO()
    pdf.save(copy)
    return copy.getvalue()


class HiddenLayers:
    """Which layers are off when a document is opened. False if none is."""

    def __init__(self, root: Any) -> None:
        properties: Any = root.get("/OCProperties")
        default: Any = properties.get("/D") if _is_dictionary(properties) else None
        self._off: set[tuple[int, int]] = set()
        if not _is_dictionary(default):
            return
        groups = list(_members(properties.get("/OCGs")))
        if str(default.get("/BaseState", "/ON")) == "/OFF":
            self._off |= {group.objgen for group in groups}
        self._off -= {group.objgen for group in _members(default.get("/ON"))}
        self._off |= {group.objgen for group in _members(default.get("/OFF"))}
        for group in groups:
            # Some layers are not for viewing, for example those for print alone.
            usage = group.get("/Usage")
            view: Any = usage.get("/View") if _is_dictionary(usage) else None
            if _is_dictionary(view) and str(view.get("/ViewState", "/ON")) == "/OFF":
                self._off.add(group.objgen)
        self._off -= {group.objgen for group in groups if not _is_for_viewing(group)}
        self._off.discard(_DIRECT)

    def __bool__(self) -> bool:
        return bool(self._off)

    def hides(self, content: Any, depth: int = 0) -> bool:
        """Return whether the value of an /OC entry, a group or a membership dictionary, is not shown."""
        if not _is_dictionary(content) or depth > MAX_EXPRESSION_DEPTH:
            return False
        if str(content.get("/Type", "")) != "/OCMD":
            return content.objgen in self._off
        expression = content.get("/VE")
        if expression is not None:
            return not self._is_true(expression, depth + 1)
        listed = content.get("/OCGs")
        groups = [listed] if _is_dictionary(listed) else list(_members(listed))
        if not groups:
            return False
        shown = [group.objgen not in self._off for group in groups]
        policy = str(content.get("/P", "/AnyOn"))
        if policy == "/AllOn":
            return not all(shown)
        if policy == "/AnyOff":
            return all(shown)
        if policy == "/AllOff":
            return any(shown)
        return not any(shown)

    def _is_true(self, expression: Any, depth: int) -> bool:
        if depth > MAX_EXPRESSION_DEPTH:
            return True
        if _is_dictionary(expression):
            return expression.objgen not in self._off
        operator, *operands = list(expression)
        values = (self._is_true(operand, depth + 1) for operand in operands)
        if str(operator) == "/Not":
            return not next(values, False)
        return any(values) if str(operator) == "/Or" else all(values)


class LayerMarks:
    """Knows which page objects are hidden, by the marks of ``copy_with_marks``."""

    def __init__(self, library: Pdfium) -> None:
        self._library = library
        self._known: dict[int, bool] = {}

    def start_page(self) -> None:
        """Forget the marks of the last page: their addresses may be used again."""
        self._known.clear()

    def hide(self, item: int) -> bool:
        """Return whether a page object is inside a hidden mark."""
        library = self._library
        for index in range(library.FPDFPageObj_CountMarks(item)):
            mark = library.FPDFPageObj_GetMark(item, index)
            found = self._known.get(mark)
            if found is None:
                size = ctypes.c_ulong()
                text = ctypes.create_string_buffer(_NAME_BYTES)
                library.FPDFPageObjMark_GetParamStringValue(mark, b"Name", text, _NAME_BYTES, ctypes.byref(size))
                found = self._known[mark] = text.raw[: max(0, size.value - 2)] == HIDDEN_NAME.encode("utf-16-le")
            if found:
                return True
        return False


def _mark_resources(resources: Any, hidden: HiddenLayers, seen: set[tuple[int, int]], depth: int) -> None:
    """Mark the hidden property lists, forms and pictures that content with these resources can use."""
    if not _is_dictionary(resources) or depth > MAX_FORM_DEPTH:
        return
    for content in _values(resources.get("/Properties")):
        if hidden.hides(content):
            content["/Name"] = HIDDEN_NAME
    for item in _values(resources.get("/XObject")):
        if item.objgen in seen:
            continue
        seen.add(item.objgen)
        is_form = str(item.get("/Subtype", "")) == "/Form"
        if hidden.hides(item.get("/OC")):
            if is_form:
                item.write(_OPENING + item.read_bytes() + b"\nEMC")
            else:
                del item["/Subtype"]  # PDFium draws no object of an unknown kind
        if is_form:
            _mark_resources(item.get("/Resources"), hidden, seen, depth + 1)


def _is_dictionary(value: Any) -> bool:
    import pikepdf

    return isinstance(value, pikepdf.Dictionary | pikepdf.Stream)


def _members(listed: Any) -> Iterator[Any]:
    """Yield the dictionaries of an array; nothing for other values."""
    import pikepdf

    if isinstance(listed, pikepdf.Array):
        yield from (item for item in listed if _is_dictionary(item))


def _values(listed: Any) -> Iterator[Any]:
    """Yield the dictionaries in a dictionary of resources; nothing for other values."""
    if _is_dictionary(listed):
        yield from (item for _, item in listed.items() if _is_dictionary(item))


def _is_for_viewing(group: Any) -> bool:
    """Return False for groups of another intent, such as design: their state does not change what is shown."""
    import pikepdf

    intent = group.get("/Intent", "/View")
    intents = [str(part) for part in intent] if isinstance(intent, pikepdf.Array) else [str(intent)]
    return "/View" in intents or "/All" in intents
