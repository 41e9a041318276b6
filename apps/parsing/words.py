"""The words of a page and of an answer, in a spelling in which both can be compared.

Letters are folded (NFKC, case), hyphens and soft hyphens inside words are taken out, so that it does not matter who has
healed a line end; punctuation and single letters are passed over, as formulas and list markers are spelt in many ways.
A number is one word with its inner points and commas. Characters of scripts without spaces are words of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import msgspec

from apps.pages import scripts
from apps.pages.blocks import Block, BlockType, Line, Page
from apps.pages.geometry import Box
from apps.pages.survey import margin_of

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"\d+(?:[.,]\d+)*|[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+(?:[-\u00ad\u2010\u2011][^\W\d_{_UNSPACED}]+)*")
_HYPHENS = re.compile("[-\u00ad\u2010\u2011]")
_CUT = re.compile(r"[^\W\d_]([-\u00ad\u2010\u2011])\s*$")
# What stands in the margins with more words than this is no running line.
LONGEST_RUNNING_LINE = 25


class Unit(msgspec.Struct, frozen=True, gc=False):
    """A line or a cell of the page, with its box; ``block`` counts the page's blocks from 0."""

    text: str
    box: Box
    block: int
    line: Line | None = None


class PageWords(msgspec.Struct):
    """The words of a page in reading order: four lists of the same length, and two about the units they stand in.

    ``units`` says in which unit a word stands, ``spans`` from where to where along it (shares, 0.0-1.0), ``optional``
    whether an answer may leave it out: running lines, and the markers of lists. ``sizes``: the words of each unit.
    """

    tokens: list[str]
    units: list[int]
    spans: list[tuple[float, float]]
    optional: list[bool]
    all_units: list[Unit]
    sizes: list[int]


def folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def words_of(text: str) -> list[str]:
    """The words of a text."""
    return [token for _, _, token in _found(folded(text))]


def is_number(token: str) -> bool:
    return token[0].isdigit()


def _found(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _WORD.finditer(text):
        token = found.group()
        if len(token) == 1:
            if token.isalpha() and not scripts.is_unspaced(token):
                continue
        elif not token.isalpha() and not token[0].isdigit():
            token = _HYPHENS.sub("", token)
        yield found.start(), found.end(), token


def page_words(page: Page) -> PageWords:
    """The words of a page, each with its place; a word that a line end cuts in two stands in the first line."""
    words = PageWords([], [], [], [], [], [])
    for index, block in enumerate(page.blocks):
        if block.type is BlockType.PICTURE:
            continue
        running = is_running_line(page, block)
        cut = False
        for number, unit in enumerate(_units(block, index)):
            cut = _add(words, unit, marker=block.marker if not number else "", running=running, cut=cut)
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


def _add(words: PageWords, unit: Unit, *, marker: str, running: bool, cut: bool) -> bool:
    """Add the words of a unit; returns whether its last word goes on in the next line."""
    text = folded(unit.text)
    length = max(1, len(text))
    number = len(words.all_units)
    words.all_units.append(unit)
    before = len(words.tokens)
    marked = words_of(marker) if marker else []
    for place, (start, end, token) in enumerate(_found(text)):
        if cut and not place and not text[:start].strip() and not is_number(token):
            words.tokens[-1] += token
            continue
        words.tokens.append(token)
        words.units.append(number)
        words.spans.append((start / length, end / length))
        words.optional.append(running or marked[place : place + 1] == [token])
    words.sizes.append(len(words.tokens) - before)
    return bool(words.tokens) and words.units[-1] == number and unit.line is not None and bool(_CUT.search(text))
