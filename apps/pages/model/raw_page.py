"""A page as the PDF library or an OCR engine returns it, before layout. Points, origin top-left, page as displayed.

A *text run* is the text that a library returns as one item: neighbouring characters of one font on one line.
"""

from __future__ import annotations

from typing import Any

import msgspec

from apps.pages.model.blocks import Signature
from apps.pages.model.geometry import Box
from apps.pages.model.page_tags import PageTags


class Char(msgspec.Struct, gc=False):
    """One character and its box. ``angle``: degrees, 0 for upright text."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    angle: float = 0.0


class WordBox(msgspec.Struct, gc=False):
    """A word of a run and its box."""

    text: str
    x: float
    y: float
    width: float
    height: float


class TextStyle(msgspec.Struct, frozen=True, gc=False):
    """How characters are drawn. ``font``: its name; ``colour``: red, green and blue of the fill, 0-255."""

    font: str = ""
    bold: bool = False
    italic: bool = False
    fixed_pitch: bool = False
    mathematics: bool = False
    invisible: bool = False
    colour: tuple[int, int, int] = (0, 0, 0)


NO_STYLE = TextStyle()


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A finding of layout about a run beside its style.

    ``level``: 1 above the line of its neighbours, -1 below it. ``struck``: crossed out. ``url``: where its link leads.
    """

    level: int = 0
    struck: bool = False
    url: str = ""


class TextRun(msgspec.Struct, gc=False):
    """Neighbouring characters of one style on one line; ``text`` ends with a blank where the file has one after it.

    ``angle``: degrees, 0 for upright text. ``words``: objects with the attributes of ``WordBox``, None when
    the word boxes are unknown. ``baseline``: its y, None
    when unknown. ``content_id``: the number of its marked content, -1 for none, -2 for an artefact. ``mark``: set by
    layout.
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
    baseline: float | None = None
    style: TextStyle = NO_STYLE
    content_id: int = -1
    mark: Mark | None = None


class Link(msgspec.Struct, frozen=True, gc=False):
    """A place on the page that leads to an address."""

    box: Box
    url: str


class PicturePrint(msgspec.Struct, frozen=True, gc=False):
    """How many small squares of print the pictures of a page show: under text of the page (``read``), and without.

    ``rows``: how many rows of squares have print without text.
    """

    read: int = 0
    unread: int = 0
    rows: int = 0


NO_PRINT = PicturePrint()


class RawPage(msgspec.Struct, gc=False):
    """Text runs, drawn lines (``rulings``, as thin boxes), filled areas and raster pictures of one page.

    ``dots``: small marks, filled or hollow, such as drawn bullets. ``shapes``: paths with curves or slanted sides, of
    which figures are made. ``content_box`` surrounds everything that the page
    draws beside text, or is None when unknown. ``truncated``: the page has more characters than are read. ``struck``:
    places that notes cross out. ``warnings``: codes. ``columns_share``: the share of characters in vertical writing,
    0.0-1.0. ``text``: the visible characters as the reader has them, without blanks, in the order of the file; "" when
    only the runs are known. ``outside``: how many more are drawn outside the visible part of the page. ``doubled``: how
    many more are drawn over equal ones. ``unmapped``: the places of those that are glyph numbers, which name no
    letters. ``reader``: the library that read the text, if it is not the usual one. ``tags``: the structure of the text
    in a tagged PDF, which may be wrong. ``hidden``: the text of layers that are not shown. ``stamp_characters``: how
    many are of stamps and signatures. ``area``: the part of the page that is read, None for the whole page.
    ``signatures``: its signature fields; their boxes are never turned.
    """

    page_number: int
    width: float
    height: float
    runs: list[TextRun]
    rulings: list[Box]
    fills: list[Box]
    pictures: list[Box]
    content_box: Box | None = None
    dots: list[Box] = []
    shapes: list[Box] = []
    truncated: bool = False
    links: list[Link] = []
    struck: list[Box] = []
    warnings: list[str] = []
    columns_share: float = 0.0
    text: str = ""
    outside: int = 0
    doubled: int = 0
    unmapped: list[Box] = []
    reader: str = ""
    tags: PageTags | None = None
    hidden: str = ""
    stamp_characters: int = 0
    signatures: list[Signature] = []
    area: Box | None = None
