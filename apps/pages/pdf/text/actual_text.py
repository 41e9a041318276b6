"""Text that a file gives for a group of glyphs (``ActualText``): once, and at the place of the whole group.

PDFium gives it once for every text object of the group, spread over the ink of that object, so a Thai letter and the
mark above it come twice.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.pages.pdf.fonts.ligatures import letters_of_glyphs
from apps.pages.pdf.pdfium import TEXT, Pdfium
from apps.pages.pdf.text.character_records import UNMAPPED

ACTUAL_TEXT = 5
"""Type of the records of such text."""
# At most this many characters are a cluster, such as a letter with its marks or a ligature, whose parts share one box.
MAX_CLUSTER = 4
# Objects of a group are on one line when their boxes are no further apart, in heights of the tallest.
MAX_APART_HEIGHTS = 1.5
# On a page with more objects some groups keep the boxes of their ink.
MAX_OBJECTS = 20_000
_FIRST_COMPLEX = 0x590
_FIRST_PRINTED, _FIRST_PRIVATE, _AFTER_PRIVATE = 0x20, 0xE000, 0xF900
_KEY = b"ActualText"
# Glyphs without a meaning of their own take a text of at most this length.
MAX_GIVEN_TEXT = 32
_SOFT_HYPHEN = "\xad"
_SIDES = ("loose_left", "loose_bottom", "loose_right", "loose_top")


def settled(library: Pdfium, page: int, records: Any) -> tuple[Any, Any, frozenset[int]] | None:
    """Return the places of the records to keep, those records with text and boxes of their groups, and the groups.

    Glyphs that PDFium cannot read take the text given for them. Return None for a page without such text.
    """
    places = np.flatnonzero(records["type"] == ACTUAL_TEXT)
    code = records["unicode"]
    if not len(places) and (not len(code) or (code.min() >= _FIRST_PRINTED and code.max() < _FIRST_PRIVATE)):
        return None
    given = _given_texts(library, records)
    if not len(places) and not given:
        return None
    records = records.copy()
    keep = np.ones(len(records), "i8")
    groups: dict[int, list[tuple[int, int]]] = {}
    for start, end in _stretches(records["object"], places) if len(places) else ():
        handle = int(records["object"][start])
        groups.setdefault(mark_of(library, handle) or handle, []).append((start, end))
    complex_script = (records["unicode"][places] >= _FIRST_COMPLEX).any()
    extents = _extents(library, page, groups) if complex_script else {}
    for mark, stretches in groups.items():
        start, end = stretches[0]
        for other_start, other_end in stretches[1:]:
            keep[other_start:other_end] = 0
        if end - start <= MAX_CLUSTER or _is_leftward(records["unicode"][start:end]).any():
            boxes = [[records[side][at] for side in _SIDES] for first, last in stretches for at in range(first, last)]
            boxes += extents.get(mark, ())
            for side, edge in zip(_SIDES, _around(boxes), strict=True):
                records[side][start:end] = edge
    for (start, end), text in given.items():
        keep[start:end] = 0
        keep[start] = len(text)
    kept = np.repeat(np.arange(len(records)), keep)
    result = records[kept]
    first_of = np.cumsum(keep) - keep
    for (start, _end), text in given.items():
        at = int(first_of[start])
        result["unicode"][at : at + len(text)] = [ord(character) for character in text]
    return kept, result, frozenset(groups)


def _given_texts(library: Pdfium, records: Any) -> dict[tuple[int, int], str]:
    """Return the texts given for stretches of records that are read as nothing else, or the letters of their glyphs."""
    code, is_unmapped = records["unicode"], records["type"] == UNMAPPED
    control = (code < _FIRST_PRINTED) & (is_unmapped | (code != 9) & (code != 10) & (code != 13))
    unread = np.flatnonzero(control | (code >= _FIRST_PRIVATE) & (code < _AFTER_PRIVATE))
    if not len(unread):
        return {}
    texts = {
        (at, at + 1): text for at, text in letters_of_glyphs(library, records, unread[is_unmapped[unread]]).items()
    }
    objects = records["object"]
    for start, end in _stretches(objects, unread):
        handle = int(objects[start])
        whole = (not start or objects[start - 1] != handle) and (end == len(objects) or objects[end] != handle)
        mark = mark_of(library, handle) if handle and whole else 0
        text = _text_of(library, mark).strip() if mark else ""
        if text and text != _SOFT_HYPHEN and text.isprintable() and len(text) <= MAX_GIVEN_TEXT:
            for at in range(start, end):
                texts.pop((at, at + 1), None)
            texts[start, end] = text
    return texts


def is_visible(library: Pdfium, mark: int) -> bool:
    """Return whether the text of a mark has a letter or sign: some programs give blanks, codes or a soft hyphen."""
    return any(
        (sign.isprintable() and sign != " ") or _FIRST_PRIVATE <= ord(sign) < _AFTER_PRIVATE
        for sign in _text_of(library, mark)
    )


def _text_of(library: Pdfium, mark: int) -> str:
    size = ctypes.c_ulong(0)
    get = library.FPDFPageObjMark_GetParamStringValue
    if not get(mark, _KEY, None, 0, ctypes.byref(size)) or size.value <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size.value)
    get(mark, _KEY, buffer, size.value, ctypes.byref(size))
    return buffer.raw[: size.value - 2].decode("utf-16-le", "replace")


def _around(boxes: Sequence[Sequence[float]]) -> list[float]:
    """Return the edges around the first of some boxes (left, bottom, right, top) and those on its line."""
    first = boxes[0]
    reach = MAX_APART_HEIGHTS * max(1.0, *(abs(box[3] - box[1]) for box in boxes))
    near = [box for box in boxes if abs(box[3] - first[3]) <= reach and abs(box[1] - first[1]) <= reach]
    lefts, bottoms, rights, tops = zip(*near, strict=True)
    return [min(lefts), min(bottoms), max(rights), max(tops)]


def _extents(library: Pdfium, page: int, groups: dict[int, Any]) -> dict[int, list[list[float]]]:
    """Return the bounds of all text objects of each group, with those that PDFium leaves out: from pen to pen."""
    found: dict[int, list[list[float]]] = {}
    bounds = np.zeros(4, "f4")
    at = bounds.ctypes.data
    for index in range(min(library.FPDFPage_CountObjects(page), MAX_OBJECTS)):
        handle = library.FPDFPage_GetObject(page, index)
        if library.FPDFPageObj_GetType(handle) == TEXT:
            mark = mark_of(library, handle)
            if mark in groups and library.FPDFPageObj_GetBounds(handle, at, at + 4, at + 8, at + 12):
                found.setdefault(mark, []).append(bounds.tolist())
    return found


def _stretches(objects: Any, places: Any) -> list[tuple[int, int]]:
    """Return first and last places of neighbours of one object."""
    cuts = np.flatnonzero((np.diff(places) > 1) | (np.diff(objects[places].astype("i8")) != 0)) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(places, cuts)]


def _is_leftward(code: Any) -> Any:
    """Return which code points are Hebrew or Arabic, whose order is not that of even places from the left."""
    return (code >= 0x590) & (code < 0x900) | (code >= 0xFB1D) & (code < 0xFE00) | (code >= 0xFE70) & (code < 0xFF00)


def mark_of(library: Pdfium, handle: int) -> int:
    """Return the handle of the innermost mark of a text object that has an ``ActualText``; 0 for none."""
    size = ctypes.c_ulong(0)
    for index in range(library.FPDFPageObj_CountMarks(handle) - 1, -1, -1):
        mark: int = library.FPDFPageObj_GetMark(handle, index)
        if mark and library.FPDFPageObjMark_GetParamStringValue(mark, _KEY, None, 0, ctypes.byref(size)):
            return mark
    return 0
