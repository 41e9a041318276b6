"""The visible part of a page: read from PDFium, turned, or blank."""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.model.raw_page import RawPage
from apps.pages.pdf.text.characters import Frame

LETTER = (612.0, 792.0)


def frame_of(library: Any, page: int) -> Frame:
    """Return the visible part of a loaded page, in points of its own space, and its rotation."""
    bounds = np.zeros(4, "f4")  # left, top, right, bottom
    rotation = library.FPDFPage_GetRotation(page) * 90
    if library.FPDF_GetPageBoundingBox(page, bounds.ctypes.data):
        left, top, right, bottom = bounds.tolist()
        return Frame(left, min(top, bottom), right, max(top, bottom), rotation)
    width, height = library.FPDF_GetPageWidthF(page), library.FPDF_GetPageHeightF(page)
    return Frame(0.0, 0.0, *((height, width) if rotation in (90, 270) else (width, height)), rotation)


def blank_page(number: int) -> RawPage:
    """Return an empty sheet for a page that the tree counts and that does not exist, as viewers show it."""
    width, height = LETTER
    return RawPage(page_number=number, width=width, height=height, runs=[], rulings=[], fills=[], pictures=[])
