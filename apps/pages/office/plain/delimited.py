"""Tables in plain text (CSV, TSV): one table, on as many pages as its rows need."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from apps.pages.model.blocks import Block, BlockType, Cell, Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.office_file import NOMINAL_HEIGHT, NOMINAL_WIDTH
from apps.pages.office.plain.decoding import decoded

ROWS_PER_PAGE = 2_000
MAX_FIELD_CHARACTERS = 1 << 20
_DELIMITERS = ",;\t|"


class DelimitedFile:
    """A table whose first row is its header."""

    def __init__(self, content: bytes, media_type: str) -> None:
        text, warnings = decoded(content)
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
        lines = list(io.StringIO(text, newline=""))
        delimiter = "\t" if media_type == "text/tab-separated-values" else _delimiter_of(lines)
        self._rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(field.strip() for field in row)]
        self._width = max((len(row) for row in self._rows), default=0)
        pages = -(-len(self._rows) // ROWS_PER_PAGE)
        self.facts = DocumentFacts(media_type, pages, warnings=warnings)

    def page(self, number: int) -> Page:
        rows = self._rows[(number - 1) * ROWS_PER_PAGE : number * ROWS_PER_PAGE]
        cells = tuple(
            Cell(row=index, column=column, text=field.strip(), header=number == 1 and index == 0)
            for index, row in enumerate(rows)
            for column, field in enumerate(row)
        )
        table = Block(type=BlockType.TABLE, box=NO_BOX, cells=cells)
        return Page(number=number, width=NOMINAL_WIDTH, height=NOMINAL_HEIGHT, blocks=(table,), structured=True)


def open_file(path: str, _password: str | None, options: OfficeOptions) -> DelimitedFile:
    is_tabs = options.suffix.lower() in (".tsv", ".tab")
    return DelimitedFile(Path(path).read_bytes(), "text/tab-separated-values" if is_tabs else "text/csv")


def _delimiter_of(lines: list[str]) -> str:
    """Return the delimiter that divides the first lines most evenly."""
    first = [line for line in lines[:50] if line.strip()]

    def evenness(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(first, delimiter=delimiter)]
        usual = max(set(widths), key=widths.count, default=1)
        return (widths.count(usual) if usual > 1 else 0), usual

    return max(_DELIMITERS, key=evenness)
