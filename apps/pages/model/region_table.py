"""A table that a program read in a region of a page on request, with how it was found."""

from __future__ import annotations

from typing import Annotated

import msgspec

from apps.pages.model.errors import GarbledPage

MAX_ROWS, MAX_COLUMNS = 2_000, 200
_Text = Annotated[str, msgspec.Meta(max_length=20_000)]
_Row = Annotated[list[_Text], msgspec.Meta(max_length=MAX_COLUMNS)]


class RegionTable(msgspec.Struct, frozen=True):
    """``rows``: the texts of the cells, "" for an empty one. ``strategy``: where the borders of the cells come from.

    ``score``: 0.0-1.0, how well the region's words fit the cells.
    """

    rows: Annotated[list[_Row], msgspec.Meta(max_length=MAX_ROWS)]
    strategy: str
    score: float


def decode_region_table(raw: bytes) -> RegionTable:
    """Return the table that a sandboxed child sent. Raise ``GarbledPage`` for any other bytes."""
    try:
        return msgspec.json.decode(raw, type=RegionTable)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GarbledPage from error
