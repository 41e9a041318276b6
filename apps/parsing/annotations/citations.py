"""Find where the values of an extraction are printed: the page, the words and their boxes.

A value is looked for by its letters and digits, whatever is between them, at the borders of words; a number also by
what it amounts to (1,234.50 and 1.234,50 are 1234.5), a date also by its day. Of several places the one wins that has
the words of the property's name before it or above it, and other values of the same object beside it. A value without
a place has no citation: nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.pages.model.blocks import Block, Page, Word
from apps.pages.model.geometry import Box, union
from apps.pages.output.grounding import box_of

MAX_PLACES = 50
"""Places of one value that are compared."""
_BEFORE = 8
_ROW_POINTS = 3.0
_NUMBER = re.compile(r"[-−+(]{0,2}\s?\d[\d.,'’\s]*")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS_ELSEWHERE = {
    "janvier": 1,
    "fevrier": 2,
    "mars": 3,
    "avril": 4,
    "mai": 5,
    "juin": 6,
    "juillet": 7,
    "aout": 8,
    "septembre": 9,
    "octobre": 10,
    "novembre": 11,
    "decembre": 12,
    "januar": 1,
    "februar": 2,
    "marz": 3,
    "juni": 6,
    "juli": 7,
    "oktober": 10,
    "dezember": 12,
    "enero": 1,
    "febrero": 2,
    "marzo": 3,
    "abril": 4,
    "mayo": 5,
    "junio": 6,
    "julio": 7,
    "agosto": 8,
    "septiembre": 9,
    "octubre": 10,
    "noviembre": 11,
    "diciembre": 12,
}


@dataclass(frozen=True)
class Token:
    """A word of a page, or a whole line or block where the boxes of its words are unknown. ``line``: counts lines."""

    text: str
    box: Box
    line: int
    confidence: float | None = None


@dataclass(frozen=True)
class Place:
    """The tokens ``start`` to ``end`` (excluded) of a page."""

    page: int
    start: int
    end: int
    box: Box


@dataclass
class _PageIndex:
    """The words of a page: their letters and digits in one string, and the numbers among them."""

    page: Page
    tokens: list[Token] = field(default_factory=list)
    letters: str = ""
    starts: list[int] = field(default_factory=list)
    """For each token, where it begins in ``letters``."""
    borders: frozenset[int] = frozenset()
    """Where a word, or a part of one between other signs, begins or ends in ``letters``."""
    numbers: dict[Decimal, list[tuple[int, int]]] = field(default_factory=dict)
    dates: dict[date, list[tuple[int, int]]] = field(default_factory=dict)


class Citations:
    """The places of the values of one extraction from these pages."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = {page.number: _indexed(page) for page in pages}
        self.not_found = 0
        self._last: dict[str, tuple[int, int]] = {}  # the place of the last value of a list, by its path
        self._above: dict[Place, set[str]] = {}

    def metadata_of(self, answer: Any) -> Any:
        """Return an object of the answer's shape in which each value is its metadata. Count values without a place."""
        return self._metadata(answer, (), {})

    def _metadata(self, value: Any, path: tuple[str, ...], siblings: dict[str, list[Place]]) -> Any:
        if isinstance(value, dict):
            own = {name: self._places(each) for name, each in value.items() if not isinstance(each, dict | list | None)}
            return {name: self._metadata(each, (*path, name), own) for name, each in value.items()}
        if isinstance(value, list):
            return [self._metadata(each, (*path, "*"), siblings if len(value) == 1 else {}) for each in value]
        return self._entry(value, path, siblings)

    def _entry(self, value: Any, path: tuple[str, ...], siblings: dict[str, list[Place]]) -> dict[str, Any]:
        if value is None or value == "":
            return {"citation": None}
        name = path[-1] if path else ""
        places = siblings[name] if name in siblings else self._places(value)
        if not places:
            self.not_found += 1
            return {"citation": None}
        others = [each for sibling, found in siblings.items() if sibling != name for each in found]
        in_list = "*" in path
        after = self._last.get("/".join(path), (0, -1)) if in_list else (0, -1)
        labels = _words(" ".join(part for part in path[-1:] if part != "*"))
        best = (
            places[0]
            if len(places) == 1
            else max(
                places,
                key=lambda each: (
                    self._label_score(each, labels) + self._row_score(each, others),
                    (each.page, each.start) > after,
                    -each.page,
                    -each.start,
                ),
            )
        )
        if in_list:
            self._last["/".join(path)] = (best.page, best.start)
        return self._cited(best)

    def _cited(self, place: Place) -> dict[str, Any]:
        index = self._pages[place.page]
        tokens = index.tokens[place.start : place.end]
        lines: dict[int, list[Token]] = defaultdict(list)
        for token in tokens:
            lines[token.line].append(token)
        citation = {
            "page": place.page,
            "matching_text": " ".join(token.text for token in tokens),
            "bounding_boxes": [box_of(union(token.box for token in line)) for line in lines.values()],
            "page_dimensions": {"width": index.page.width, "height": index.page.height},
        }
        known = [token.confidence for token in tokens if token.confidence is not None]
        return {"citation": [citation]} | ({"parsing_confidence": min(known)} if known else {})

    def _label_score(self, place: Place, labels: Sequence[str]) -> float:
        """Return how many of the words of the property's name are before the place, or above it in its column."""
        if not labels:
            return 0.0
        index = self._pages[place.page]
        near = index.tokens[max(0, place.start - _BEFORE) : place.start]
        before = {word for token in near for word in _words(token.text)}
        above = self._words_above(place)
        return max(sum(word in before for word in labels), 0.9 * sum(word in above for word in labels)) / len(labels)

    def _words_above(self, place: Place) -> set[str]:
        if place not in self._above:
            box = place.box
            self._above[place] = {
                word
                for token in self._pages[place.page].tokens
                if token.box.bottom <= box.top + _ROW_POINTS and token.box.x0 < box.x1 and box.x0 < token.box.x1
                for word in _words(token.text)
            }
        return self._above[place]

    def _row_score(self, place: Place, others: Sequence[Place]) -> float:
        """Return 1 if values of the same object are printed in the same row, less if there are none."""
        if not others:
            return 0.0
        beside = sum(
            other.page == place.page and other.box.top < place.box.middle < other.box.bottom for other in others
        )
        return min(1.0, beside / 2)

    def _places(self, value: Any) -> list[Place]:
        """Return the places of a value on all pages, in order. True and false have none: they are not printed."""
        if isinstance(value, bool) or value is None:
            return []
        found: list[Place] = []
        for number, index in self._pages.items():
            for start, end in self._spans(index, value):
                found.append(Place(number, start, end, union(token.box for token in index.tokens[start:end])))
                if len(found) == MAX_PLACES:
                    return found
        return found

    def _spans(self, index: _PageIndex, value: Any) -> list[tuple[int, int]]:
        if isinstance(value, int | float):
            return index.numbers.get(abs(Decimal(str(value)).normalize()), [])
        letters = "".join(sign for sign in _folded(str(value)) if sign.isalnum())
        spans = list(_occurrences(index, letters))
        if spans:
            return spans
        if (amount := _sole_number(str(value))) is not None:
            return index.numbers.get(amount, [])
        day = _iso_date(str(value))
        return index.dates.get(day, []) if day else []


def _indexed(page: Page) -> _PageIndex:
    index = _PageIndex(page)
    for line, tokens in enumerate(_lines(page.blocks)):
        index.tokens += [Token(token.text, token.box, line, token.confidence) for token in tokens]
    letters: list[str] = []
    borders: set[int] = set()
    for token in index.tokens:
        index.starts.append(len(letters))
        borders.add(len(letters))
        was_letter, was_latin = False, True
        for sign in _folded(token.text):
            if sign.isalnum():
                is_latin = ord(sign) < 0x2E80
                if not (was_letter and was_latin and is_latin):
                    borders.add(len(letters))
                letters.append(sign)
                was_letter, was_latin = True, is_latin
            else:
                borders.add(len(letters))
                was_letter = False
    borders.add(len(letters))
    index.letters, index.borders = "".join(letters), frozenset(borders)
    _add_numbers(index)
    _add_dates(index)
    return index


def _lines(blocks: Sequence[Block]) -> Iterator[list[Word]]:
    """Yield the words of each line. A line or cell without boxes of words is given the line's own for each word."""
    for block in blocks:
        if block.cells:
            for cell in block.cells:
                yield list(cell.words) or [Word(word, cell.box or block.box) for word in cell.text.split()]
        elif block.lines:
            for line in block.lines:
                yield list(line.words) or [Word(word, line.box, line.confidence) for word in line.text.split()]
        else:
            yield [Word(word, block.box, block.confidence) for word in f"{block.marker} {block.text}".split()]


def _occurrences(index: _PageIndex, letters: str) -> Iterator[tuple[int, int]]:
    """Yield where these letters and digits are on the page, from border to border."""
    at = index.letters.find(letters) if letters else -1
    while at >= 0:
        end = at + len(letters)
        if at in index.borders and end in index.borders:
            yield bisect_right(index.starts, at) - 1, bisect_right(index.starts, end - 1)
        at = index.letters.find(letters, at + 1)


def _add_numbers(index: _PageIndex) -> None:
    found: dict[Decimal, list[tuple[int, int]]] = defaultdict(list)
    for place, token in enumerate(index.tokens):
        if not any(sign.isdigit() for sign in token.text):
            continue
        for amount in _amounts(token.text):
            found[amount].append((place, place + 1))
        # A blank may divide thousands: 12 500,00.
        following = index.tokens[place + 1] if place + 1 < len(index.tokens) else None
        if (
            following is not None
            and following.line == token.line
            and re.fullmatch(r"\D{0,2}\d{1,3}", token.text)
            and re.match(r"\d{3}(?!\d)", following.text)
        ):
            for amount in _amounts(token.text + following.text):
                found[amount].append((place, place + 2))
    index.numbers = found


def _amounts(text: str) -> set[Decimal]:
    """Return what a number may amount to: the last point or comma divides decimals, or thousands."""
    amounts = set()
    folded = unicodedata.normalize("NFKC", text)
    for match in _NUMBER.finditer(folded):
        digits = re.sub(r"[^\d.,]", "", match[0]).strip(".,")
        last = max(digits.rfind("."), digits.rfind(","))
        whole = re.sub(r"\D", "", digits)
        readings = {whole} if last < 0 else {f"{re.sub(r'[^0-9]', '', digits[:last])}.{digits[last + 1 :]}"}
        if last >= 0 and re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
            readings.add(whole)
        for reading in readings:
            try:
                amount = Decimal(reading).normalize()
            except InvalidOperation:
                continue
            amounts.add(amount)
            if "%" in folded:
                amounts.add((amount / 100).normalize())
    return amounts


def _sole_number(text: str) -> Decimal | None:
    """Return what a text amounts to that is a plain number, such as a decimal in quotes."""
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return None
    return abs(amount).normalize() if amount.is_finite() else None


def _add_dates(index: _PageIndex) -> None:
    found: dict[date, list[tuple[int, int]]] = defaultdict(list)
    tokens = index.tokens
    for place, token in enumerate(tokens):
        for day in _dates_of([token.text]):
            found[day].append((place, place + 1))
        if place + 3 <= len(tokens):
            for day in _dates_of([each.text for each in tokens[place : place + 3]]):
                found[day].append((place, place + 3))
    index.dates = found


def _dates_of(words: Sequence[str]) -> set[date]:
    """Return the days that these words may name: 31.01.2024, 1/31/2024, 31 January 2024, Jan 31, 2024."""
    parts = re.findall(r"[^\W\d_]+|\d+", _folded(" ".join(words)))
    if len(parts) != 3:
        return set()
    month_of = [_month(part) for part in parts]
    numbers = [int(part) if part.isdigit() and len(part) <= 4 else 0 for part in parts]
    candidates: list[tuple[int, int, int]] = []
    if month_of[1]:
        candidates.append((numbers[2], month_of[1], numbers[0]))
    elif month_of[0]:
        candidates.append((numbers[2], month_of[0], numbers[1]))
    elif len(words) == 1 and all(numbers):
        candidates += [(numbers[2], numbers[1], numbers[0]), (numbers[2], numbers[0], numbers[1])]
        candidates.append((numbers[0], numbers[1], numbers[2]))
    days = set()
    for year, month, day in candidates:
        try:
            days.add(date(year + 2000 if 0 < year < 100 else year, month, day))
        except ValueError:
            continue
    return days


def _month(word: str) -> int:
    if word in _MONTHS_ELSEWHERE:
        return _MONTHS_ELSEWHERE[word]
    is_english = len(word) >= 3 and word[:3] in _MONTHS and word.isalpha()
    return _MONTHS.index(word[:3]) + 1 if is_english else 0


def _iso_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def _folded(text: str) -> str:
    """Return the text without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in plain if not unicodedata.combining(sign))


def _words(text: str) -> list[str]:
    """Return the words of a name: of invoice_number and invoiceNumber they are invoice and number."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W_]+", _folded(spaced))
