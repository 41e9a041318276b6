"""Read pictures that are below each other on one image, each on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.pages.model.errors import GarbledPage
from apps.pages.model.recognition import Recognition
from ocr_worker.engines.base import Gray
from ocr_worker.recognition import PageReader, Request


def read_sheet(reader: PageReader, sheet: Gray, request: Request, parts: Sequence[tuple[int, int]]) -> Recognition:
    """Return a recognition with one of each part. ``parts``: widths and heights in pixels, from the top.

    Raise GarbledPage if they are not on the sheet, and as ``PageReader.recognize`` does.
    """
    height, width = sheet.shape
    if sum(rows for _columns, rows in parts) > height or any(
        not (0 < columns <= width and rows > 0) for columns, rows in parts
    ):
        raise GarbledPage
    found, top = [], 0
    for columns, rows in parts:
        found.append(reader.recognize(np.ascontiguousarray(sheet[top : top + rows, :columns]), request))
        top += rows
    scale = 72.0 / request.dpi
    confidences = [part.confidence for part in found if part.lines]
    return Recognition(
        lines=(),
        rulings=(),
        width=round(width * scale, 2),
        height=round(height * scale, 2),
        orientation=0,
        skew=0.0,
        engine=next((part.engine for part in found if part.engine), ""),
        version=next((part.version for part in found if part.version), ""),
        languages=tuple(dict.fromkeys(language for part in found for language in part.languages)),
        confidence=round(sum(confidences) / len(confidences), 4) if confidences else 0.0,
        seconds=round(sum(part.seconds for part in found), 3),
        attempts=tuple(attempt for part in found for attempt in part.attempts),
        parts=tuple(found),
        lacks_barcodes=any(part.lacks_barcodes for part in found),
    )
