"""Find the title above and the notes below a table that are inside its frame."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.pages.layout.document.captions_notes import has_caption_label, is_label_alone
from apps.pages.layout.tables.rulings import Grid, GridCell
from apps.pages.layout.text.lines import joined, rows_of
from apps.pages.model.raw_page import TextRun

# A table has at least this many rows beside its title and its notes.
MIN_OTHER_ROWS = 2
# One line is a note if it is a sentence of this many words.
MIN_NOTE_WORDS = 6
_SENTENCE_END = re.compile(r"[.!?。！？]['\")\]”’»]*$")


def without_title_and_notes(grid: Grid, runs: Sequence[TextRun]) -> Grid:
    """Return the grid without a first row that is the caption of the table and without a last row that is a note."""
    width, count = len(grid.xs) - 1, len(grid.ys) - 1
    whole = {cell.row for cell in grid.grid_cells if cell.column_span == width and cell.row_span == 1}
    if width < 2 or not whole & {0, count - 1} or count - len(whole) < MIN_OTHER_ROWS:
        return grid
    first, last = 0, count
    if 0 in whole:
        lines = _lines_between(runs, grid.ys[0], grid.ys[1])
        if lines and (has_caption_label(lines[0]) or (len(lines) > 1 and is_label_alone(lines[0]))):
            first = 1
    if count - 1 in whole:
        lines = _lines_between(runs, grid.ys[-2], grid.ys[-1])
        is_sentence = len(lines) == 1 and len(lines[0].split()) >= MIN_NOTE_WORDS and _SENTENCE_END.search(lines[0])
        if is_sentence or len(lines) > 1:
            last = count - 1
    cells = [
        GridCell(cell.row - first, cell.column, cell.row_span, cell.column_span)
        for cell in grid.grid_cells
        if first <= cell.row < last
    ]
    return Grid(grid.xs, grid.ys[first : last + 1], cells)


def _lines_between(runs: Sequence[TextRun], top: float, bottom: float) -> list[str]:
    inside = [run for run in runs if top <= (run.top + run.bottom) / 2 <= bottom]
    return [joined(line) for line in rows_of(inside)]
