"""Read the cells of a sheet of an Open XML workbook as they are shown, and the texts that its sheets share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from apps.pages.model.errors import TooManyElements
from apps.pages.model.text.safe_text import clean
from apps.pages.office.sheets import number_formats
from apps.pages.office.sheets.content import MAX_CELLS, Area, FilledCell, SheetContent
from apps.pages.office.sheets.formulas import references
from apps.pages.office.sheets.number_formats import GENERAL
from apps.pages.office.sheets.workbook import NOT_COMPUTED
from apps.pages.office.xml_parts import TOO_LONG, LocalNames, walk

MAX_PLAIN_DIGITS = 16
MAX_ROW, MAX_COLUMN = 1_048_575, 16_383
MAX_TEXT_CHARACTERS = 10_000_000
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_OTHERS = frozenset(("mergeCell", "hyperlink", "oddHeader", "oddFooter"))


@dataclass(frozen=True)
class BookParts:
    """What all sheets share. ``formats``: the number format of each style. ``people``: who comments, by id."""

    texts: list[str]
    formats: list[str]
    is_1904: bool = False
    people: dict[str, str] = field(default_factory=dict)


def read_rows(
    source: IO[bytes], sheet: SheetContent, book: BookParts, other: Callable[[str, dict[str, str], str], None]
) -> None:
    """Add the cells of a sheet. Raise DamagedDocument, TooManyElements.

    ``other``: takes the name, the attributes and the text of each other element that belongs to the sheet.
    """
    reader = _RowReader(sheet, book, other)
    walk(source, reader.start, reader.end, reader.texts.append)


def shared_texts(source: IO[bytes]) -> list[str]:
    """Return the texts that cells share; how they are pronounced is no part of them. Raise DamagedDocument."""
    reader = _TextReader()
    walk(source, reader.start, reader.end, reader.texts.append)
    return reader.found


class _TextReader:
    """``texts``: what has been read of the open element."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.texts: list[str] = []
        self._kinds = LocalNames()
        self._parts: list[str] = []
        self._is_pronounced = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        kind = self._kinds[name]
        if kind == "t":
            self.texts.clear()
        elif kind == "si":
            self._parts = []
        elif kind == "rPh":
            self._is_pronounced = True

    def end(self, name: str) -> None:
        kind = self._kinds[name]
        if kind == "t":
            if not self._is_pronounced:
                self._parts.append(_joined(self.texts))
        elif kind == "si":
            self.found.append(clean(unescaped("".join(self._parts))))
        elif kind == "rPh":
            self._is_pronounced = False


class _RowReader:
    """``texts``: what has been read of the open element."""

    def __init__(self, sheet: SheetContent, book: BookParts, other: Callable[[str, dict[str, str], str], None]) -> None:
        self.texts: list[str] = []
        self._sheet, self._book, self._other = sheet, book, other
        self._cells = sheet.cells
        self._kinds = LocalNames()
        self._row, self._column = -1, -1
        self._is_in_row = self._is_pronounced = False
        self._cell: dict[str, str] = {}
        self._value = ""
        self._formula: dict[str, str] | None = None
        self._written = ""
        self._inside: list[str] | None = None
        self._masters: dict[str, tuple[int, int, str]] = {}
        self._attributes: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = self._kinds[name]
        if kind == "v":
            self.texts.clear()
        elif kind == "c":
            self._cell, self._value, self._formula, self._inside = attributes, "", None, None
            reference = attributes.get("r")
            self._column = _COLUMNS[reference.rstrip("0123456789")] if reference else self._column + 1
        elif kind == "row":
            number = attributes.get("r", "")
            self._row = min(int(number) - 1, MAX_ROW) if number.isdigit() and int(number) else self._row + 1
            self._column, self._is_in_row = -1, True
        elif kind == "f":
            self.texts.clear()
            self._formula = attributes
        elif kind == "is":
            self._inside = []
        elif kind == "t":
            self.texts.clear()
        elif kind == "rPh":
            self._is_pronounced = True
        elif kind in _OTHERS:
            self.texts.clear()
            self._attributes = attributes

    def end(self, name: str) -> None:
        kind = self._kinds[name]
        if kind == "v":
            self._value = self.texts[0] if len(self.texts) == 1 else _joined(self.texts)
        elif kind == "c":
            if self._is_in_row:
                self._add_cell()
        elif kind == "row":
            self._is_in_row = False
        elif kind == "f":
            self._written = _joined(self.texts)
        elif kind == "t":
            if self._inside is not None and not self._is_pronounced:
                self._inside.append(_joined(self.texts))
        elif kind == "rPh":
            self._is_pronounced = False
        elif kind in _OTHERS:
            self._other(kind, self._attributes, _joined(self.texts))

    def _add_cell(self) -> None:
        text, cell, value = "", self._cell, self._value
        if self._inside is not None:
            text = clean(unescaped("".join(self._inside)))
        elif value:
            text = _shown(value, cell.get("t", "n"), cell.get("s"), self._book)
        if self._formula is not None:
            written = self._formula_text(self._formula)
            if written and not value and self._inside is None and cell.get("t") != "str":
                self._sheet.warn(NOT_COMPUTED)
                text = "=" + written
        if text := text.strip():
            self._cells.append(FilledCell(self._row, self._column, text))
            if len(self._cells) > MAX_CELLS:
                raise TooManyElements(f"The sheet has more than {MAX_CELLS:,} filled cells. Split it.")

    def _formula_text(self, attributes: dict[str, str]) -> str:
        """Return a formula; those that share one have it with the references moved to their own cell."""
        text, shared = clean(self._written), attributes.get("si", "")
        if attributes.get("t") != "shared":
            return text
        if text:
            self._masters[shared] = self._row, self._column, text
            return text
        row, column, first = self._masters.get(shared, (self._row, self._column, "?"))
        return references.moved(first, self._row - row, self._column - column)


def _joined(texts: list[str]) -> str:
    text = texts[0] if len(texts) == 1 else "".join(texts)
    if len(text) > MAX_TEXT_CHARACTERS:
        raise TooManyElements(TOO_LONG)
    return text


def _shown(value: str, kind: str, style: str | None, book: BookParts) -> str:
    code = GENERAL
    if style and style.isdigit() and int(style) < len(book.formats):
        code = book.formats[int(style)]
    if kind == "n":
        if code == GENERAL and len(value) < MAX_PLAIN_DIGITS and value.isdecimal() and value.isascii():
            return value.lstrip("0") or "0"
        try:
            return number_formats.shown(float(value), code, is_1904=book.is_1904)
        except (ValueError, OverflowError):
            return clean(value)
    if kind == "s":
        text = book.texts[int(value)] if value.isdigit() and int(value) < len(book.texts) else ""
        return text if code == GENERAL else number_formats.shown_text(text, code)
    if kind == "b":
        return "TRUE" if value.strip() in ("1", "true") else "FALSE"
    if kind == "d":
        return value.removesuffix("T00:00:00").replace("T", " ")
    return clean(unescaped(value))


def unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text) if "_x" in text else text


class _Columns(dict[str, int]):
    """Columns from 0 by their letters."""

    def __missing__(self, letters: str) -> int:
        number = 0
        for letter in letters.upper()[:3]:
            number = 26 * number + max(1, min(26, ord(letter) - 64))
        column = min(max(0, number - 1), MAX_COLUMN)
        if len(self) <= MAX_COLUMN:
            self[letters] = column
        return column


_COLUMNS = _Columns()


def area_of(reference: str) -> Area | None:
    """Return the cells of a reference such as "A1:B3"."""
    ends = [_REFERENCE.fullmatch(end) for end in reference.split(":")]
    if len(ends) not in (1, 2) or any(end is None for end in ends):
        return None
    places = [(int(end.group(2)) - 1, _COLUMNS[end.group(1)]) for end in ends if end]
    return Area(*places[0], *places[-1])
