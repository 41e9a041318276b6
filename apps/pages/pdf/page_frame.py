"""The visible part of a page: read from PDFium, blank, or the part of it that a request asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import RawPage, TextRun
from apps.pages.pdf.drawings import Drawings
from apps.pages.pdf.text.characters import Characters, Frame, kept_characters

LETTER = (612.0, 792.0)
# Text within this angle of a horizontal or vertical line is not diagonal: a scan may be a little crooked.
MAX_STRAIGHT_DEGREES = 10.0


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


def characters_inside(characters: Characters, area: Box) -> Characters:
    """Return the characters that have their middle in the area."""
    x, y = (characters.x0 + characters.x1) / 2, (characters.top + characters.bottom) / 2
    kept = (x >= area.x0) & (x <= area.x1) & (y >= area.top) & (y <= area.bottom)
    blanks = [blank for blank in characters.blanks if area.overlaps(Box(*blank))]
    return msgspec.structs.replace(kept_characters(characters, kept), blanks=blanks)


def straight_characters(characters: Characters) -> Characters:
    """Return the characters without those of diagonal text, such as watermarks across a page."""
    return kept_characters(characters, np.abs((characters.angle + 45) % 90 - 45) <= MAX_STRAIGHT_DEGREES)


def drawings_inside(drawings: Drawings, area: Box) -> Drawings:
    """Return what is drawn in the area; what reaches out of it is cut."""
    content = drawings.content_box
    return msgspec.structs.replace(
        drawings,
        rulings=boxes_inside(drawings.rulings, area),
        fills=boxes_inside(drawings.fills, area),
        dots=boxes_inside(drawings.dots, area),
        shapes=boxes_inside(drawings.shapes, area),
        pictures=boxes_inside(drawings.pictures, area),
        content_box=content and content.intersection(area),
    )


def boxes_inside(boxes: Iterable[Box], area: Box) -> list[Box]:
    """Return the parts of the boxes in the area."""
    parts = (box.intersection(area) for box in boxes)
    return [part for part in parts if part is not None]


def runs_inside(runs: Iterable[TextRun], area: Box) -> list[TextRun]:
    """Return the runs that have their middle in the area."""
    middles = ((run, (run.x0 + run.x1) / 2, (run.top + run.bottom) / 2) for run in runs)
    return [run for run, x, y in middles if area.x0 <= x <= area.x1 and area.top <= y <= area.bottom]
