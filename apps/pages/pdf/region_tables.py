"""Read a region of a page as one table with pdfplumber: several strategies are tried, and the best one is kept.

pdfplumber finds borders of cells in ruled lines, in the edges of words that are in one column, or at given places. It
is slow and knows nothing of reading order, so it reads a region on request, never whole documents. Runs only inside a
sandboxed child.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pdfplumber
from pdfplumber.utils import cluster_objects

from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.region_table import MAX_COLUMNS, MAX_ROWS, RegionTable
from apps.pages.model.text.safe_text import clean

logging.getLogger("pdfminer").setLevel(logging.CRITICAL)

# A word is in a cell with at least this share of its width.
MIN_INSIDE = 0.8
# The edge of a region may cut a border by this, in points.
SLACK_POINTS = 3.0
# Words whose middles differ by less are in one row.
ROW_TOLERANCE_POINTS = 3
# A grid of fewer rows or columns is a paragraph or a list.
MIN_ROWS, MIN_COLUMNS = 2, 2
_SMALL_GRID = 0.5
_HEADER = b"%PDF-"
_LINES, _TEXT, _EXPLICIT = "lines", "text", "explicit"


def region_table(
    path: str, password: str | None, page_number: int, *, region: Box, columns: Sequence[float] = ()
) -> RegionTable:
    """Return the best table of the region (points of the page as displayed).

    ``columns``: the x of the borders of its columns, if they are known. Raise PageError for a page that cannot be read
    or a region without a table.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
        start = max(0, file.read(MAX_HEADER_OFFSET_BYTES).find(_HEADER))
        file.seek(start)
        try:
            with pdfplumber.open(io.BytesIO(file.read()), password=password or "", pages=[page_number]) as document:
                page = document.pages[0]
                # pdfplumber measures from the corner of the sheet, and we from that of what is visible.
                left, top = page.cropbox[0] - page.bbox[0], page.cropbox[1] - page.bbox[1]
                x0, y0, x1, y1 = page.bbox
                part = page.crop(
                    (
                        max(x0, region.x0 + left - SLACK_POINTS),
                        max(y0, region.top + top - SLACK_POINTS),
                        min(x1, region.x1 + left + SLACK_POINTS),
                        min(y1, region.bottom + top + SLACK_POINTS),
                    )
                )
                found = list(_candidates(part, [x + left for x in columns]))
        except Exception as error:  # pdfminer raises errors of every kind on a damaged file
            raise PageError from error
    if not found:
        raise PageError("No table was found there.")
    return max(found, key=lambda table: table.score)


def _candidates(part: Any, columns: Sequence[float]) -> Iterator[RegionTable]:
    """Yield the table of each strategy that finds one. Known columns are used first, and alone."""
    words = part.extract_words()
    ways: list[tuple[str, dict[str, Any]]] = [
        ("ruled lines", {"vertical_strategy": _LINES, "horizontal_strategy": _LINES}),
        ("ruled rows, aligned columns", {"vertical_strategy": _TEXT, "horizontal_strategy": _LINES}),
        ("ruled columns, aligned rows", {"vertical_strategy": _LINES, "horizontal_strategy": _TEXT}),
        ("aligned words", {"vertical_strategy": _TEXT, "horizontal_strategy": _TEXT}),
    ]
    if columns:
        borders = sorted({min(max(x, part.bbox[0]), part.bbox[2]) for x in columns})
        given = {"vertical_strategy": _EXPLICIT, "explicit_vertical_lines": borders}
        rows_of_words = cluster_objects(words, lambda word: (word["top"] + word["bottom"]) / 2, ROW_TOLERANCE_POINTS)
        tops, bottoms = ([row[0][side] for row in rows_of_words] for side in ("top", "bottom"))
        between = [(bottom + top) / 2 for bottom, top in zip(bottoms, tops[1:], strict=False)]
        rows = [*tops[:1], *between, *bottoms[-1:]]
        aligned = {"horizontal_strategy": _EXPLICIT, "explicit_horizontal_lines": rows}
        ways = [
            ("given columns, ruled rows", {**given, "horizontal_strategy": _LINES}),
            *([("given columns, aligned rows", {**given, **aligned})] if words else []),
        ]
    for name, settings in ways:
        table = part.find_table({**settings, "text_x_tolerance": 2})
        if table is None:
            continue
        rows = [[clean(text or "").strip() for text in row] for row in table.extract(x_tolerance=2)]
        rows = [row[:MAX_COLUMNS] for row in rows if any(row)][:MAX_ROWS]
        if rows:
            yield RegionTable(rows, name, _score(words, table.cells, rows))


def _score(words: Sequence[dict[str, Any]], cells: Sequence[Any], rows: Sequence[Sequence[str]]) -> float:
    """Return the share of words in one cell, times the share of rows and columns that are filled."""
    inside = 0
    for word in words:
        middle = (word["top"] + word["bottom"]) / 2
        width = max(word["x1"] - word["x0"], 0.1)
        inside += any(
            top <= middle <= bottom and min(x1, word["x1"]) - max(x0, word["x0"]) >= MIN_INSIDE * width
            for x0, top, x1, bottom in cells
        )
    texts = [text for row in rows for text in row]
    filled = sum(map(bool, texts)) / max(1, len(texts))
    is_small = len(rows) < MIN_ROWS or max(map(len, rows)) < MIN_COLUMNS
    score = inside / max(1, len(words)) * (0.5 + filled / 2)
    return round(score * (_SMALL_GRID if is_small else 1.0), 3)
