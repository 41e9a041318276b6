"""The records of characters as PDFium writes them, how to fill them without its batch call, and the sizes drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.pdf.pdfium import Pdfium, first_page

RECORD = np.dtype(
    [
        ("object", "u8"), ("left", "f8"), ("right", "f8"), ("bottom", "f8"), ("top", "f8"),
        ("loose_left", "f4"), ("loose_top", "f4"), ("loose_right", "f4"), ("loose_bottom", "f4"),
        ("size", "f4"), ("unicode", "u4"), ("code", "u4"), ("type", "i4"), ("mode", "i4"), ("padding", "i4"),
    ]
)  # fmt: skip
"""One character as ``FPDFText_GetCharInfoBatch`` writes it. Points of the page's own space, origin bottom-left."""
NORMAL, GENERATED, UNMAPPED, HYPHEN = 0, 1, 2, 3
JOINED = 0xFFFFFFFF
"""The code of a character that has become a part of its neighbour, such as the second half of a surrogate pair."""
_CONTENT = (
    b"BT /F 12 Tf 72 720 Td (Ready \\256 12) Tj 3 Tr 0 -20 Td (unseen) Tj 0 1 -1 0 300 300 Tm 0 Tr (turned) Tj ET"
)
_CHECKED = ("object", "left", "right", "bottom", "top", "loose_left", "loose_top", "size", "unicode", "mode")
_UNTOUCHED = 0x5A
# No letters have ink higher than this; the ink of tall letters, which are this share of a text, is about one em.
MAX_INK_EMS, _TALL_SHARE = 4.0, 0.9
MIN_UNLIKE_EMS, MIN_SIZE_POINTS = 0.1, 0.01


def batch_agrees(library: Pdfium) -> bool:
    """Return whether the batch call gives the same records as the plain calls, on a page that is made here."""
    content = b"%%PDF-1.7\n" + b"".join(
        b"%d 0 obj%sendobj\n" % (number, body)
        for number, body in enumerate(
            (
                b"<</Type/Catalog/Pages 2 0 R>>",
                b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
                b"<</Length %d>>stream\n%s\nendstream " % (len(_CONTENT), _CONTENT),
                b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            ),
            start=1,
        )
    )
    content += b"trailer<</Root 1 0 R/Size 6>>\n%%EOF"
    with first_page(library, content) as pages:
        return pages is not None and _agree(library, pages[1])


def _agree(library: Pdfium, text_page: int) -> bool:
    count = library.FPDFText_CountChars(text_page)
    # The buffer is larger than the records: bytes after the last one must stay unchanged.
    buffer = np.full(4 * count * RECORD.itemsize, _UNTOUCHED, "u1")
    if count < 1 or library.FPDFText_GetCharInfoBatch(text_page, 0, count, buffer.ctypes.data) != count:
        return False
    end = count * RECORD.itemsize
    if (buffer[end:] != _UNTOUCHED).any():
        return False
    batch, single = buffer[:end].view(RECORD), single_records(library, text_page, count)
    real = batch["type"] != GENERATED
    return np.array_equal(real, single["type"] != GENERATED) and all(
        np.allclose(batch[name][real], single[name][real], atol=1e-3) for name in _CHECKED
    )


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


def drawn_sizes(size: Any, height: Any, fonts: Any) -> Any:
    """Return the sizes of characters; that of a font whose own matrix enlarges its glyphs is the height of its glyphs.

    ``height``: of the ink.
    """
    large = height > MAX_INK_EMS * size
    if not np.count_nonzero(large):
        return size
    size = np.maximum(size, MIN_SIZE_POINTS)
    for font in np.unique(fonts[large]).tolist():
        here = fonts == font
        ems = height[here] / size[here]
        # Glyphs of one height have the box of their font, which is often wrong.
        if 2 * np.count_nonzero(large & here) > np.count_nonzero(here) and np.ptp(ems) > MIN_UNLIKE_EMS:
            size[here] *= np.quantile(ems, _TALL_SHARE)
    return size
