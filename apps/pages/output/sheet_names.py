"""Tables for a workbook, and names for their sheets that Excel takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from apps.pages.model.blocks import Cell

MAX_NAME_CHARACTERS = 31
_NOT_ALLOWED = re.compile(r"[\[\]:*?/\\\x00-\x1f\x7f]+")
_RESERVED = "history"


class SheetTable(NamedTuple):
    """A table with the name of its sheet, which must be unique and have at most 31 characters.

    ``rows``: a full rectangle of texts. ``cells``: some or all of the table's cells; those over several rows or columns
    are merged, and header cells at the top stay in view.
    """

    sheet: str
    rows: Sequence[Sequence[str]]
    cells: Sequence[Cell] = ()


class SheetNames:
    """Makes names of the sheets of one workbook: unique without regard to case, and of characters that Excel takes."""

    def __init__(self) -> None:
        self._taken = {_RESERVED}

    def unique(self, wanted: str) -> str:
        """Return the name, shortened and with a number where it needs one."""
        clean = " ".join(_NOT_ALLOWED.sub(" ", wanted).split()).strip("' ") or "Table"
        name, count = clean[:MAX_NAME_CHARACTERS].strip("' "), 1
        while name.lower() in self._taken:
            count += 1
            ending = f" {count}"
            name = clean[: MAX_NAME_CHARACTERS - len(ending)].strip("' ") + ending
        self._taken.add(name.lower())
        return name
