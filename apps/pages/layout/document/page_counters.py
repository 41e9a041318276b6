"""Page numbers in running lines: which number of a line may count the pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from apps.pages.model.blocks import Block, Page
from apps.pages.model.text import list_markers

# At most this many numbers of a line are tried as page counter.
MAX_COUNTERS = 5
MAX_REMEMBERED_LINES = 32
# The word for a page is at most this far before the number, with signs between them.
MAX_PAGE_WORD_CHARACTERS = 30
# A page number below the text: blocks above it, their distance in heights of the line, and how far it is from the
# middle as a share of the width.
MIN_BLOCKS_ABOVE, MIN_SPACE_HEIGHTS, MAX_OFF_CENTRE_SHARE = 4, 2.0, 0.03
_TOKEN = re.compile(r"\d+|(?<![^\W_])(?:[ivxlcdm]{1,7}|[IVXLCDM]{1,7})(?![^\W_])")
_ROMAN = re.compile(r"m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})", re.IGNORECASE)
# Words for a page before its number, and between the number and the count of pages.
_PAGE_WORD = re.compile(
    r"(?:page|seite|blatt|стр|страница|página|pagina|pág|pag|p|pg|σελίδα|صفحة|صفحه|หน้า|第|页|頁|ページ|쪽)\W*$",
    re.IGNORECASE,
)
_OF_COUNT = re.compile(r"\s*(?:/|of|von|de|из|di|sur|van|av|af|z|od)?\W{0,3}\d{1,5}\W*", re.IGNORECASE)
_SEPARATORS = frozenset("|·•–—/‖¦")
_LONE = re.compile(r"\W*(?:\d{1,5}|[ivxlcdm]{1,7}|[IVXLCDM]{1,7}|\d{1,3}\s?[-–.]\s?\d{1,4}|[A-Z][-–.]\d{1,4})\W*")


class CounterReading(msgspec.Struct, gc=False):
    """A line with one of its numbers read as page counter. ``offset``: number minus page. ``is_sure``: set apart."""

    signature: str
    offset: int = 0
    is_sure: bool = True
    counts: bool = False


def is_lone_counter(text: str) -> bool:
    """Return True if a text is a number that may count pages, and nothing else: "3", "- iv -", "2-7"."""
    return _LONE.fullmatch(text) is not None


def is_page_phrase(text: str) -> bool:
    """Return True for "Page 3", "Seite 3 von 9", "3 / 9"."""
    found = _TOKEN.search(text)
    if found is None or len(text) > 30:
        return False
    before, after = text[: found.start()].strip(" -–—|·[("), text[found.end() :]
    of_count = _OF_COUNT.fullmatch(after) is not None
    if not before:
        return of_count
    return (of_count or not any(c.isalnum() for c in after)) and _PAGE_WORD.fullmatch(before) is not None


@lru_cache(MAX_REMEMBERED_LINES)
def readings(text: str, page_number: int) -> Sequence[CounterReading]:
    """Return the ways to read lines: as they are, and with one of the numbers at their ends as page counter.

    The lines of a page are read several times in a row, for each sign of a running line.
    """
    found = [CounterReading(text)]
    for token in _TOKEN.finditer(text):
        before, after = text[: token.start()].rpartition("\n")[2], text[token.end() :].partition("\n")[0]
        of_count = _OF_COUNT.fullmatch(after) is not None
        at_end = not any(c.isalnum() for c in after) or of_count
        at_start = not any(c.isalnum() for c in before)
        paged = _PAGE_WORD.search(before[-MAX_PAGE_WORD_CHARACTERS:]) is not None
        if not (at_end or at_start or paged):
            continue
        number = token.group()
        if len(found) > MAX_COUNTERS or not (_ROMAN.fullmatch(number) or (number.isdigit() and len(number) <= 6)):
            continue
        value = int(number) if number.isdigit() else list_markers.roman_value(number)
        last, following = before.rstrip()[-1:], after.lstrip()[:1]
        # "3 of 9" counts pages whatever is before it.
        paged = paged or (of_count and any(c.isalpha() for c in after))
        is_sure = paged or (at_start and at_end) or (at_end and last in _SEPARATORS) or following in _SEPARATORS
        sign = "#" if number.isdigit() else "r"
        signature = f"{text[: token.start()]}\0{sign}{value - page_number}\0{text[token.end() :]}"
        found.append(CounterReading(signature, value - page_number, is_sure, True))
    return found


class ClosingNumber(NamedTuple):
    """A number below all text of a page. ``offset``: number minus page."""

    block: Block
    offset: int


def closing_number(page: Page) -> ClosingNumber | None:
    """Return the number in the middle of the page below all text, as on pages whose text ends far above the edge."""
    texts = [block for block in page.blocks if block.text or block.cells]
    if len(texts) < MIN_BLOCKS_ABOVE:
        return None
    last = max(texts, key=lambda block: block.box.bottom)
    box, digits = last.box, last.text.strip("-–— ")
    if len(last.lines) != 1 or not digits.isdecimal() or not is_lone_counter(last.text):
        return None
    space = box.top - max(block.box.bottom for block in texts if block is not last)
    is_centred = abs(box.x0 + box.x1 - page.width) <= 2 * MAX_OFF_CENTRE_SHARE * page.width
    is_apart = space >= MIN_SPACE_HEIGHTS * last.lines[0].box.height
    return ClosingNumber(last, int(digits) - page.number) if is_centred and is_apart else None
