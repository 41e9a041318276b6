"""The words of a page and of an answer, in a spelling in which both can be compared.

Letters are folded (NFKC, case), hyphens and soft hyphens inside words are taken out, so that it does not matter who has
healed a line end; punctuation and single letters are passed over, as formulas and list markers are spelt in many ways.
A number is one word with its inner points and commas. Characters of scripts without spaces are words of their own.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from apps.pages.layout.document_survey import margin_of
from apps.pages.model.blocks import Block, BlockType, Line, Page
from apps.pages.model.geometry import Box

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_LETTER = rf"[^\W\d_{_UNSPACED}]"
_HYPHEN = "[-\u00ad\u2010\u2011]"
_WORD = re.compile(
    rf"{_LETTER}{{2,}}(?:{_HYPHEN}{_LETTER}+)*|\d+(?:[.,]\d+)*|[{_UNSPACED}]|{_LETTER}(?:{_HYPHEN}{_LETTER}+)+"
)
_HYPHENS = re.compile(_HYPHEN)
_CUT = re.compile(r"[^\W\d_]([-\u00ad\u2010\u2011])\s*$")
# What stands in the margins with more words than this is no running line.
LONGEST_RUNNING_LINE = 60
LONGEST_PAGE_NUMBER = 12


class Unit(msgspec.Struct, frozen=True, gc=False):
    """A line or a cell of the page, with its box; ``block`` counts the page's blocks from 0."""

    text: str
    box: Box
    block: int
    line: Line | None = None


class PageWords(msgspec.Struct):
    """The words of a page in reading order: four lists of the same length, and three about the units they stand in.

    ``units`` says in which unit a word stands, ``spans`` from where to where in it, in letters, ``optional`` whether an
    answer may leave it out: markers of lists and page numbers. ``lengths``: the letters of each unit; ``sizes``: its
    words.
    """

    tokens: list[str] = []
    units: list[int] = []
    spans: list[tuple[int, int]] = []
    optional: list[bool] = []
    all_units: list[Unit] = []
    lengths: list[int] = []
    sizes: list[int] = []


def folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def words_of(text: str) -> list[str]:
    """The words of a text."""
    text = folded(text)
    words: list[str] = _WORD.findall(text)
    return [_HYPHENS.sub("", word) for word in words] if _HYPHENS.search(text) else words


def is_number(token: str) -> bool:
    return token[0].isdigit()


def page_words(page: Page) -> PageWords:
    """The words of a page, each with its place; a word that a line end cuts in two stands in the first line."""
    words = PageWords()
    for index, block in enumerate(page.blocks):
        if block.type is BlockType.PICTURE:
            continue
        numbered = len(block.text) <= LONGEST_PAGE_NUMBER and is_running_line(page, block)
        cut = False
        for number, unit in enumerate(_units(block, index)):
            cut = _add(words, unit, marker=block.marker if not number else "", optional=numbered, cut=cut)
    return words


def is_running_line(page: Page, block: Block) -> bool:
    """Whether the block may be a running header or footer; for certain only the whole document shows it."""
    if block.type in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        return True
    return bool(margin_of(page, block)) and block.text.count(" ") < LONGEST_RUNNING_LINE


def _units(block: Block, index: int) -> list[Unit]:
    if block.lines:
        return [Unit(line.text, line.box, index, line) for line in block.lines]
    if block.cells:
        return [Unit(cell.text, cell.box or block.box, index) for cell in block.cells if cell.text]
    return [Unit(f"{block.marker} {block.text}", block.box, index)] if block.text else []


def _add(words: PageWords, unit: Unit, *, marker: str, optional: bool, cut: bool) -> bool:
    """Add the words of a unit; returns whether its last word goes on in the next line."""
    text = folded(unit.text)
    found = list(_WORD.finditer(text))
    tokens = [match.group() for match in found]
    if _HYPHENS.search(text):
        tokens = [_HYPHENS.sub("", token) for token in tokens]
    if cut and tokens and not is_number(tokens[0]) and not text[: found[0].start()].strip():
        words.tokens[-1] += tokens.pop(0)
        del found[0]
    marked = words_of(marker) if marker else []
    if tokens[: len(marked)] != marked:
        marked = []
    words.tokens += tokens
    words.units += [len(words.all_units)] * len(tokens)
    words.spans += [match.span() for match in found]
    words.optional += [True] * len(marked) + [optional] * (len(tokens) - len(marked))
    words.all_units.append(unit)
    words.lengths.append(len(text))
    words.sizes.append(len(tokens))
    return bool(tokens) and unit.line is not None and _CUT.search(text[-4:]) is not None
