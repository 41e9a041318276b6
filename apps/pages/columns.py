"""Reading order: rows of segments -> columns, read one after the other.

Source: recursive X-Y cut (Nagy and Seth, 1984), with the cuts found from gutters that many rows share.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from apps.pages.lines import Segment

Row = list[Segment]
# A gutter is at least this wide, in points, ...
LEAST_GUTTER = 6.0
# ... and parts at least so many rows that have something on both sides.
LEAST_ROWS = 3
DEEPEST = 4


class Band(msgspec.Struct, gc=False):
    """Rows read one after the other; ``grid`` when they look like a table without rules, with its gutters."""

    rows: list[Row]
    grid: bool = False
    gutters: list[tuple[float, float]] = []


def bands_of(rows: Sequence[Row], *, rtl: bool = False, depth: int = 0) -> list[Band]:
    """The rows of a page, or of a column, in reading order."""
    if depth >= DEEPEST or sum(1 for row in rows if len(row) > 1) == 0:
        return [Band(list(rows))] if rows else []
    bands: list[Band] = []
    plain: list[Row] = []
    index = 0
    while index < len(rows):
        end, gutters = _shared_gutters(rows, index) if len(rows[index]) > 1 else (index, [])
        if not gutters:
            plain.append(rows[index])
            index += 1
            continue
        while plain and _fits(plain[-1], gutters):
            index -= 1
            plain.pop()
        if plain:
            bands.append(Band(plain))
            plain = []
        bands += _cut(list(rows[index:end]), gutters, rtl, depth)
        index = end
    if plain:
        bands.append(Band(plain))
    return bands


def _cut(rows: list[Row], gutters: list[tuple[float, float]], rtl: bool, depth: int) -> list[Band]:
    columns = _columns(rows, gutters)
    if not _is_prose(rows, columns):
        return [Band(rows, grid=True, gutters=gutters)]
    if rtl:
        columns.reverse()
    return [band for column in columns for band in bands_of(column, rtl=rtl, depth=depth + 1)]


def _shared_gutters(rows: Sequence[Row], start: int) -> tuple[int, list[tuple[float, float]]]:
    """The longest run of rows from ``start`` that leave the same gutters free: its end and the gutters."""
    taken: list[tuple[float, float]] = []
    gutters: list[tuple[float, float]] = []
    both = 0
    end = start
    for end in range(start, len(rows)):
        row = rows[end]
        merged = _merge(taken, row)
        free = _gaps(merged)
        if not free:
            break
        taken, gutters = merged, free
        both += len(row) > 1
    else:
        end = len(rows)
    gutters = [g for g in gutters if _rows_beside(rows[start:end], g) >= LEAST_ROWS]
    return (end, gutters) if both and gutters else (start, [])


def _rows_beside(rows: Sequence[Row], gutter: tuple[float, float]) -> int:
    """How many rows the poorer side of a gutter has."""
    left = sum(1 for row in rows if row[0].x0 < gutter[0])
    right = sum(1 for row in rows if row[-1].x1 > gutter[1])
    return min(left, right)


def _merge(taken: list[tuple[float, float]], row: Row) -> list[tuple[float, float]]:
    """Intervals on the x axis that are taken, with a row added; sorted, without overlaps."""
    merged: list[tuple[float, float]] = []
    for x0, x1 in sorted(taken + [(s.x0, s.x1) for s in row]):
        if merged and x0 <= merged[-1][1]:
            if x1 > merged[-1][1]:
                merged[-1] = (merged[-1][0], x1)
        else:
            merged.append((x0, x1))
    return merged


def _gaps(taken: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [
        (left[1], right[0])
        for left, right in zip(taken, taken[1:], strict=False)
        if right[0] - left[1] >= LEAST_GUTTER
    ]


def _fits(row: Row, gutters: list[tuple[float, float]]) -> bool:
    """Whether a row above leaves the gutters free, so that it belongs to one of the columns."""
    return all(not (s.x0 < g[1] and s.x1 > g[0]) for s in row for g in gutters)


def _columns(rows: Sequence[Row], gutters: list[tuple[float, float]]) -> list[list[Row]]:
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


def _is_prose(rows: Sequence[Row], columns: list[list[Row]]) -> bool:
    """Columns of prose run past each other; the cells of a table stand side by side."""
    if any(len(column) < LEAST_ROWS for column in columns):
        return False
    if any(s.block is not None for row in rows for s in row):
        return True
    fills = [_fill(column) for column in columns]
    if all(fill >= 0.7 and mean >= 14 for fill, mean in fills):
        return True
    shared = sum(1 for row in rows if len(row) > 1 and _level(row))
    return shared < 0.5 * min(len(column) for column in columns) and all(mean >= 8 for _, mean in fills)


def _level(row: Row) -> bool:
    """Whether the parts of a row stand on one baseline, as the cells of a table do."""
    bottoms = [s.bottom for s in row]
    return max(bottoms) - min(bottoms) < 0.15 * row[0].size


def _fill(column: Sequence[Row]) -> tuple[float, float]:
    """How much of its column's width a line takes in the middle, and its characters on average."""
    left = min(row[0].x0 for row in column)
    width = max(row[-1].x1 for row in column) - left
    if width <= 0:
        return 0.0, 0.0
    shares = sorted((row[-1].x1 - row[0].x0) / width for row in column)
    characters = sum(len(s.text) for row in column for s in row) / len(column)
    return shares[len(shares) // 2], characters
