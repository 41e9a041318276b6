"""Read HTML in an answer: tables with their spans, and the text of everything else.

Tags are found with a regular expression in linear time; ``html.parser`` of this Python rescans the rest of the text
for every tag or comment that is never closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import msgspec

from apps.pages.model.blocks import BlockType, Cell
from apps.pages.model.text.shifted_text import without_tags
from apps.parsing.answers.drafts import Draft
from apps.parsing.errors import UnusableAnswer

MAX_TABLE_COLUMNS = 500
MAX_TABLE_CELLS = 5_000
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})(?=[\s/>])([^<>]{0,2000})>")
_COMMENT = "<!--"
_SPAN = re.compile(r"\b(row|col)span\s{0,4}=\s{0,4}[\"']?\s{0,4}(\d{1,9})", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\n]+")
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
# A tag, or the text before one: ("", "", text), (name, "/" or "", attributes).
Piece = tuple[str, str, str]


def pieces(html: str) -> Iterator[Piece]:
    """Yield tags and the unescaped text between them, without comments, scripts and styles.

    Raised and lowered text comes in Unicode's own characters. A tag whose name HTML does not define is text.
    """
    unseen = ""
    start = 0
    html = without_tags(without_comments(html))
    for found in _TAG.finditer(html):
        closing, name, attributes = found.group(1), found.group(2).lower(), found.group(3)
        if name not in _ELEMENTS:
            continue
        if not unseen and found.start() > start:
            yield "", "", unescape(html[start : found.start()])
        start = found.end()
        if unseen:
            unseen = "" if closing and name == unseen else unseen
        elif name in _UNSEEN and not closing and not attributes.endswith("/"):
            unseen = name
        else:
            yield name, closing, attributes
    if not unseen and start < len(html):
        yield "", "", unescape(html[start:])


def without_comments(html: str) -> str:
    """Remove comments; one that is never closed extends to the end of the text."""
    if _COMMENT not in html:
        return html
    kept: list[str] = []
    start = 0
    while (found := html.find(_COMMENT, start)) >= 0:
        kept.append(html[start:found])
        end = html.find("-->", found + len(_COMMENT))
        if end < 0:
            return "".join(kept)
        start = end + 3
    kept.append(html[start:])
    return "".join(kept)


def is_tag(text: str) -> bool:
    """Return whether the text is an HTML tag, and not text of the page in angle brackets (``<token>``)."""
    found = _TAG.fullmatch(text)
    return text.startswith("<!") or (found is not None and found.group(2).lower() in _ELEMENTS)


def text_of(html: str) -> str:
    """Return the text without tags, on one line."""
    texts = []
    for name, _closing, text in pieces(html):
        if name in _PARTING or name == "br":
            texts.append(" ")
        elif not name:
            texts.append(text)
    return _one_line("".join(texts))


def _one_line(text: str) -> str:
    return _SPACES.sub(" ", text).strip(" ")


def drafts_of(html: str) -> list[Draft]:
    """Return the headings and paragraphs of HTML that contains no table."""
    drafts: list[Draft] = []
    text: list[str] = []
    level = 0

    def close() -> None:
        line = _one_line("".join(text))
        if line:
            drafts.append(Draft(BlockType.HEADING if level else BlockType.PARAGRAPH, line, level))
        text.clear()

    for name, closing, content in pieces(html):
        if not name:
            text.append(content)
        elif name in _PARTING:
            close()
            level = 0 if closing else _HEADINGS.get(name, 0)
        elif name == "br":
            text.append(" ")
    close()
    return drafts


def table_of(html: str) -> list[Draft]:
    """Return the table as a draft, preceded by text inside it that belongs to no cell, such as its caption.

    Raise ``UnusableAnswer`` for a table larger than a page can contain.
    """
    reading = _TableReader()
    for name, closing, content in pieces(html):
        if not name:
            reading.text(content)
        elif closing:
            reading.end(name)
        else:
            reading.start(name, content)
    return reading.drafts()


class _OpenCell(msgspec.Struct):
    row: int
    column: int
    row_span: int
    column_span: int
    header: bool
    parts: list[str]


class _TableReader:
    """Build one table from its tags and text. A nested table becomes text of its cell."""

    def __init__(self) -> None:
        self._cells: list[_OpenCell] = []
        self._outside: list[str] = []
        self._open: _OpenCell | None = None
        self._row = -1
        self._column = 0
        self._taken: list[int] = []  # for each column, the first row that no cell above spans
        self._depth = 0
        self._in_head = False

    def text(self, text: str) -> None:
        (self._outside if self._open is None else self._open.parts).append(_SPACES.sub(" ", text))

    def start(self, name: str, attributes: str) -> None:
        if name == "table":
            self._depth += 1
        if self._depth > 1 or name not in ("thead", "tr", "td", "th"):
            self._part(name)
        elif name == "thead":
            self._in_head = True
        elif name == "tr":
            self._begin_row()
        else:
            self._begin_cell(name, attributes)

    def end(self, name: str) -> None:
        if self._depth <= 1 and name in ("td", "th", "tr"):
            self._open = None
        elif self._depth <= 1 and name == "thead":
            self._in_head = False
        else:
            self._part(name)
        if name == "table":
            self._depth -= 1

    def _part(self, name: str) -> None:
        """Break the line where a browser would."""
        if name == "br" or name in _PARTING:
            (self._outside if self._open is None else self._open.parts).append("\n")

    def _begin_row(self) -> None:
        self._open = None
        self._row += 1
        self._column = 0

    def _begin_cell(self, name: str, attributes: str) -> None:
        if self._row < 0:
            self._begin_row()
        while self._column < len(self._taken) and self._taken[self._column] > self._row:
            self._column += 1
        spans = {axis.lower(): int(count) for axis, count in _SPAN.findall(attributes)}
        width = max(1, min(spans.get("col", 1), MAX_TABLE_COLUMNS))
        height = max(1, min(spans.get("row", 1), MAX_TABLE_CELLS))
        if self._column + width > MAX_TABLE_COLUMNS or len(self._cells) >= MAX_TABLE_CELLS:
            raise UnusableAnswer("The answer has a table that is too large for a page.")
        self._taken.extend([0] * (self._column + width - len(self._taken)))
        self._taken[self._column : self._column + width] = [self._row + height] * width
        header = name == "th" or self._in_head
        self._open = _OpenCell(self._row, self._column, height, width, header, [])
        self._cells.append(self._open)
        self._column += width

    def drafts(self) -> list[Draft]:
        found = [Draft(BlockType.PARAGRAPH, line) for line in _lines("".join(self._outside))]
        cells = []
        for cell in self._cells:
            text = "\n".join(_lines("".join(cell.parts)))
            row_span = min(cell.row_span, self._row + 1 - cell.row)
            cells.append(Cell(cell.row, cell.column, text, row_span, cell.column_span, cell.header))
        if cells:
            found.append(Draft(BlockType.TABLE, cells=tuple(cells)))
        return found


def _lines(text: str) -> list[str]:
    return [line for part in text.split("\n") if (line := part.strip(" "))]
