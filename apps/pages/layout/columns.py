"""Reading order: put rows of segments into columns, read one column after the other.

Source: recursive X-Y cut (Nagy and Seth, 1984), with the cuts found from gutters that many rows share.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.model.segments import Band, Gutters, Row, Segment

# A gutter is at min_width this wide, in points, ...
MIN_GUTTER_POINTS = 6.0
# ... and parts at min_width rows with text on both sides.
MIN_ROWS = 3
MAX_DEPTH = 8
# A run of fewer rows gives way to a longer one that begins within it.
SHORT_STRETCH_ROWS = 6
# So much white, in heights of a line, parts the lines before and after a table from it.
MIN_SPACE_AROUND_TABLE = 0.6
# So much parts one table from another, or from the footer.
MIN_SPACE_BETWEEN_TABLES = 2.0
LINE_HEIGHT_POINTS = 12.0
# A title over columns is so much larger than what they say.
MIN_TITLE_SIZE_RATIO = 1.3


def bands_of(rows: Sequence[Row], *, rtl: bool = False, depth: int = 0) -> list[Band]:
    """Return the rows of a page, or of a column, as bands in reading order."""
    if depth >= MAX_DEPTH or all(len(row) == 1 for row in rows):
        return [Band(list(rows))] if rows else []
    stretches = _stretches(rows)
    prose = [(end - start, start, end, gutters) for start, (end, gutters) in stretches.items()]
    prose = [run for run in prose if _is_prose(rows[run[1] : run[2]], run[3])]
    if not prose:
        return _in_one_column(rows, stretches, rtl, depth)
    # The longest stretch of columns goes first: shorter ones beside it are often pieces of it.
    _, start, end, gutters = max(prose)
    size = rows[(start + end) // 2][0].size
    while start > 0 and _continues_columns(rows[start - 1], gutters, size):
        start -= 1
    while start < end and _is_title(rows[start], gutters, size, rtl):
        start += 1
    while end < len(rows) and _continues_columns(rows[end], gutters, size):
        end += 1
    bands = bands_of(rows[:start], rtl=rtl, depth=depth + 1)
    columns = _columns(rows[start:end], gutters)
    for column in reversed(columns) if rtl else columns:
        bands += _in_another_column(bands_of(column, rtl=rtl, depth=depth + 2))
    return bands + _in_another_column(bands_of(rows[end:], rtl=rtl, depth=depth + 1))


def _in_another_column(bands: list[Band]) -> list[Band]:
    """Mark the first band as the start of another column."""
    if bands:
        bands[0].continues = False
    return bands


def _in_one_column(rows: Sequence[Row], stretches: dict[int, tuple[int, Gutters]], rtl: bool, depth: int) -> list[Band]:
    """Return bands of rows without columns of prose: plain bands with grids between them."""
    bands: list[Band] = []
    index = 0
    while index < len(rows):
        if index not in stretches:
            _add_band(bands, Band([rows[index]]))
            index += 1
            continue
        end, gutters = stretches[index]
        for band in _grids(_take_back(bands, gutters) + list(rows[index:end]), rtl, depth):
            _add_band(bands, band)
        index = end
    return bands


def _add_band(bands: list[Band], band: Band) -> None:
    """Add a band; plain rows of one column stay together."""
    if bands and band.continues and not band.is_grid and not bands[-1].is_grid:
        bands[-1].rows += band.rows
    else:
        bands.append(band)


def _take_back(bands: list[Band], gutters: Gutters) -> list[Row]:
    """Remove the rows just above that also leave the gutters free from their band, and return them."""
    taken: list[Row] = []
    while bands and not bands[-1].is_grid and bands[-1].rows and _leaves_free(bands[-1].rows[-1], gutters):
        taken.insert(0, bands[-1].rows.pop())
        if not bands[-1].rows:
            bands.pop()
            break
    return taken


def _stretches(rows: Sequence[Row]) -> dict[int, tuple[int, Gutters]]:
    """The stretches of rows that share gutters: first row -> end and gutters."""
    stretches: dict[int, tuple[int, Gutters]] = {}
    index = 0
    while index < len(rows):
        end, gutters = _best_gutters(rows, index) if len(rows[index]) > 1 else (index, [])
        if gutters:
            stretches[index] = end, gutters
        index = end if gutters else index + 1
    return stretches


def _grids(rows: list[Row], rtl: bool, depth: int) -> list[Band]:
    """Return one grid, or several grids with the headings between them that leave the gutters free."""
    foreign = [index for index, row in enumerate(rows) if _stands_out(rows, index)]
    cuts = sorted({0, len(rows), *foreign, *(index + 1 for index in foreign), *_wide_gaps(rows)})
    if len(cuts) == 2:
        return [Band(rows, is_grid=True)]
    bands: list[Band] = []
    for start, end in itertools.pairwise(cuts):
        bands += bands_of(rows[start:end], rtl=rtl, depth=depth + 1)
    return bands


def _wide_gaps(rows: Sequence[Row]) -> list[int]:
    """Return the indexes of rows that follow an unusually wide vertical gap."""
    spaces = [_space(above, below) for above, below in itertools.pairwise(rows)]
    usual = sorted(spaces)[len(spaces) // 2] if spaces else 0.0
    return [index for index, space in enumerate(spaces, 1) if space > MIN_SPACE_BETWEEN_TABLES and space > 2.5 * usual]


def _stands_out(rows: Sequence[Row], index: int) -> bool:
    """Whether a row is one larger line, or one line at an end of the grid with much space towards it."""
    row = rows[index]
    if len(row) > 1:
        return False
    wide = [other for other in rows if len(other) > 1]
    if wide and row[0].size > 1.1 * max(segment.size for segment in wide[0]):
        return True
    return bool(wide) and (_parted_above(rows, index) or _parted_below(rows, index))


def _parted_above(rows: Sequence[Row], index: int) -> bool:
    """Return True if white space separates the single lines from here to the end of the grid from the rows above."""
    if any(len(row) > 1 for row in rows[index:]):
        return False
    return any(
        _space(rows[i - 1], rows[i]) > MIN_SPACE_AROUND_TABLE
        for i in range(1, index + 1)
        if all(len(r) == 1 for r in rows[i:])
    )


def _parted_below(rows: Sequence[Row], index: int) -> bool:
    """Return True if white space separates the single lines from the top of the grid from the rows below."""
    if any(len(row) > 1 for row in rows[: index + 1]):
        return False
    leading = next(i for i, row in enumerate(rows) if len(row) > 1)
    return any(_space(rows[i], rows[i + 1]) > MIN_SPACE_AROUND_TABLE for i in range(index, leading))


def _space(above: Row, below: Row) -> float:
    """Return the white space between two rows, in line heights."""
    return (below[0].top - above[0].bottom) / max(1.0, above[0].bottom - above[0].top)


def _best_gutters(rows: Sequence[Row], start: int) -> tuple[int, Gutters]:
    """The gutters from ``start``, or those of a much longer run just below that ``start`` leaves free as well.

    A heading set wide over a column has gaps of its own, which must not hide the gutters of the page.
    """
    end, gutters = _shared_gutters(rows, start)
    if end - start >= SHORT_STRETCH_ROWS:
        return end, gutters
    for later in range(start + 1, min(start + SHORT_STRETCH_ROWS, len(rows))):
        if len(rows[later]) > 1:
            far, other = _shared_gutters(rows, later)
            if far - later >= 2 * SHORT_STRETCH_ROWS and all(_leaves_free(row, other) for row in rows[start:later]):
                return far, other
    return end, gutters


def _shared_gutters(rows: Sequence[Row], start: int) -> tuple[int, Gutters]:
    """The longest run of rows from ``start`` that leave the same gutters free: its end and the gutters."""
    taken: Gutters = []
    gutters: Gutters = []
    end = start
    for end in range(start, len(rows)):
        merged = _add_intervals(taken, rows[end])
        free = _gaps(merged, MIN_GUTTER_POINTS)
        if not free or (len(free) < len(gutters) and _crosses_established(rows, start, end, gutters)):
            break
        taken, gutters = merged, free
    else:
        end = len(rows)
    min_width = MIN_ROWS if len(gutters) == 1 else MIN_ROWS - 1
    gutters = [g for g in gutters if _rows_beside(rows[start:end], g) >= min_width]
    return (end, gutters) if gutters else (start, [])


def _crosses_established(rows: Sequence[Row], start: int, end: int, gutters: Gutters) -> bool:
    """Whether row ``end`` stretches across a gutter that the rows before it have kept free more than once."""
    return any(
        _rows_beside(rows[start:end], gutter) >= 2
        for gutter in gutters
        if any(s.x0 < gutter[1] and s.x1 > gutter[0] and _blocks_gutter(s, gutter) for s in rows[end])
    )


def _blocks_gutter(segment: Segment, gutter: tuple[float, float]) -> bool:
    """Whether so little of the gutter is left that it is none."""
    left, right = gutter
    return max(segment.x0 - left, right - segment.x1) < MIN_GUTTER_POINTS


def _rows_beside(rows: Sequence[Row], gutter: tuple[float, float]) -> int:
    """Return the number of rows on the side of the gutter that has fewer."""
    left = sum(_line_count(row) for row in rows if row[0].x0 < gutter[0])
    right = sum(_line_count(row) for row in rows if row[-1].x1 > gutter[1])
    return min(left, right)


def _line_count(row: Row) -> int:
    """How many lines a row stands for: a table in a column is as good as the lines in its place."""
    if row[0].block is None or not row[0].block.cells:
        return 1
    return max(1, int((row[0].bottom - row[0].top) / LINE_HEIGHT_POINTS))


def _add_intervals(taken: Gutters, row: Row) -> Gutters:
    """Intervals on the x axis that are taken, with a row added; sorted, without overlaps."""
    merged: Gutters = []
    for x0, x1 in sorted(taken + [(s.x0, s.x1) for s in row]):
        if merged and x0 <= merged[-1][1]:
            if x1 > merged[-1][1]:
                merged[-1] = (merged[-1][0], x1)
        else:
            merged.append((x0, x1))
    return merged


def gaps_of(rows: Sequence[Row], min_width: float) -> Gutters:
    """The stretches of the x axis, at min_width so wide, that all rows leave free between them."""
    taken: Gutters = []
    for row in rows:
        taken = _add_intervals(taken, row)
    return _gaps(taken, min_width)


def _gaps(taken: Gutters, min_width: float) -> Gutters:
    return [(left[1], right[0]) for left, right in itertools.pairwise(taken) if right[0] - left[1] >= min_width]


def _continues_columns(row: Row, gutters: Gutters, size: float) -> bool:
    """Whether a row above or below may belong to columns of prose.

    One with more parts than there are columns is a table's, unless it is a heading that was set wide.
    """
    return (len(row) <= len(gutters) + 1 or row[0].size > 1.1 * size) and _leaves_free(row, gutters)


def _is_title(row: Row, gutters: Gutters, size: float, rtl: bool) -> bool:
    """Whether a large line at the top of the columns is their title: it stands alone and not where the first begins."""
    begun = row[0].x1 > gutters[-1][0] if rtl else row[0].x0 < gutters[0][1]
    return len(row) == 1 and row[0].size > MIN_TITLE_SIZE_RATIO * size and not begun


def _leaves_free(row: Row, gutters: Gutters) -> bool:
    """Return True if a row leaves the gutters free, so it belongs to one of the columns."""
    return not any(s.x0 < g[1] and s.x1 > g[0] and _blocks_gutter(s, g) for s in row for g in gutters)


def _columns(rows: Sequence[Row], gutters: Gutters) -> list[list[Row]]:
    columns: list[list[Row]] = [[] for _ in range(len(gutters) + 1)]
    middles = [(g[0] + g[1]) / 2 for g in gutters]
    for row in rows:
        parts: list[Row] = [[] for _ in columns]
        for segment in row:
            parts[sum(1 for m in middles if segment.x0 > m)].append(segment)
        for column, part in zip(columns, parts, strict=True):
            if part:
                column.append(part)
    return [column for column in columns if column]


def _is_prose(rows: Sequence[Row], gutters: Gutters) -> bool:
    """Return True if the columns are prose: table cells share baselines across columns, lines of prose do not."""
    columns = _columns(rows, gutters)
    if any(sum(map(_line_count, column)) < MIN_ROWS for column in columns):
        return False
    if any(s.block is not None and s.block.cells for row in rows for s in row):
        return True
    fills = [_fill_and_length(column) for column in columns]
    if all(fill >= 0.7 and mean >= 14 for fill, mean in fills):
        return True
    shared = sum(1 for row in rows if len(row) > 1 and _shares_baseline(row))
    return shared < 0.5 * min(len(column) for column in columns) and all(mean >= 8 for _, mean in fills)


def _shares_baseline(row: Row) -> bool:
    """Return True if the segments of a row share a baseline, as table cells do."""
    bottoms = [s.bottom for s in row]
    return max(bottoms) - min(bottoms) < 0.15 * row[0].size


def _fill_and_length(column: Sequence[Row]) -> tuple[float, float]:
    """Return the median share of the column width that a line fills, and the mean characters per line."""
    left = min(row[0].x0 for row in column)
    width = max(row[-1].x1 for row in column) - left
    if width <= 0:
        return 0.0, 0.0
    shares = sorted((row[-1].x1 - row[0].x0) / width for row in column)
    characters = sum(len(s.text) for row in column for s in row) / len(column)
    return shares[len(shares) // 2], characters
