"""Notes between the rows of a table without rulings: lines across its columns, which part it in several grids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.layout.tables import table_columns, table_headers
from apps.pages.model.segments import Band, Gutters, Row

# A table with fewer columns looks like many other things.
MIN_COLUMNS = 3
MAX_NOTE_LINES = 2
# The steps to a note and from it, relative to those between the rows of the table, or to the height of a line.
MAX_STEP_RATIO, MAX_STEP_HEIGHTS = 1.15, 1.6
MAX_SIZE_DIFFERENCE = 0.15


def with_notes_joined(bands: Sequence[Band]) -> list[Band]:
    """Return the bands, with each note and the grids around it, or the header above it, as one grid."""
    result: list[Band] = []
    for band in bands:
        last = result[-1] if result else None
        if last is None or last.is_grid or not band.is_grid or not band.continues:
            result.append(band)
            continue
        # Gutters cost time, so first look for one line below a row of several texts, or between two grids.
        is_between = len(result) > 1 and result[-2].is_grid and len(last.rows) <= MAX_NOTE_LINES
        near = last.rows[-MAX_NOTE_LINES - 1 :]
        if len(near[-1]) > 1 or not (is_between or any(len(row) > 1 for row in near)):
            result.append(band)
            continue
        lines = table_columns.table_lines(band.rows)
        gutters = table_columns.gutters_of(lines, table_headers.lines_above_numbers(lines))
        count = _note_count(last.rows, band, gutters) if len(gutters) + 1 >= MIN_COLUMNS else 0
        text, notes = last.rows[: len(last.rows) - count], last.rows[len(last.rows) - count :]
        grid = result[-2] if len(result) > 1 and result[-2].is_grid and not text else None
        above = grid.rows if grid else text[-1:]
        if not count or not _are_in_columns(above, gutters) or not _is_near(above[-1], notes[0], band.rows):
            result.append(band)
        elif grid is None:
            result[-1:] = [Band(text[:-1], continues=last.continues)] if text[:-1] else []
            result.append(Band([*above, *notes, *band.rows], is_grid=True, continues=last.continues))
        elif all(part.bold for part in band.rows[0]) and not all(part.bold for part in band.rows[-1]):
            result.append(band)  # another table, with a header of its own
        else:
            result[-2:] = [Band([*above, *notes, *band.rows], is_grid=True, continues=grid.continues)]
    return result


def _note_count(rows: Sequence[Row], grid: Band, gutters: Gutters) -> int:
    """Return how many lines just above a grid begin at its left edge, cross its columns and end within them."""
    first = grid.rows[0][0]
    left, right = min(row[0].x0 for row in grid.rows), max(row[-1].x1 for row in grid.rows)
    count, below = 0, grid.rows[0]
    for row in reversed(rows):
        line = row[0]
        is_within = abs(line.x0 - left) < line.size and line.x1 < right + line.size
        is_alike = abs(line.size - first.size) < MAX_SIZE_DIFFERENCE * first.size and line.block is None
        if len(row) > 1 or not is_within or not is_alike or not _is_near(row, below, grid.rows):
            break
        count, below = count + 1, row
    crosses = any(row[0].x1 > gutters[0][1] for row in rows[len(rows) - count :])
    if not crosses or count > MAX_NOTE_LINES or has_caption_label(rows[-count][0].text):
        return 0
    return count


def _is_near(above: Row, below: Row, rows: Sequence[Row]) -> bool:
    """Return True if two rows follow each other as closely as the rows of a table do."""
    steps = [row[0].bottom - before[0].bottom for before, row in itertools.pairwise(rows)]
    widest = max(MAX_STEP_RATIO * max(steps, default=0.0), MAX_STEP_HEIGHTS * (above[0].bottom - above[0].top))
    return 0 < below[0].bottom - above[0].bottom <= widest


def _are_in_columns(rows: Sequence[Row], gutters: Gutters) -> bool:
    """Return True if no text of these rows crosses a gutter, and a row has a text in each column."""
    if any(part.block is not None for row in rows for part in row):
        return False
    lines = table_columns.split_at_gutters(table_columns.table_lines(rows), gutters)
    places = [[table_columns.reach(part, gutters) for part in line] for line in lines]
    if any(first < last for line in places for first, last in line):
        return False
    return any(len(set(line)) == len(gutters) + 1 for line in places)
