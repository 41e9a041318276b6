"""Markdown -> drafts: CommonMark with tables. Emphasis, links, pictures and tags are removed, their text is kept.

Indented text is not code: models indent by chance.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from apps.pages.layout.text.lines import paragraph_text
from apps.pages.model.blocks import BlockType, Cell
from apps.pages.model.text import list_markers
from apps.pages.model.text.shifted_text import without_tags
from apps.parsing.answers import html
from apps.parsing.answers.drafts import Draft
from apps.parsing.errors import UnusableAnswer

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# Allows lists ten levels deep. Deeper text is not read, and the fidelity check finds it missing.
MAX_NESTING = 30
# Some inline rules take time that is quadratic in a paragraph's length; no paragraph of a page is as long as this.
MAX_MARKED_CHARS = 8_000
MAX_BRACKETS = 300
MAX_DRAFTS = 5_000
_LOOK_BACK = 200
_TABLE = re.compile(r"<(/?)table(?=[\s>])", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)")
_MARKED = re.compile(r"[\\`*_\[\]<&!\n]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_DECIMAL = re.compile(r"\d{1,9}[.)]")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    parser.enable("table").disable(["code", "reference"])
    parser.core.ruler.disable(["inline", "text_join"])  # inline content is parsed in plain()
    return parser


def drafts_of(text: str) -> list[Draft]:
    """Return the blocks of a Markdown text. Raise ``UnusableAnswer`` for more than MAX_DRAFTS."""
    drafts: list[Draft] = []
    start = 0
    # HTML tables may contain empty lines, which would end them in CommonMark.
    for opened, closed in (*table_spans(text), (len(text), len(text))):
        if text[start:opened].strip():
            drafts += _MarkdownReader(_parser().parse(text[start:opened])).drafts()
        drafts += html.table_of(text[opened:closed])
        if len(drafts) > MAX_DRAFTS:
            raise UnusableAnswer(f"The answer has more than {MAX_DRAFTS} blocks.")
        start = closed
    return drafts


def table_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each outermost HTML table that is not code; one that is never closed ends with the
    text.
    """
    if not _TABLE.search(text):
        return
    fences = fence_spans(text)
    depth, opened = 0, 0
    for found in _TABLE.finditer(text):
        if not depth:
            opened = found.start()
            before = text[max(0, opened - _LOOK_BACK) : opened].rpartition("\n")[2]
            fence = bisect_right(fences, (opened, opened)) - 1
            is_code = "`" in before or before.endswith("\\") or (fence >= 0 and opened < fences[fence][1])
            if found.group(1) or is_code:
                continue
        depth += -1 if found.group(1) else 1
        if not depth:
            end = text.find(">", found.end())
            yield opened, end + 1 if end >= 0 else len(text)
    if depth:
        yield opened, len(text)


def fence_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each fenced code block; one that is never closed ends with the text."""
    found: list[tuple[int, int]] = []
    fence, opened, place = "", 0, 0
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match and not fence:
            fence, opened = match.group(1), place
        elif match and match.group(1).startswith(fence) and not match.group(2).strip():
            found.append((opened, place))
            fence = ""
        place += len(line) + 1
    if fence:
        found.append((opened, len(text)))
    return found


def plain(content: str, *, line_break: str = " ") -> str:
    """Return inline Markdown as plain text. Hard breaks become ``line_break``; soft breaks join hyphenated words."""
    if not _MARKED.search(content):
        return content
    content = without_tags(content)
    if len(content) > MAX_MARKED_CHARS or content.count("[") > MAX_BRACKETS:
        return _ESCAPED.sub(r"\1", html.text_of(content))
    tokens: list[Token] = []
    parser = _parser()
    parser.inline.parse(content, parser, {}, tokens)
    lines = [""]
    for token in tokens:
        if token.type == "softbreak":
            lines.append("")
        elif token.type == "hardbreak" or (token.type == "html_inline" and token.content[:3].lower() == "<br"):
            lines[-1] += line_break
        elif token.type in ("text", "text_special", "code_inline") or (
            token.type == "html_inline" and not html.is_tag(token.content)
        ):
            lines[-1] += token.content
    return paragraph_text(lines) if len(lines) > 1 else lines[0].strip(" ")


class _MarkdownReader:
    """Turn the tokens of one text into drafts."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._drafts: list[Draft] = []
        self._lists = 0
        self._marker = ""  # of a list item that has no text yet
        self._level = 0  # of the open heading

    def drafts(self) -> list[Draft]:
        place = 0
        while place < len(self._tokens):
            token = self._tokens[place]
            place += 1
            if token.type == "table_open":
                place = self._table(place)
            elif token.type == "inline":
                self._text(plain(token.content))
            elif token.type in ("fence", "code_block"):
                self._drafts.append(Draft(BlockType.CODE, token.content.removesuffix("\n")))
            elif token.type == "html_block":
                self._drafts += html.drafts_of(token.content)
            else:
                self._enter_or_leave(token)
        return self._drafts

    def _enter_or_leave(self, token: Token) -> None:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            self._lists += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            self._lists -= 1
        elif token.type == "list_item_open":
            self._marker = f"{token.info}{token.markup}" if token.info else "-"
        elif token.type == "list_item_close":
            self._marker = ""
        elif token.type == "heading_open":
            self._level = int(token.tag[1])
        elif token.type == "heading_close":
            self._level = 0

    def _text(self, text: str) -> None:
        if not text:
            return
        if self._level and not self._marker:
            self._drafts.append(Draft(BlockType.HEADING, text, self._level))
        elif not self._marker:
            self._drafts.append(Draft(BlockType.PARAGRAPH, text))
        else:
            marker, self._marker = self._marker, ""
            if marker == "-":  # Markdown has no letters as markers, so ``b)`` follows a bullet
                own, rest = list_markers.split(text)
                if own and list_markers.is_ordered(own) and not _DECIMAL.fullmatch(own):
                    marker, text = own, rest
            self._drafts.append(Draft(BlockType.LIST_ITEM, text, self._lists, marker))

    def _table(self, place: int) -> int:
        """Read the table whose first token is at ``place``; return the index of the first token after it."""
        cells: list[Cell] = []
        row, column = -1, 0
        while (token := self._tokens[place]).type != "table_close":
            if token.type == "tr_open":
                row, column = row + 1, 0
            elif token.type == "inline":
                text = plain(token.content, line_break="\n")
                cells.append(Cell(row, column, text, header=row == 0))
                column += 1
            place += 1
            if column > html.MAX_TABLE_COLUMNS or len(cells) > html.MAX_TABLE_CELLS:
                raise UnusableAnswer("The answer has a table that is too large for a page.")
        self._drafts.append(Draft(BlockType.TABLE, cells=tuple(cells)))
        return place + 1
