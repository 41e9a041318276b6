"""Normalize the words of a page and of an answer so that they can be compared.

Letters are folded (NFKC, case). Hyphens and soft hyphens inside words are removed, so a hyphenated line end does not
matter. Punctuation and most single letters are skipped, because formulas and list markers have many spellings. A number
is one word, with its inner points and commas; raised digits are another. So are signs before a number, the letter of a
unit after it, the signs of currencies, degrees and percent, and ticked boxes. In scripts without spaces each character
is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from statistics import median

import msgspec

from apps.pages.layout.document.page_margins import has_inner_margins, inner_margin_of, margin_of
from apps.pages.model.blocks import Block, BlockType, Cell, Line, Page
from apps.pages.model.geometry import Box
from apps.pages.model.text import scripts
from apps.pages.model.text.shifted_text import SHIFTED_CHARACTERS
from apps.parsing.answers import latex
from apps.parsing.answers.drafts import Draft

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_FIRST_UNSPACED = "\u3040"
_LETTER = rf"[^\W\d_{_UNSPACED}]"
_HYPHEN = "[-\u00ad\u2010\u2011]"
_CURRENCIES = "$\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u20ba\u20aa\u0e3f\u20ab\u20b4"
_TICKS = "\u2610\u2611\u2612\u2713\u2714\u2717\u2718"
_SAME_TICKS = str.maketrans("\u2611\u2714\u2612\u2718", "\u2713\u2713\u2717\u2717")
_MINUS = frozenset("-\u2010\u2212\u2013")
MINUS = "-"
_WORD = re.compile(
    # Signs that begin no word are tried first, which takes a quarter of the time away.
    r"(?![\s,.;:])(?:"
    rf"{_LETTER}{{2,}}(?:{_HYPHEN}{_LETTER}+)*(?:['\u2019]t\b)?|\d+(?:[.,]\d+)*|[{_UNSPACED}]"
    rf"|{_LETTER}(?:{_HYPHEN}{_LETTER}+)+"
    # The sign of a number, no hyphen or range; brackets around an amount, which mean minus; comparisons.
    rf"|(?<![\w)\]}}{{^.,'\u2019-])[-\u2010\u2212\u2013](?=(?:[{_CURRENCIES}]\s?)?[.,]?\d)"
    rf"|\((?=[{_CURRENCIES}]?\s?\d[\d.,]{{2,30}}\s?%?\))"
    rf"|[<>\u2264\u2265\u00b1](?=\s?[-\u2212{_CURRENCIES}]?\d)"
    rf"|[%\u2030\u00b0{_CURRENCIES}{_TICKS}]"
    # The letter of a unit; x is a multiplication.
    rf"|(?:(?<=\d)|(?<=\d\s)|(?<=\u00b0)|(?<=\u00b0\s))(?!x){_LETTER}(?!\w))"
)
# Raised and lowered characters are words of their own: 1,234¹ is 1,234 with a note.
_SHIFTED_SIGNS = frozenset(SHIFTED_CHARACTERS)
_SHIFTED = re.compile(rf"(?<=\w)([{SHIFTED_CHARACTERS}]+)")
_HYPHENS = re.compile(_HYPHEN)
_CUT = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010\u2011]\s{0,9}$")
# A block in the margin with more spaces than this is not a running line.
MAX_RUNNING_LINE_SPACES = 60
MAX_PAGE_NUMBER_CHARS = 12
# A cell with fewer letters, as a tick, is not merged with the one above that has the same.
MIN_MERGED_LETTERS = 2
# A title is bold, or larger than the page's type by this factor.
MIN_TITLE_TYPE = 1.1
# Up to this many letters before the first word and after the last are punctuation that belongs to them.
MAX_MARGIN_LETTERS = 2
# Texts of pages and answers whose words are remembered in a process, a few hundred bytes each.
MAX_KNOWN_TEXTS = 1_000

NOWHERE = Box(0.0, 0.0, 0.0, 0.0)


class Unit(msgspec.Struct, frozen=True, gc=False):
    """A line or a cell of the page, with its box; ``block`` is the index of its block, from 0."""

    text: str
    box: Box
    block: int
    line: Line | None = None


class PageWords(msgspec.Struct):
    """The words of a page or an answer in reading order: four lists of the same length, and lists about their units.

    ``units``: the index of each word's unit. ``spans``: its first and last letter in the unit. ``optional``: whether an
    answer may leave it out, as list markers and page numbers. ``texts``: the folded text of each unit; ``lengths``: its
    letters; ``sizes``: its words; ``is_cell`` and ``is_title``: whether a unit is a cell of a table, or the one line of
    a title.
    """

    tokens: list[str] = []
    units: list[int] = []
    spans: list[tuple[int, int]] = []
    optional: list[bool] = []
    all_units: list[Unit] = []
    texts: list[str] = []
    lengths: list[int] = []
    sizes: list[int] = []
    is_cell: list[bool] = []
    is_title: list[bool] = []

    def add(
        self,
        unit: Unit,
        *,
        marker: str = "",
        optional: bool = False,
        cut: bool = False,
        cell: bool = False,
        title: bool = False,
    ) -> bool:
        """Add the words of a unit; return whether its last word continues in the next line.

        ``cut``: the last word added continues in this unit.
        """
        text, found, places = read_words(unit.text)
        tokens, spans = list(found), list(places)
        if cut and tokens and tokens[0][0].isalpha() and not text[: spans[0][0]].strip():
            self.tokens[-1] += tokens.pop(0)
            del spans[0]
        marked = words_of(marker) if marker else ()
        if tuple(tokens[: len(marked)]) != marked:
            marked = ()
        self.tokens += tokens
        self.units += [len(self.all_units)] * len(tokens)
        self.spans += spans
        self.optional += [True] * len(marked) + [optional] * (len(tokens) - len(marked))
        self.all_units.append(unit)
        self.texts.append(text)
        self.lengths.append(len(text))
        self.sizes.append(len(tokens))
        self.is_cell.append(cell)
        self.is_title.append(title)
        hyphen = _CUT.search(text) if unit.line is not None and tokens else None
        return hyphen is not None and spans[-1][1] == hyphen.start()

    def starts_unit(self, word: int) -> bool:
        return word == 0 or self.units[word - 1] != self.units[word]

    def ends_unit(self, word: int) -> bool:
        return word + 1 == len(self.units) or self.units[word + 1] != self.units[word]

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
    return text.lower() if text.isascii() else with_usual_letters(text).casefold()


def with_usual_letters(text: str) -> str:
    """Return the text in NFKC, with raised and lowered characters as words of their own."""
    if not _SHIFTED_SIGNS.isdisjoint(text):
        text = _SHIFTED.sub(r" \1", text)
    return unicodedata.normalize("NFKC", text)


def words_of(text: str) -> tuple[str, ...]:
    """Return the normalized words of a text."""
    return read_words(text)[1]


# The texts of an answer are read when they are placed and when they are compared.
@lru_cache(maxsize=MAX_KNOWN_TEXTS)
def read_words(text: str) -> tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Return the folded text, its normalized words, and where each begins and ends."""
    text = folded(text)
    found = list(_WORD.finditer(text))
    return text, tuple(_normalized(text, [match[0] for match in found])), tuple([match.span() for match in found])


def _normalized(text: str, words: list[str]) -> list[str]:
    """Return the words of a text without hyphens, with one sign for minus and one for the apostrophe."""
    if text.isascii() and "-" not in text:
        return words
    return [
        word
        if word.isalnum()
        else _HYPHENS.sub("", word).replace("\u2019", "'")
        if len(word) > 1
        else MINUS
        if word in _MINUS
        else word.translate(_SAME_TICKS)
        for word in words
    ]


def is_number(token: str) -> bool:
    return token[0].isdigit()


def is_sign(token: str) -> bool:
    """Return whether the token is the sign of a number or the letter of a unit."""
    return not token[0].isalnum() or (len(token) == 1 and token < _FIRST_UNSPACED and not is_number(token))


def page_words(page: Page) -> PageWords:
    """Return the words of a page with their positions; a word hyphenated over two lines belongs to the first line."""
    words = PageWords()
    sizes = [line.size for block in page.blocks for line in block.lines]
    title_size = MIN_TITLE_TYPE * median(sizes) if sizes else 0.0
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
            cut = words.add(
                unit,
                marker=block.marker if not number else "",
                optional=is_page_number,
                cut=cut,
                cell=bool(block.cells),
                title=len(block.lines) == 1 and (block.lines[0].bold or block.lines[0].size > title_size),
            )
    return words


def answer_words(blocks: Sequence[Block | Draft]) -> PageWords:
    """Return the words of an answer, in its order, without commands of LaTeX; each text and each cell is a unit."""
    words = PageWords()
    for index, block in enumerate(blocks):
        if block.type is BlockType.PICTURE:
            continue
        if not block.cells:
            text = latex.without_dollars(block.text, block.spans)
            text = f"{block.marker} {text}" if block.marker else text
            words.add(Unit(latex.without_commands(text), NOWHERE, index), marker=block.marker)
            continue
        repeated = repeated_cells(block.cells)
        for number, cell in enumerate(block.cells):
            text = latex.without_dollars(cell.text, cell.spans)
            unit = Unit(latex.without_commands(text), NOWHERE, index)
            words.add(unit, optional=number in repeated, cell=True)
    return words


def repeated_cells(cells: Sequence[Cell]) -> frozenset[int]:
    """Return the indexes of the cells that repeat the words above or before them: models write merged cells so.

    A row that repeats the whole row above it has none.
    """
    texts = {(cell.row, cell.column): cell.text for cell in cells if cell.text}
    rows: dict[int, list[str]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(cell.text)
    found = set()
    for number, cell in enumerate(cells):
        is_below = texts.get((cell.row - 1, cell.column)) == cell.text and rows[cell.row] != rows.get(cell.row - 1)
        if (
            (is_below or texts.get((cell.row, cell.column - 1)) == cell.text)
            and sum(map(str.isalpha, cell.text)) >= MIN_MERGED_LETTERS
            and (cell.header or not any(sign.isdigit() for sign in cell.text))
        ):
            found.add(number)
    return frozenset(found)


def is_running_line(page: Page, block: Block) -> bool:
    """Return whether the block may be a running header or footer. Only the whole document can confirm it."""
    if block.type in (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER):
        return True
    if block.text.count(" ") >= MAX_RUNNING_LINE_SPACES:
        return False
    if margin_of(page, block):
        return True
    # A page printed smaller than its paper, or a page number below a page that ends early.
    is_lone_number = len(block.text) <= MAX_PAGE_NUMBER_CHARS and all(
        other is block or other.box.bottom < block.box.top for other in page.blocks
    )
    return bool(inner_margin_of(page, block)) and (is_lone_number or has_inner_margins(page))
