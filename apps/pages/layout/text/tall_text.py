"""Keep a large word, such as the number of a step or a price, apart from the small lines beside it."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.segments import Row, Segment

# A large word is this many times as large as the lines beside it, of which there are at least two.
MIN_SIZE_RATIO, MIN_LINES_BESIDE = 1.7, 2


def with_tall_apart(rows: Sequence[Row], *, rtl: bool = False) -> list[Row]:
    """Return rows, from the top, with each large word as a row of its own: before the lines that it is beside, or after
    them if it is at their end."""
    sizes = [segment.size for row in rows for segment in row if segment.block is None]
    result = list(rows)
    if not sizes or max(sizes) < MIN_SIZE_RATIO * min(sizes):
        return result
    least = MIN_SIZE_RATIO * min(sizes)
    for row in rows:
        for tall in row:
            if tall.size <= least or tall.block is not None:
                continue
            small = [segment for segment in row if segment is not tall]
            top, bottom = tall.top, tall.bottom
            level = [other for other in result if other[0].top < bottom and top < other[0].bottom]
            lines = [other for other in level if other is not row and _is_beside(other, tall)]
            lines += [small] if small else []
            if len(lines) < MIN_LINES_BESIDE or not _is_beside(lines[-1], tall):
                continue
            lines.sort(key=lambda line: line[0].top)
            result = [other for other in result if other is not row and other not in lines]
            leads = tall.x0 > lines[0][-1].x0 if rtl else tall.x0 < lines[0][0].x0
            at = sum(1 for other in result if other[0].top < lines[0][0].top)
            result[at:at] = [[tall], *lines] if leads else [*lines, [tall]]
            break
    return result


def _is_beside(row: Row, tall: Segment) -> bool:
    """Return True if a row is a small line beside a large word, all on one side of it."""
    return (row[0].x0 >= tall.x1 or row[-1].x1 <= tall.x0) and all(
        segment.size * MIN_SIZE_RATIO < tall.size
        and tall.block is segment.block is None
        and tall.top < (segment.top + segment.bottom) / 2 < tall.bottom
        for segment in row
    )
