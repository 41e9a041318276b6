"""OTSL, the table language of several document models: a token before each cell, and one at the end of each row.

Source: Lysak et al., "Optimized Table Tokenization for Table Structure Recognition" (2023), and DocTags.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import BlockType, Cell
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.markup.html import MAX_TABLE_CELLS, MAX_TABLE_COLUMNS
from apps.parsing.answers.markup.markdown import styled
from apps.parsing.errors import UnusableAnswer

TOKEN = re.compile(r"<(fcel|ecel|lcel|ucel|xcel|ched|rhed|srow|nl)>")


def table_of(text: str) -> Draft:
    """Return the table. ``lcel`` widens the cell on its left, ``ucel`` the one above, and ``xcel`` is in the middle.

    Raise ``UnusableAnswer`` for a table larger than a page can contain.
    """
    pieces = TOKEN.split(text)
    rows: list[list[tuple[str, str]]] = [[]]
    for kind, content in zip(pieces[1::2], pieces[2::2], strict=True):
        if kind == "nl":
            rows.append([])
        else:
            rows[-1].append((kind, content))
    if len(pieces) > 2 * MAX_TABLE_CELLS or max(map(len, rows)) > MAX_TABLE_COLUMNS:
        raise UnusableAnswer("The answer has a table that is too large for a page.")
    cells = []
    for row, line in enumerate(rows):
        for column, (kind, content) in enumerate(line):
            if kind in ("lcel", "ucel", "xcel"):
                continue
            across = [other for other, _ in line[column + 1 :]]
            down = [below[column][0] if column < len(below) else "" for below in rows[row + 1 :]]
            cell_text, spans = styled(content.strip(), line_break="\n").joined("\n")
            cell = Cell(row, column, cell_text, 1 + _run(down, "ucel"), 1 + _run(across, "lcel"), spans=spans)
            cells.append(msgspec.structs.replace(cell, header=kind in ("ched", "rhed", "srow")))
    return Draft(BlockType.TABLE, cells=tuple(cells))


def _run(kinds: Sequence[str], kind: str) -> int:
    """Return how many of the first kinds are this one."""
    return next((count for count, other in enumerate(kinds) if other != kind), len(kinds))
