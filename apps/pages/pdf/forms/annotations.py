"""Form values, free text and links over the page content, read from the annotations of a page.

The fields are read with pikepdf, because PDFium offers inherited values only with its form environment, which runs
scripts and has crashed on hostile forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import Link, TextRun
from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.text.characters import Frame

MAX_ANNOTATIONS = 5_000
MAX_VALUE_CHARACTERS = 20_000
MAX_PARENTS = 32
MAX_AREAS = 200
# A list shows its options in rows of this height; a lower one shows only what is chosen.
ROW_POINTS, MIN_ROWS_OF_LIST = 13.8, 2
CHECKED, UNCHECKED, CHOSEN, NOT_CHOSEN = "☑", "☐", "◉", "○"
# Subtypes (fpdf_annot.h), flags of annotations (PDF 32000-1, table 165) and of fields (tables 226 and 228).
_LINK, _FREE_TEXT, _STRIKE_OUT, _WIDGET = 2, 3, 12, 20
# Marks over text, links, drawings by hand and closed notes: their appearances have no text.
_WITHOUT_TEXT = {1, 2, 9, 10, 11, 12, 15, 16}
_HIDDEN, _NO_VIEW = 1 << 1, 1 << 5
_PASSWORD, _RADIO, _PUSH_BUTTON, _COMBO = 1 << 13, 1 << 15, 1 << 16, 1 << 17
_URI_ACTION = 3
_URI_BYTES = 4096
DEFAULT_SIZE_POINTS, MAX_SIZE_POINTS = 10.0, 12.0
# The height of a line of a value, and the width of an average character, in ems.
_LEADING, _WIDTH = 1.2, 0.5


class Annotations(msgspec.Struct):
    """``runs``: values and notes as text at their places. ``links``: places with an address.

    ``struck``: places that are crossed out.
    """

    runs: list[TextRun] = []
    links: list[Link] = []
    struck: list[Box] = []
    has_fields: bool = False
    has_appearances: bool = False


def read_annotations(library: Pdfium, document: int, page: int, frame: Frame) -> Annotations:
    """Return the links and struck places of a loaded page, and whether it has fields or notes whose text is read."""
    found = Annotations()
    for index in range(min(library.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        annotation = library.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = library.FPDFAnnot_GetSubtype(annotation)
        found.has_appearances = found.has_appearances or kind not in _WITHOUT_TEXT
        if kind in (_FREE_TEXT, _WIDGET):
            found.has_fields = True
        elif kind == _LINK:
            address = _address(library, document, annotation)
            found.links += [Link(area, address) for area in _areas(library, annotation, frame) if address]
        elif kind == _STRIKE_OUT and not library.FPDFAnnot_GetFlags(annotation) & (_HIDDEN | _NO_VIEW):
            found.struck += _areas(library, annotation, frame)
        library.FPDFPage_CloseAnnot(annotation)
    return found


def _areas(library: Pdfium, annotation: int, frame: Frame) -> list[Box]:
    """Return the boxes that an annotation is about: one for each line where it names them, else its rectangle."""
    areas = []
    corners = np.zeros(8, "f4")  # x and y of four corners
    for index in range(min(library.FPDFAnnot_CountAttachmentPoints(annotation), MAX_AREAS)):
        if library.FPDFAnnot_GetAttachmentPoints(annotation, index, corners.ctypes.data):
            xs, ys = corners[::2], corners[1::2]
            areas.append(displayed_box(frame, float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())))
    if not areas and library.FPDFAnnot_GetRect(annotation, corners.ctypes.data):  # left, top, right, bottom
        left, top, right, bottom = corners[:4].tolist()
        areas.append(displayed_box(frame, left, bottom, right, top))
    return areas


def _address(library: Pdfium, document: int, annotation: int) -> str:
    import ctypes

    link = library.FPDFAnnot_GetLink(annotation)
    action = library.FPDFLink_GetAction(link) if link else None
    if not action or library.FPDFAction_GetType(action) != _URI_ACTION:
        return ""
    buffer = ctypes.create_string_buffer(_URI_BYTES)
    size = library.FPDFAction_GetURIPath(document, action, buffer, _URI_BYTES)
    return buffer.value.decode("utf-8", "replace") if 1 < size <= _URI_BYTES else ""


def field_runs(
    document: Any, page_number: int, frame: Frame, placed: Callable[[list[Box]], list[Box]]
) -> list[TextRun]:
    """Return the values of the fields and the free text of a page as runs; ``document`` is pikepdf's.

    ``placed`` maps boxes to the page turned so that its text is upright: a value is read as the text around it.
    """
    runs: list[TextRun] = []
    listed = document.pages[page_number - 1].obj.get("/Annots")
    for index in range(min(_length(listed), MAX_ANNOTATIONS)):
        try:
            annotation = listed[index]
            kind = str(annotation.get("/Subtype", ""))
            if kind not in ("/Widget", "/FreeText") or int(annotation.get("/F", 0)) & (_HIDDEN | _NO_VIEW):
                continue
            left, bottom, right, top = (float(edge) for edge in annotation["/Rect"])
            box = displayed_box(frame, min(left, right), min(bottom, top), max(left, right), max(bottom, top))
            text = _value(annotation, box.height) if kind == "/Widget" else str(annotation.get("/Contents", ""))
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
            continue  # a broken annotation: viewers show nothing for it either
        if text and box.width > 0 and box.height > 0:
            runs += _lines_of(text[:MAX_VALUE_CHARACTERS], placed([box])[0])
    return runs


def _length(listed: Any) -> int:
    try:
        return len(listed) if listed is not None else 0
    except (TypeError, RuntimeError):
        return 0


def _value(widget: Any, height: float) -> str:
    """Return what a viewer shows for a field, at this height in points; "" for nothing."""
    kind, flags = str(inherited(widget, "/FT") or ""), int(inherited(widget, "/Ff") or 0)
    if kind == "/Btn":
        if flags & _PUSH_BUTTON:
            appearance = widget.get("/MK")
            return str(appearance.get("/CA", "")) if appearance is not None else ""
        if flags & _RADIO:
            return CHOSEN if _is_on(widget) else NOT_CHOSEN
        return CHECKED if _is_on(widget) else UNCHECKED
    if kind == "/Ch" and not flags & _PASSWORD:
        return _choices(widget, 0.0 if flags & _COMBO else height / ROW_POINTS)
    value = inherited(widget, "/V")
    if value is None or kind != "/Tx" or flags & _PASSWORD:
        return ""
    import pikepdf

    if isinstance(value, pikepdf.Stream):
        return bytes(value.read_bytes()).decode("utf-8", "replace")
    return str(value)


def _choices(widget: Any, rows: float) -> str:
    """Return the chosen options of a field; of a list with room for some ``rows``, those in sight with marks."""
    import pikepdf

    listed = inherited(widget, "/Opt")
    options = list(listed)[:MAX_ANNOTATIONS] if isinstance(listed, pikepdf.Array) else []
    # Viewers show another text for some values.
    pairs = [
        option if isinstance(option, pikepdf.Array) and len(option) == 2 else (option, option) for option in options
    ]
    shown = {str(value): str(text) for value, text in pairs}
    value = inherited(widget, "/V")
    values = [] if value is None else list(value) if isinstance(value, pikepdf.Array) else [value]
    chosen = [shown.get(str(part), str(part)) for part in values]
    if rows < MIN_ROWS_OF_LIST or not shown:
        return ", ".join(chosen)
    first = max(0, int(inherited(widget, "/TI") or 0))
    seen = list(shown.values())[first : first + math.ceil(rows)]
    lines = [f"{CHECKED if text in chosen else UNCHECKED} {text}" for text in seen]
    return "\n".join(lines + [f"{CHECKED} {text}" for text in chosen if text not in seen])


def _is_on(button: Any) -> bool:
    """Return whether a check box or radio button is on: by its own state, else by the value of its field."""
    state = button.get("/AS")
    if state is not None:
        return str(state) != "/Off"
    value = str(inherited(button, "/V") or "/Off")
    appearances = button.get("/AP")
    shown: Any = appearances.get("/N") if appearances is not None else None
    states = set(shown.keys()) - {"/Off"} if hasattr(shown, "keys") else set()
    return value in states if states else value != "/Off"


def is_push_button(widget: Any) -> bool:
    """Return whether a button does something when it is pressed, and keeps no value."""
    return bool(int(inherited(widget, "/Ff") or 0) & _PUSH_BUTTON)


def inherited(widget: Any, key: str) -> Any:
    """Return an entry of a field, its own or that of a field above it; None if there is none."""
    for _ in range(MAX_PARENTS):
        value = widget.get(key)
        if value is not None:
            return value
        widget = widget.get("/Parent")
        if widget is None:
            return None
    return None


def _lines_of(text: str, box: Box) -> list[TextRun]:
    """Return a value as runs, a line each, from the top of its box."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    size = min(MAX_SIZE_POINTS, box.height / (_LEADING * len(lines))) or DEFAULT_SIZE_POINTS
    # One line is in the middle of its box, several begin at the top.
    top = (box.top + box.bottom - _LEADING * size) / 2 if len(lines) == 1 else box.top
    runs = []
    for line in lines:
        right = min(box.x1, box.x0 + _WIDTH * size * len(line))
        bottom = min(top + _LEADING * size, box.bottom)
        runs.append(TextRun(line, box.x0, top, right, bottom, size, False, False, baseline=bottom - 0.25 * size))
        top = bottom
    return runs


def displayed_box(frame: Frame, left: float, bottom: float, right: float, top: float) -> Box:
    """Return a rectangle of the file, whose origin is at the bottom left, as a box of the page as displayed."""
    x0, y0 = frame.displayed(left, top)
    x1, y1 = frame.displayed(right, bottom)
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
