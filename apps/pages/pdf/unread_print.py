"""Find print in the pictures of a page that its text does not have. Runs only inside the sandboxed child.

The page is drawn small and cut into squares. A square shows print when the levels along its rows change often, and so
do those of its neighbours. Photographs change as often, but have no paper: no level that most of the picture has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import PicturePrint, RawPage, TextRun
from apps.pages.pdf import rasters

DPI = 72.0
_SIDE_PIXELS = 8
# Levels (0-255) between neighbouring pixels of letters, and how many such steps a square of print has.
MIN_STEP, MIN_STEPS, MAX_STEPS = 32, 5, 50
# Print has this many squares in a row.
MIN_SQUARES_IN_A_ROW = 3
# This share of the picture differs from its most frequent level by less than this many levels: it is paper.
MIN_PAPER_SHARE, MAX_PAPER_DIFFERENCE = 0.5, 16


def print_in_pictures(raw: RawPage, document: Any) -> PicturePrint:
    """Return how much print the pictures of a page show. ``document``: pypdfium2's, None if it cannot be opened."""
    if document is None:
        return PicturePrint()
    try:
        image = rasters.render(document, raw.page_number, dpi=DPI, max_dpi=DPI)
    except PageError:
        return PicturePrint()
    grey = np.frombuffer(image.pixels, "u1").reshape(image.height, image.width)
    scale = image.dpi / 72.0
    pictured = np.zeros((image.height // _SIDE_PIXELS, image.width // _SIDE_PIXELS), bool)
    for box in raw.pictures:
        x0, top, x1, bottom = (max(0, round(edge * scale)) for edge in (box.x0, box.top, box.x1, box.bottom))
        if _has_paper(grey[top:bottom, x0:x1]):
            pictured[_squares(box, scale)] = True
    rows = np.flatnonzero(pictured.any(axis=1))
    if not rows.size:
        return PicturePrint()
    shown = np.zeros_like(pictured)
    first, end = int(rows[0]), int(rows[-1]) + 1
    shown[first:end] = _print_squares(grey[first * _SIDE_PIXELS : end * _SIDE_PIXELS]) & pictured[first:end]
    covered = np.zeros_like(shown)
    for run in raw.runs:
        covered[_squares(run, scale)] = True
    unread = shown & ~covered
    return PicturePrint(int((shown & covered).sum()), int(unread.sum()), int(unread.any(axis=1).sum()))


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
