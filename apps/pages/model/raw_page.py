"""A page as the PDF library or an OCR engine returns it, before layout. Points, origin top-left, page as displayed.

A *text run* is the text that a library returns as one item: neighbouring characters of one font on one line.
"""

from __future__ import annotations

from typing import Any

import msgspec

from apps.pages.model.geometry import Box


class Char(msgspec.Struct, gc=False):
    """One character and its box."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float


class WordBox(msgspec.Struct, gc=False):
    """A word of a run and its box, with the attribute names of LiteParse's words."""

    text: str
    x: float
    y: float
    width: float
    height: float


class TextRun(msgspec.Struct, gc=False):
    """Neighbouring characters of one font on one line. ``angle`` in degrees, 0 for upright text.

    ``words``: objects with the attributes of ``WordBox``, or None when the word boxes are unknown.
    """

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    size: float
    bold: bool
    italic: bool
    angle: float = 0.0
    words: Any = None


class RawPage(msgspec.Struct, gc=False):
    """Text runs, drawn lines (``rulings``, as thin boxes), filled areas and raster pictures of one page.

    ``content_box`` surrounds everything the page draws, or is None when unknown.
    """

    page_number: int
    width: float
    height: float
    runs: list[TextRun]
    rulings: list[Box]
    fills: list[Box]
    pictures: list[Box]
    content_box: Box | None = None
