"""Read HTML in an answer with lxml: tables with their spans, and the text of everything else with its formatting."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from apps.pages.model.blocks import BlockType, Cell
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.markup.styled_text import STYLES, StyledText
from apps.parsing.errors import UnusableAnswer

MAX_TABLE_COLUMNS = 500
MAX_TABLE_CELLS = 5_000
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})(?=[\s/>])[^<>]{0,2000}>")
_BLANKS = re.compile(r"[ \t\n]+")
_NUMBER = re.compile(r"\s{0,4}(\d{1,9})")
_UNSEEN = frozenset({"script", "style", "template"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARTING = frozenset(_HEADINGS) | {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt"),
    *(
        "figcaption",
        "figure",
        "footer",
        "form",
        "head",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "p",
    ),
    *("pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul"),
}
_ELEMENTS = (
    _PARTING
    | _UNSEEN
    | {
        *("a", "abbr", "audio", "b", "base", "bdi", "bdo", "big", "br", "button", "cite", "code", "col", "colgroup"),
        *("del", "dfn", "em", "embed", "font", "i", "iframe", "img", "input", "ins", "kbd", "label", "link", "mark"),
        *("meta", "noscript", "object", "path", "picture", "q", "s", "samp", "select", "small", "source", "span"),
        *("strike", "strong", "sub", "sup", "svg", "textarea", "tt", "u", "var", "video", "wbr"),
    }
)
# Text of a page in angle brackets: no comment, and no tag of HTML.
_NOT_A_TAG = re.compile(rf"<(?!!--|/?(?:{'|'.join(sorted(_ELEMENTS))})(?=[\s/>]))", re.IGNORECASE)


class HtmlTag(NamedTuple):
    """The beginning or the end of an element."""

    name: str
    closes: bool
    attributes: Mapping[str, str]


Piece = HtmlTag | str


class _Pieces:
    """What lxml's parser calls with the parts of a text."""

    def __init__(self) -> None:
        self._found: list[Piece] = []
        self._unseen = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._unseen += name in _UNSEEN
        self._found.append(HtmlTag(name, closes=False, attributes=dict(attributes)))

    def end(self, name: str) -> None:
        self._unseen -= name in _UNSEEN
        self._found.append(HtmlTag(name, closes=True, attributes={}))

    def data(self, text: str) -> None:
        if not self._unseen:
            self._found.append(text)

    def comment(self, text: str) -> None:
        """Leave comments out."""

    def close(self) -> list[Piece]:
        return self._found


def pieces(html: str) -> list[Piece]:
    """Return tags and the unescaped text between them, without comments, scripts and styles.

    A tag whose name HTML does not define is text. Elements that are never closed end with the text.
    """
    from lxml import etree

    parser = etree.HTMLParser(target=_Pieces(), encoding="utf-8")
    parser.feed(_NOT_A_TAG.sub("&lt;", html).encode("utf-8", "replace"))
    found: list[Piece] = parser.close()
    return found


def read_inline(html: str, text: StyledText, *, line_break: str = " ") -> None:
    """Append a tag or comment that is inside a line of Markdown; text of the page in angle brackets stays text."""
    found = _TAG.fullmatch(html)
    name = found.group(2).lower() if found else ""
    if html.startswith("<!"):
        return
    if not found or name not in _ELEMENTS:
        text.add(html)
    elif found.group(1):
        text.close(name)
    elif name == "br":
        text.add(line_break)
    elif name in STYLES and len(html) == len(name) + 2:  # no attributes
        text.open(name)
    else:
        for piece in pieces(html):
            if isinstance(piece, HtmlTag) and piece.name == name and not piece.closes:
                _append(piece, text)


def _append(piece: Piece, text: StyledText) -> None:
    """Append a piece to a text, with a line for each part that a browser shows on a line of its own."""
    if isinstance(piece, str):
        text.add(_BLANKS.sub(" ", piece))
    elif piece.name == "br" or piece.name in _PARTING:
        text.add("\n")
    elif piece.closes:
        text.close(piece.name)
    elif piece.name == "img":
        text.add_picture(piece.attributes.get("alt", ""))
    elif piece.name == "a" or piece.name in STYLES:
        text.open(piece.name, piece.attributes.get("href", ""))


def text_of(html: str) -> str:
    """Return the text without tags, on one line."""
    text = StyledText()
    for piece in pieces(html):
        _append(piece, text)
    return text.joined(" ")[0]


def drafts_of(html: str) -> list[Draft]:
    """Return the headings, paragraphs and pictures of HTML that contains no table."""
    drafts: list[Draft] = []
    text, level = StyledText(), 0
    for piece in [*pieces(html), HtmlTag("p", closes=True, attributes={})]:
        if isinstance(piece, str) or piece.name not in _PARTING:
            _append(piece, text)
            continue
        line, spans = text.joined(" ")
        if line:
            drafts.append(Draft(BlockType.HEADING if level else BlockType.PARAGRAPH, line, level, spans=spans))
        drafts += [Draft(BlockType.PICTURE, description) for description in text.pictures]
        text.restart()
        level = 0 if piece.closes else _HEADINGS.get(piece.name, 0)
    return drafts


def table_of(html: str) -> list[Draft]:
    """Return the table as a draft, preceded by text inside it that belongs to no cell, such as its caption.

    Raise ``UnusableAnswer`` for a table larger than a page can contain.
    """
    reading = _TableReader()
    for piece in pieces(html):
        if isinstance(piece, str):
            _append(piece, reading.text)
        elif piece.closes:
            reading.end(piece)
        else:
            reading.start(piece)
    return reading.drafts()


class _OpenCell(msgspec.Struct):
    row: int
    column: int
    row_span: int
    column_span: int
    header: bool
    text: StyledText


class _TableReader:
    """Build one table from its tags and text. A nested table becomes text of its cell."""

    def __init__(self) -> None:
        self._cells: list[_OpenCell] = []
        self._outside = StyledText()
        self._open: _OpenCell | None = None
        self._row = -1
        self._column = 0
        self._taken: list[int] = []  # for each column, the first row that no cell above spans
        self._depth = 0
        self._in_head = False

    @property
    def text(self) -> StyledText:
        """The text that is read now: that of the open cell, or what is in no cell."""
        return self._outside if self._open is None else self._open.text

    def start(self, tag: HtmlTag) -> None:
        if tag.name == "table":
            self._depth += 1
        if self._depth > 1 or tag.name not in ("thead", "tr", "td", "th"):
            _append(tag, self.text)
        elif tag.name == "thead":
            self._in_head = True
        elif tag.name == "tr":
            self._begin_row()
        else:
            self._begin_cell(tag)

    def end(self, tag: HtmlTag) -> None:
        if self._depth <= 1 and tag.name in ("td", "th", "tr"):
            self._open = None
        elif self._depth <= 1 and tag.name == "thead":
            self._in_head = False
        else:
            _append(tag, self.text)
        if tag.name == "table":
            self._depth -= 1

    def _begin_row(self) -> None:
        self._open = None
        self._row += 1
        self._column = 0

    def _begin_cell(self, tag: HtmlTag) -> None:
        if self._row < 0:
            self._begin_row()
        while self._column < len(self._taken) and self._taken[self._column] > self._row:
            self._column += 1
        width, height = (
            max(1, min(int(found.group(1)) if (found := _NUMBER.match(tag.attributes.get(name, ""))) else 1, most))
            for name, most in (("colspan", MAX_TABLE_COLUMNS), ("rowspan", MAX_TABLE_CELLS))
        )
        if self._column + width > MAX_TABLE_COLUMNS or len(self._cells) >= MAX_TABLE_CELLS:
            raise UnusableAnswer("The answer has a table that is too large for a page.")
        self._taken.extend([0] * (self._column + width - len(self._taken)))
        self._taken[self._column : self._column + width] = [self._row + height] * width
        header = tag.name == "th" or self._in_head
        self._open = _OpenCell(self._row, self._column, height, width, header, StyledText())
        self._cells.append(self._open)
        self._column += width

    def drafts(self) -> list[Draft]:
        found = [Draft(BlockType.PARAGRAPH, line, spans=spans) for line, spans in self._outside.lines()]
        cells = []
        for cell in self._cells:
            text, spans = cell.text.joined("\n")
            row_span = min(cell.row_span, self._row + 1 - cell.row)
            cells.append(Cell(cell.row, cell.column, text, row_span, cell.column_span, cell.header, spans=spans))
        if cells:
            found.append(Draft(BlockType.TABLE, cells=tuple(cells)))
        for text_with_pictures in (self._outside, *(cell.text for cell in self._cells)):
            found += [Draft(BlockType.PICTURE, description) for description in text_with_pictures.pictures]
        return found
