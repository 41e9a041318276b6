"""What the reader for tables of a region can do: all of ``page_reading``, and tables with pdfplumber.

It is a module of its own, because a reader imports everything before it gives up its rights, and other readers do not
need pdfplumber.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.model.media_types import PDF
from apps.pages.model.region_table import RegionTable
from apps.pages.pdf import region_tables
from apps.pages.reading.page_reading import inspect_document, read_pages, render_for_ocr, render_for_vision

__all__ = ["inspect_document", "read_pages", "read_table", "render_for_ocr", "render_for_vision"]


def read_table(
    path: str,
    page_number: int,
    *,
    password: str | None = None,
    media_type: str = PDF,
    region: Box,
    columns: Sequence[float] = (),
) -> RegionTable:
    """Return the table in a region of a page. Raise PageError if there is none, and for images, which have no text."""
    if media_type != PDF:
        raise PageError("The page is an image and has no text layer.")
    return region_tables.region_table(path, password, page_number, region=region, columns=columns)
