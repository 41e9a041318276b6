"""Markdown -> drafts: CommonMark with tables, strike-through and LaTeX. Inline formatting becomes spans of the text.

Indented text is not code: models indent by chance.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from apps.pages.layout.text.inline_spans import moved
from apps.pages.model.blocks import BlockType, Cell
from apps.pages.model.text import list_markers
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.markup import formulas, html
from apps.parsing.answers.markup.styled_text import StyledText
from apps.parsing.errors import UnusableAnswer

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# Allows lists ten levels deep. Deeper text is not read, and the fidelity check finds it missing.
MAX_NESTING = 30
# Some inline rules take time that is quadratic in a text's length, so a long paragraph is read in pieces of this size.
MAX_MARKED_CHARS = 8_000
MAX_BRACKETS = 300
# No paragraph of a page has more pieces.
MAX_PIECES = 8
# Blanks that are tried as the end of a piece.
MAX_CUTS = 200
MAX_DRAFTS = 5_000
_LOOK_BACK = 200
_TABLE = re.compile(r"<(/?)table(?=[\s>])", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)")
_MARKED = re.compile(r"[\\`*_~$\[\]<&!\n]")
_BLANK = re.compile(r"\s+")
_OPENED = re.compile(r"\[")
_TEXTS: dict[str, dict[str, bool]] = {
    "text": {},
    "text_special": {},
    "code_inline": {"code": True},
    "formula": {"latex": True},
}
"""Tokens with text, and the style of each."""
_DECIMAL = re.compile(r"\d{1,9}[.)]")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"]).disable(["code", "reference"])
    parser.core.ruler.disable(["inline", "text_join"])  # inline content is parsed in styled()
    formulas.add_rules(parser)
    # Every link is a link to the parser; StyledText.open decides which addresses are kept.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
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


def styled(content: str, *, line_break: str = " ") -> StyledText:
    """Read inline Markdown. Hard breaks become ``line_break``; soft breaks end a line."""
    text = StyledText()
    if not _MARKED.search(content):
        text.add(content)
        return text
    if len(content) > MAX_PIECES * MAX_MARKED_CHARS or content.count("[") > MAX_PIECES * MAX_BRACKETS:
        raise UnusableAnswer("The answer has a paragraph that is too long for a page.")
    for piece in _pieces(content):
        _read_inline(piece, text, line_break=line_break)
    return text


def _pieces(content: str) -> Iterator[str]:
    """Yield a text in pieces that are short enough to read. They end between words, outside of markup if possible."""
    while len(content) > MAX_MARKED_CHARS or content.count("[") > MAX_BRACKETS:
        end = min(len(content), MAX_MARKED_CHARS)
        opened = [found.start() for found in _OPENED.finditer(content, 0, end)]
        if len(opened) > MAX_BRACKETS:
            end = opened[MAX_BRACKETS]
        blanks = [found.end() for found in _BLANK.finditer(content, 0, end)][:-MAX_CUTS:-1]
        end = next((place for place in blanks if _is_closed(content[:place])), blanks[0] if blanks else end)
        yield content[:end]
        content = content[end:]
    yield content


def _is_closed(text: str) -> bool:
    """Return whether no markup is open at the end of a text, judged by the number of its signs."""
    pairs = text.count("[") == text.count("]") and text.count("<") == text.count(">")
    return pairs and not any(text.count(sign) % 2 for sign in ("**", "~~", "`", "$", "*", "_"))


def _read_inline(content: str, text: StyledText, *, line_break: str) -> None:
    """Append inline Markdown to a text."""
    tokens: list[Token] = []
    parser = _parser()
    parser.inline.parse(content, parser, {}, tokens)
    breaks = {"softbreak": "\n", "hardbreak": line_break}
    for token in tokens:
        kind = token.type
        if kind in breaks:
            text.add(breaks[kind])
        elif kind in _TEXTS:
            text.add(token.content, **_TEXTS[kind])
        elif kind == "image":
            text.add_picture("".join(child.content or " " for child in token.children or ()))
        elif kind == "html_inline":
            html.read_inline(token.content, text, line_break=line_break)
        elif token.nesting > 0:
            text.open(token.tag, str(token.attrGet("href") or ""))
        else:
            text.close(token.tag)


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
                self._text(styled(token.content))
            elif token.type in ("fence", "code_block"):
                self._drafts.append(Draft(BlockType.CODE, token.content.removesuffix("\n")))
            elif token.type == "formula_block":
                self._drafts.append(Draft(BlockType.PARAGRAPH, token.content, latex=token.content))
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

    def _text(self, content: StyledText) -> None:
        text, spans = content.joined()
        if text and self._level and not self._marker:
            self._drafts.append(Draft(BlockType.HEADING, text, self._level, spans=spans))
        elif text and not self._marker:
            self._drafts.append(Draft(BlockType.PARAGRAPH, text, spans=spans))
        elif text:
            marker, self._marker = self._marker, ""
            if marker == "-":  # Markdown has no letters as markers, so ``b)`` follows a bullet
                own, rest = list_markers.split(text)
                if own and list_markers.is_ordered(own) and not _DECIMAL.fullmatch(own):
                    marker, spans, text = own, moved(spans, len(rest) - len(text)), rest
            self._drafts.append(Draft(BlockType.LIST_ITEM, text, self._lists, marker, spans=spans))
        self._drafts += [Draft(BlockType.PICTURE, description) for description in content.pictures]

    def _table(self, place: int) -> int:
        """Read the table whose first token is at ``place``; return the index of the first token after it."""
        cells: list[Cell] = []
        pictures: list[str] = []
        row, column = -1, 0
        while (token := self._tokens[place]).type != "table_close":
            if token.type == "tr_open":
                row, column = row + 1, 0
            elif token.type == "inline":
                content = styled(token.content, line_break="\n")
                text, spans = content.joined("\n")
                cells.append(Cell(row, column, text, header=row == 0, spans=spans))
                pictures += content.pictures
                column += 1
            place += 1
            if column > html.MAX_TABLE_COLUMNS or len(cells) > html.MAX_TABLE_CELLS:
                raise UnusableAnswer("The answer has a table that is too large for a page.")
        self._drafts.append(Draft(BlockType.TABLE, cells=tuple(cells)))
        self._drafts += [Draft(BlockType.PICTURE, description) for description in pictures]
        return place + 1
