"""Enlarged pictures of parts of a page."""

from __future__ import annotations

from apps.pages.model.geometry import Box
from apps.parsing import requests
from apps.parsing.answer_check import PageToParse
from apps.parsing.page_pictures import POINTS_PER_INCH, ZOOM_DPI
from apps.providers.catalog import Target

# Small parts have the larger resolution, others the smaller one.
MIN_DPI = 200.0
MAX_PIXELS_OF_SMALL_PARTS = 600_000


def enlarged(page: PageToParse, box: Box, target: Target) -> bytes:
    """Return a part of the page as a JPEG of 200 to 300 dpi, or less if the deployment's model sees fewer pixels."""
    pixels = box.width * box.height * (ZOOM_DPI / POINTS_PER_INCH) ** 2
    dpi = ZOOM_DPI if pixels <= MAX_PIXELS_OF_SMALL_PARTS else MIN_DPI
    longest = requests.picture_pixels(target)
    if longest:
        dpi = min(dpi, longest * POINTS_PER_INCH / max(box.width, box.height))
    return page.pictures.region(page.page, box, dpi)
