"""Normalize the words of a page and of an answer so that they can be compared.

Letters are folded (NFKC, case). Hyphens and soft hyphens inside words are removed, so a hyphenated line end does not
matter. Punctuation and single letters are skipped, because formulas and list markers have many spellings. A number is
one word, with its inner points and commas; raised digits are another. In scripts without spaces each character is a
word.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from apps.pages.layout.document.page_margins import margin_of
from apps.pages.model.blocks import Block, BlockType, Line, Page
from apps.pages.model.geometry import Box
from apps.pages.model.text import scripts
from apps.pages.model.text.shifted_text import SHIFTED_CHARACTERS

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W\d_{_UNSPACED}]"
_HYPHEN = "[-\u00ad\u2010\u2011]"
_WORD = re.compile(
    rf"{_LETTER}{{2,}}(?:{_HYPHEN}{_LETTER}+)*|\d+(?:[.,]\d+)*|[{_UNSPACED}]|{_LETTER}(?:{_HYPHEN}{_LETTER}+)+"
)
# Raised and lowered characters are words of their own: 1,234¹ is 1,234 with a note.
_SHIFTED = re.compile(rf"(?<=\w)([{SHIFTED_CHARACTERS}]+)")
_HYPHENS = re.compile(_HYPHEN)
_CUT = re.compile(r"[^\W\d_]([-\u00ad\u2010\u2011])\s*$")
# A block in the margin with more spaces than this is not a running line.
MAX_RUNNING_LINE_SPACES = 60
MAX_PAGE_NUMBER_CHARS = 12
# Up to this many letters before the first word and after the last are punctuation that belongs to them.
MAX_MARGIN_LETTERS = 2


class Unit(msgspec.Struct, frozen=True, gc=False):
    """A line or a cell of the page, with its box; ``block`` is the index of its block, from 0."""

    text: str
    box: Box
    block: int
    line: Line | None = None


class PageWords(msgspec.Struct):
    """The words of a page in reading order: four lists of the same length, and three lists about their units.

    ``units``: the index of each word's unit. ``spans``: its first and last letter in the unit. ``optional``: whether an
    answer may leave it out, as list markers and page numbers. ``lengths``: letters per unit; ``sizes``: words per unit.
    """

    tokens: list[str] = []
    units: list[int] = []
    spans: list[tuple[int, int]] = []
    optional: list[bool] = []
    all_units: list[Unit] = []
    lengths: list[int] = []
    sizes: list[int] = []

    def add(self, unit: Unit, *, marker: str, optional: bool, cut: bool) -> bool:
        """Add the words of a unit; return whether its last word continues in the next line.

        ``cut``: the last word added continues in this unit.
        """
        text = folded(unit.text)
        found = list(_WORD.finditer(text))
        tokens = [match.group() for match in found]
        if _HYPHENS.search(text):
            tokens = [_HYPHENS.sub("", token) for token in tokens]
        if cut and tokens and not is_number(tokens[0]) and not text[: found[0].start()].strip():
            self.tokens[-1] += tokens.pop(0)
            del found[0]
        marked = words_of(marker) if marker else []
        if tokens[: len(marked)] != marked:
            marked = []
        self.tokens += tokens
        self.units += [len(self.all_units)] * len(tokens)
        self.spans += [match.span() for match in found]
        self.optional += [True] * len(marked) + [optional] * (len(tokens) - len(marked))
        self.all_units.append(unit)
        self.lengths.append(len(text))
        self.sizes.append(len(tokens))
        return bool(tokens) and unit.line is not None and _CUT.search(text[-4:]) is not None

    def box_of_letters(self, unit: int, start: int, end: int) -> Box:
        """Return the box of some letters of a line, assuming letters of equal width; the whole box of a cell, which may
        have several lines.
        """
        text, box, length = self.all_units[unit].text, self.all_units[unit].box, self.lengths[unit]
        start = start if start > MAX_MARGIN_LETTERS else 0
        end = end if end < length - MAX_MARGIN_LETTERS else length
        if self.all_units[unit].line is None or end - start == length:
            return box
        if scripts.is_rtl(text):
            start, end = length - end, length - start
        letter = box.width / length
        return Box(round(box.x0 + start * letter, 2), box.top, round(box.x0 + end * letter, 2), box.bottom)


def folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", _SHIFTED.sub(r" \1", text)).casefold()


def words_of(text: str) -> list[str]:
    """Return the normalized words of a text."""
    text = folded(text)
    words: list[str] = _WORD.findall(text)
    return [_HYPHENS.sub("", word) for word in words] if _HYPHENS.search(text) else words


def is_number(token: str) -> bool:
    return token[0].isdigit()


def page_words(page: Page) -> PageWords:
    """Return the words of a page with their positions; a word hyphenated over two lines belongs to the first line."""
    words = PageWords()
    for index, block in enumerate(page.blocks):
        if block.type is BlockType.PICTURE:
            continue
        if block.lines:
            units = [Unit(line.text, line.box, index, line) for line in block.lines]
        elif block.cells:
            units = [Unit(cell.text, cell.box or block.box, index) for cell in block.cells if cell.text]
        else:
            units = [Unit(f"{block.marker} {block.text}", block.box, index)] if block.text else []
        is_page_number = len(block.text) <= MAX_PAGE_NUMBER_CHARS and is_running_line(page, block)
        cut = False
        for number, unit in enumerate(units):
            cut = words.add(unit, marker=block.marker if not number else "", optional=is_page_number, cut=cut)
    return words


def is_running_line(page: Page, block: Block) -> bool:
    """Return whether the block may be a running header or footer. Only the whole document can confirm it."""
    if block.type in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        return True
    return bool(margin_of(page, block)) and block.text.count(" ") < MAX_RUNNING_LINE_SPACES
