"""Tables in plain text (CSV, TSV), read as a sheet without a name."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from apps.pages.model.blocks import Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import TooManyElements
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.sheets import content, tables
from apps.pages.office.sheets.content import FilledCell
from apps.pages.office.sources import Source, bytes_of

MAX_FIELD_CHARACTERS = 1 << 20
MAX_FIELD_LINES = 500
"""A longer field is no field: its first quote is a character like others."""
QUOTES_KEPT = "quotes_not_closed"
_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"
MIN_EVEN_SHARE, MIN_DIVIDED_SHARE = 0.5, 0.6
"""These shares of the first rows must have the same number of fields, or several; otherwise nothing divides them."""
_DECLARED = re.compile(r"\ufeff?\"?sep=(.)\"?\s*\n", re.IGNORECASE)


class DelimitedFile:
    """``_rows``: the filled cells, row by row."""

    def __init__(self, source: bytes, media_type: str, *, sub_tables: bool = False) -> None:
        text, warnings = decoded(source)
        declared = _DECLARED.match(text)
        if declared:
            text = text[declared.end() :]
        lines = list(io.StringIO(text, newline=""))
        delimiter = declared.group(1) if declared else _delimiter_of(lines, "\t" if "tab" in media_type else "")
        rows = _rows_of(lines, delimiter)
        if rows is None:
            warnings += (QUOTES_KEPT,)
            rows = [line.rstrip("\n").split(delimiter) for line in lines]
        self._cells = [
            FilledCell(row, column, text)
            for row, fields in enumerate(rows)
            for column, field in enumerate(fields)
            if (text := field.strip())
        ]
        if len(self._cells) > content.MAX_CELLS:
            raise TooManyElements(f"The table has more than {content.MAX_CELLS:,} filled cells. Split it.")
        self._slices = list(content.page_slices(self._cells)) if self._cells else []
        self._sub_tables = sub_tables
        self.facts = DocumentFacts(media_type, len(self._slices), warnings=warnings)

    def page(self, number: int) -> Page:
        blocks = tables.blocks_of(
            self._cells[self._slices[number - 1]],
            has_start=number == 1,
            has_end=number == len(self._slices),
            parted=self._sub_tables,
        )
        return Page(number=number, width=NOMINAL_WIDTH, height=NOMINAL_HEIGHT, blocks=tuple(blocks), structured=True)


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> DelimitedFile:
    is_tabs = options.suffix.lower() in (".tsv", ".tab")
    media_type = "text/tab-separated-values" if is_tabs else "text/csv"
    return DelimitedFile(bytes_of(source), media_type, sub_tables=options.sub_tables)


def _rows_of(lines: Sequence[str], delimiter: str) -> list[list[str]] | None:
    """Return the fields of each row; None if a quote that nothing closes takes what follows it."""
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    escaped = any('\\"' in line for line in lines[:1_000]) and not any('""' in line for line in lines[:1_000])
    form = {"escapechar": "\\", "doublequote": False} if escaped else {}
    rows = []
    try:
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True, **form):  # type: ignore[arg-type]
            if any(field.count("\n") > MAX_FIELD_LINES for field in row):
                return None
            rows.append(row)
    except csv.Error:
        return None
    if rows and len(lines) > 1 and any(field.count("\n") > 1 for field in rows[-1]):
        is_last_open = sum(line.count('"') for line in lines) % 2 == 1
        return None if is_last_open else rows
    return rows


def _delimiter_of(lines: Sequence[str], preferred: str) -> str:
    """Return the delimiter that divides the first lines most evenly; a control character if none does."""
    first = [line for line in lines[:50] if line.strip()]
    if preferred and any(preferred in line for line in first):
        return preferred

    def fit(delimiter: str) -> tuple[bool, int, int]:
        widths = [len(row) for row in csv.reader(first, delimiter=delimiter)]
        usual = max(sorted(set(widths), reverse=True), key=widths.count, default=1)
        even = widths.count(usual) if usual > 1 else 0
        divided = sum(width > 1 for width in widths)
        return even >= MIN_EVEN_SHARE * len(widths) or divided >= MIN_DIVIDED_SHARE * len(widths), even, divided

    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        best = max(_DELIMITERS, key=fit)
        return best if fit(best)[0] else _NO_DELIMITER
    except csv.Error:
        return ","
