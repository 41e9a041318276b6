"""Find print in the pictures of a page that its text does not have. Runs only inside the sandboxed child.

The page is drawn small and cut into squares. A square shows print when the levels along its rows change often, and so
do those of its neighbours. Photographs change as often, but have no paper: no level that most of the picture has.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apps.pages.model.geometry import Box, union
from apps.pages.model.page_images.ocr_image import MAX_OCR_PIXELS
from apps.pages.model.raw_page import NO_PRINT, PicturePrint, RawPage, TextRun
from apps.pages.pdf import rasters
from apps.pages.pdf.pdfium import Pdfium

DPI = 72.0
_SIDE_PIXELS = 8
# Levels (0-255) between neighbouring pixels of letters, and how many such steps a square of print has.
MIN_STEP, MIN_STEPS, MAX_STEPS = 32, 5, 50
# Print has this many squares in a row.
MIN_SQUARES_IN_A_ROW = 3
# This share of the picture differs from its most frequent level by less than this many levels: it is paper.
MIN_PAPER_SHARE, MAX_PAPER_DIFFERENCE = 0.5, 16
# PDFium's numbers: a bitmap of one byte a pixel, and how to render into it.
_GREY_BITMAP, _WITH_ANNOTATIONS, _IN_GREY = 1, 0x01, 0x08


def print_in_pictures(raw: RawPage, library: Pdfium, page: int, *, min_unread: int) -> PicturePrint:
    """Return how much print the pictures of a loaded page show; none if less than ``min_unread`` squares lack text."""
    scale = rasters.bounded_dpi(DPI, raw.width, raw.height, max_pixels=MAX_OCR_PIXELS) / 72.0
    height, width = (math.ceil(side * scale) // _SIDE_PIXELS for side in (raw.height, raw.width))
    pictured, covered = np.zeros((height, width), bool), np.zeros((height, width), bool)
    for box in raw.pictures:
        pictured[_squares(box, scale)] = True
    for run in raw.runs:
        covered[_squares(run, scale)] = True
    if np.count_nonzero(pictured & ~covered) < min_unread:
        return NO_PRINT
    around = _squares(union(raw.pictures), scale)
    top, left = (side.start * _SIDE_PIXELS for side in around)
    grey = _rendered(library, page, scale, (top, left), pictured[around].shape)
    pictured[:] = False
    for box in raw.pictures:
        edges = (box.x0 * scale - left, box.top * scale - top, box.x1 * scale - left, box.bottom * scale - top)
        x0, y0, x1, y1 = (max(0, round(edge)) for edge in edges)
        if _has_paper(grey[y0:y1, x0:x1]):
            pictured[_squares(box, scale)] = True
    shown = np.zeros_like(pictured)
    shown[around] = _print_squares(grey) & pictured[around]
    unread = shown & ~covered
    return PicturePrint(int((shown & covered).sum()), int(unread.sum()), int(unread.any(axis=1).sum()))


def _rendered(library: Pdfium, page: int, scale: float, start: tuple[int, int], squares: tuple[int, int]) -> Any:
    """Return a part of a loaded page in grey, 0-255: this many rows and columns of squares from this row and column.

    Only the part is rendered, with everything that is drawn there.
    """
    rows, columns = (side * _SIDE_PIXELS for side in squares)
    grey = np.full((rows, columns), 255, "u1")
    if not grey.size:
        return grey
    bitmap = library.FPDFBitmap_CreateEx(columns, rows, _GREY_BITMAP, grey.ctypes.data, columns)
    if bitmap:
        width, height = library.FPDF_GetPageWidthF(page), library.FPDF_GetPageHeightF(page)
        whole = math.ceil(width * scale), math.ceil(height * scale)
        library.FPDF_RenderPageBitmap(bitmap, page, -start[1], -start[0], *whole, 0, _WITH_ANNOTATIONS | _IN_GREY)
        library.FPDFBitmap_Destroy(bitmap)
    return grey


def _has_paper(grey: Any) -> bool:
    if not grey.size:
        return False
    counts = np.bincount(grey.ravel(), minlength=256)
    near = np.convolve(counts, np.ones(2 * MAX_PAPER_DIFFERENCE + 1, "i8"), "same")
    return bool(near.max() >= MIN_PAPER_SHARE * grey.size)


def _print_squares(grey: Any) -> Any:
    """Return which squares show print."""
    rows, columns = (side // _SIDE_PIXELS for side in grey.shape)
    cut = grey[: rows * _SIDE_PIXELS, : columns * _SIDE_PIXELS]
    left, right = cut[:, :-1], cut[:, 1:]
    steps = np.zeros(cut.shape, "u1")
    steps[:, 1:] = np.maximum(left, right) - np.minimum(left, right) >= MIN_STEP
    # Eight sums of whole arrays: a sum along an axis of eight is many times slower.
    down: Any = sum(steps[by::_SIDE_PIXELS] for by in range(_SIDE_PIXELS))
    count: Any = sum(down[:, by::_SIDE_PIXELS] for by in range(_SIDE_PIXELS))
    found = (count >= MIN_STEPS) & (count <= MAX_STEPS)
    in_a_row = np.zeros_like(found)
    last = columns - MIN_SQUARES_IN_A_ROW + 1
    if last > 0:
        begins = np.logical_and.reduce([found[:, by : last + by] for by in range(MIN_SQUARES_IN_A_ROW)])
        for by in range(MIN_SQUARES_IN_A_ROW):
            in_a_row[:, by : last + by] |= begins
    return in_a_row


def _squares(box: Box | TextRun, scale: float) -> tuple[slice, slice]:
    """Return which rows and columns of squares a box touches."""
    side = _SIDE_PIXELS / scale
    return (
        slice(max(0, int(box.top / side)), max(0, int(box.bottom / side) + 1)),
        slice(max(0, int(box.x0 / side)), max(0, int(box.x1 / side) + 1)),
    )
