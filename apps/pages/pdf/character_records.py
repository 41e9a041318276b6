"""The records of characters as PDFium writes them, and how to fill them without its batch call."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.pdf.pdfium import Pdfium

RECORD = np.dtype(
    [
        ("object", "u8"), ("left", "f8"), ("right", "f8"), ("bottom", "f8"), ("top", "f8"),
        ("loose_left", "f4"), ("loose_top", "f4"), ("loose_right", "f4"), ("loose_bottom", "f4"),
        ("size", "f4"), ("unicode", "u4"), ("code", "u4"), ("type", "i4"), ("mode", "i4"), ("padding", "i4"),
    ]
)  # fmt: skip
"""One character as ``FPDFText_GetCharInfoBatch`` writes it. Points of the page's own space, origin bottom-left."""
NORMAL, GENERATED, UNMAPPED, HYPHEN = 0, 1, 2, 3


def single_records(library: Pdfium, text_page: int, count: int) -> Any:
    """Return the records of a page from a PDFium without the batch call, with several calls for each character."""
    records = np.zeros(count, RECORD)
    box = np.zeros(4, "f8")
    loose = np.zeros(4, "f4")
    at_box, at_loose = box.ctypes.data, loose.ctypes.data
    for at in range(count):
        record = records[at]
        handle = library.FPDFText_GetTextObject(text_page, at) or 0
        library.FPDFText_GetCharBox(text_page, at, at_box, at_box + 8, at_box + 16, at_box + 24)
        library.FPDFText_GetLooseCharBox(text_page, at, at_loose)
        record["object"] = handle
        record["left"], record["right"], record["bottom"], record["top"] = box
        record["loose_left"], record["loose_top"], record["loose_right"], record["loose_bottom"] = loose
        record["size"] = library.FPDFText_GetFontSize(text_page, at)
        record["unicode"] = record["code"] = library.FPDFText_GetUnicode(text_page, at)
        record["mode"] = library.FPDFTextObj_GetTextRenderMode(handle) if handle else -1
        if library.FPDFText_IsGenerated(text_page, at) == 1:
            record["type"] = GENERATED
        elif library.FPDFText_IsHyphen(text_page, at) == 1:
            record["type"] = HYPHEN
        elif library.FPDFText_HasUnicodeMapError(text_page, at) == 1:
            record["type"] = UNMAPPED
    return records
