"""Find the rows of a region that keep the same gutters free: grids, which may be tables without rulings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.layout.text.lines import segment_of, segment_of_words, words_of
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Band, Gutters, Row

# A gutter is at least this wide, ...
MIN_GUTTER_POINTS = 6.0
# ... and has at least this many rows with text on both sides.
MIN_ROWS = 3
MAX_DEPTH = 8
# A line is a row of a grid with this many columns if it has words in this share of them and none in the gutters, of
# which it leaves this much free.
MIN_PARTED_COLUMNS = 4
MIN_PARTED_SHARE = 0.75
MIN_FREE_POINTS = 3.5
# Spreadsheet programs set heads left and numbers right, so that a head and its numbers need not overlap. At least this
# much is free between two cells.
MIN_PADDING_POINTS = 0.5
# A longer stretch that begins within a stretch of fewer rows replaces it.
SHORT_STRETCH_ROWS = 6
# White space, in line heights, that separates a table from the lines before and after it.
MIN_SPACE_AROUND_TABLE = 0.6
# White space, in line heights, that separates two tables, or a table from the footer.
MIN_SPACE_BETWEEN_TABLES = 2.0
LINE_HEIGHT_POINTS = 12.0
# The size of a title over columns, relative to their text.
MIN_TITLE_SIZE_RATIO = 1.3


def bands_of(rows: Sequence[Row], *, depth: int = 0) -> list[Band]:
    """Return the rows of a region as bands: plain bands with grids between them, which may be tables."""
    if depth >= MAX_DEPTH or all(len(row) == 1 for row in rows):
        return [Band(list(rows))] if rows else []
    stretches = _stretches(rows)
    bands: list[Band] = []
    index = 0
    while index < len(rows):
        if index not in stretches:
            _add_band(bands, Band([rows[index]]))
            index += 1
            continue
        end, gutters = stretches[index]
        # Rows just above that also leave the gutters free belong to the grid.
        grid_rows = list(rows[index:end])
        if bands and not bands[-1].is_grid:
            above = bands[-1].rows
            while above and _leaves_free(above[-1], gutters):
                grid_rows.insert(0, above.pop())
            if not above:
                bands.pop()
        # So do rows below whose words keep to its columns, although they are close enough for a line of text.
        while end < len(rows) and end not in stretches and (parted := _parted(rows[end], gutters)):
            grid_rows.append(parted)
            end += 1
        for band in _grids(grid_rows, depth):
            _add_band(bands, band)
        index = end
    return bands


def _parted(row: Row, gutters: Gutters) -> Row:
    """Return a row that is one line as segments between the gutters; empty if its words do not keep to the columns."""
    if len(row) > 1 or not row[0].runs or len(gutters) + 1 < MIN_PARTED_COLUMNS:
        return []
    words = [word for run in row[0].runs for word in words_of(run)]
    columns: dict[int, list[TextRun]] = {}
    for word in words:
        if not _leaves_free([segment_of(word)], gutters, MIN_FREE_POINTS):
            return []
        columns.setdefault(sum(1 for low, high in gutters if word.x0 + word.x1 > low + high), []).append(word)
    parts = [segment_of_words(columns[number]) for number in sorted(columns)]
    # A line of prose may keep out of narrow gutters too.
    numbers = all(any(map(str.isdigit, part.text)) for part in parts[1:])
    return parts if numbers and len(parts) >= MIN_PARTED_SHARE * (len(gutters) + 1) else []


def _add_band(bands: list[Band], band: Band) -> None:
    """Add a band; plain rows of one column stay together."""
    if bands and band.continues and not band.is_grid and not bands[-1].is_grid:
        bands[-1].rows += band.rows
    else:
        bands.append(band)


def _stretches(rows: Sequence[Row]) -> dict[int, tuple[int, Gutters]]:
    """Return the stretches of rows that share gutters: first row -> end and gutters.

    A much longer stretch that begins just below takes precedence if the first rows leave its gutters free too: a
    heading in wide letters over a column has gaps of its own, which must not hide the gutters of the page.
    """
    stretches: dict[int, tuple[int, Gutters]] = {}
    index = 0
    while index < len(rows):
        end, gutters = _shared_gutters(rows, index) if len(rows[index]) > 1 else (index, [])
        if len(rows[index]) > 1 and end - index < SHORT_STRETCH_ROWS:
            for later in range(index + 1, min(index + SHORT_STRETCH_ROWS, len(rows))):
                if len(rows[later]) == 1:
                    continue
                far, other = _shared_gutters(rows, later)
                if far - later >= 2 * SHORT_STRETCH_ROWS and all(_leaves_free(row, other) for row in rows[index:later]):
                    end, gutters = far, other
                    break
            else:
                far, other = _shared_gutters(rows, index + 1)
                if far > end and gutters_under_heads(rows[index], rows[index + 1 : far], MIN_GUTTER_POINTS):
                    end, gutters = far, other
        if gutters:
            stretches[index] = end, gutters
        index = end if gutters else index + 1
    return stretches


def _grids(rows: list[Row], depth: int) -> list[Band]:
    """Return one grid, or several grids with the headings between them that leave the gutters free."""
    wide = [number for number, row in enumerate(rows) if len(row) > 1]
    foreign = [index for index in range(len(rows)) if _stands_out(rows, index, wide)]
    spaces = [_space(above, below) for above, below in itertools.pairwise(rows)]
    min_space = max(MIN_SPACE_BETWEEN_TABLES, 2.5 * sorted(spaces)[len(spaces) // 2] if spaces else 0.0)
    wide_gaps = [index for index, space in enumerate(spaces, 1) if space > min_space]
    cuts = sorted({0, len(rows), *foreign, *(index + 1 for index in foreign), *wide_gaps})
    if len(cuts) == 2:
        return [Band(rows, is_grid=True)]
    bands: list[Band] = []
    for start, end in itertools.pairwise(cuts):
        bands += bands_of(rows[start:end], depth=depth + 1)
    return bands


def _stands_out(rows: Sequence[Row], index: int, wide: Sequence[int]) -> bool:
    """Return True if a row of a grid is one larger line, or one line above or below the grid after a wide space.

    ``wide``: the numbers of the rows that have several cells.
    """
    if len(rows[index]) > 1 or not wide:
        return False
    if rows[index][0].size > 1.1 * max(segment.size for segment in rows[wide[0]]):
        return True
    if index > wide[-1]:
        between = range(wide[-1], index)
    elif index < wide[0]:
        between = range(index, wide[0])
    else:
        return False
    return any(_space(rows[i], rows[i + 1]) > MIN_SPACE_AROUND_TABLE for i in between)


def _space(above: Row, below: Row) -> float:
    """Return the white space between two rows, in line heights."""
    return (below[0].top - above[0].bottom) / max(1.0, above[0].bottom - above[0].top)


def _shared_gutters(rows: Sequence[Row], start: int) -> tuple[int, Gutters]:
    """Return the end and the gutters of the longest stretch of rows from ``start`` that leave the same gutters free."""
    taken: Gutters = []
    gutters: Gutters = []
    end = start
    for end in range(start, len(rows)):
        merged = _add_intervals(taken, rows[end])
        free = _gaps(merged, MIN_GUTTER_POINTS)
        if not free:
            break
        # The stretch ends at a row that crosses a gutter which the rows before it left free more than once.
        if len(free) < len(gutters) and any(
            not _leaves_free(rows[end], [gutter]) and _rows_beside(rows[start:end], gutter) >= 2 for gutter in gutters
        ):
            break
        taken, gutters = merged, free
    else:
        end = len(rows)
    min_rows = MIN_ROWS if len(gutters) == 1 else MIN_ROWS - 1
    gutters = [gutter for gutter in gutters if _rows_beside(rows[start:end], gutter) >= min_rows]
    return (end, gutters) if gutters else (start, [])


def _rows_beside(rows: Sequence[Row], gutter: tuple[float, float]) -> int:
    """Return the number of rows on the side of the gutter that has fewer."""
    left = sum(_line_count(row) for row in rows if row[0].x0 < gutter[0])
    right = sum(_line_count(row) for row in rows if row[-1].x1 > gutter[1])
    return min(left, right)


def _line_count(row: Row) -> int:
    """Return the number of lines that a row counts as: a table in a column counts as the lines it replaces."""
    if row[0].block is None or not row[0].block.cells:
        return 1
    return max(1, int((row[0].bottom - row[0].top) / LINE_HEIGHT_POINTS))


def _add_intervals(taken: Gutters, row: Row) -> Gutters:
    """Return the covered intervals of the x axis with those of a row added; sorted, without overlaps."""
    merged: Gutters = []
    for x0, x1 in sorted(taken + [(s.x0, s.x1) for s in row]):
        if merged and x0 <= merged[-1][1]:
            if x1 > merged[-1][1]:
                merged[-1] = (merged[-1][0], x1)
        else:
            merged.append((x0, x1))
    return merged


def gutters_under_heads(heads: Row, body: Sequence[Row], min_width: float) -> Gutters:
    """Return the gutters of a row of heads and the rows of numbers below it, the first head over the first column,
    or over the second if it begins to the right of the first.

    Empty if there is not one head for each column, or if a head is not between the columns beside its own.
    """
    if len(heads) < 2 or not body or any(segment.block is not None for row in [heads, *body] for segment in row):
        return []
    if heads[-1].text[:1].isdigit() or not all(any(map(str.isdigit, row[-1].text)) for row in body):
        return []
    gaps = gaps_of(body, min_width)
    gutters: Gutters = []
    if len(gaps) == len(heads) and heads[0].x0 > gaps[0][0]:
        gutters, gaps = [(gaps[0][0], min(gaps[0][1], heads[0].x0))], gaps[1:]
    if len(gaps) + 1 != len(heads):
        return []
    gutters += [
        (max(left, head.x1), min(right, following.x0))
        for (left, right), (head, following) in zip(gaps, itertools.pairwise(heads), strict=True)
    ]
    return gutters if all(right - left >= MIN_PADDING_POINTS for left, right in gutters) else []


def gaps_of(rows: Sequence[Row], min_width: float) -> Gutters:
    """Return the intervals of the x axis, at least ``min_width`` wide, that all rows leave free between them."""
    return _gaps(_add_intervals([], [segment for row in rows for segment in row]), min_width)


def _gaps(taken: Gutters, min_width: float) -> Gutters:
    return [(left[1], right[0]) for left, right in itertools.pairwise(taken) if right[0] - left[1] >= min_width]


def _leaves_free(row: Row, gutters: Gutters, min_free: float = MIN_GUTTER_POINTS) -> bool:
    """Return True if a row leaves enough of each gutter free, so that each segment belongs to one of the columns."""
    return not any(
        segment.x0 < right and segment.x1 > left and max(segment.x0 - left, right - segment.x1) < min_free
        for segment in row
        for left, right in gutters
    )
