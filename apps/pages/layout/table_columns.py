"""Columns of a table without rulings: the gutters that its lines leave free, and the columns that a text reaches.

Source: column edges and spanning heads as in Nurminen, "Algorithmic extraction of data in tables in PDF documents"
(2013); columns from the body rows first as in T-Recs (Kieninger, 1998).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence

from apps.pages.layout.columns import gaps_of
from apps.pages.layout.lines import split_at_gaps
from apps.pages.model.segments import Gutters, Row, Segment

MIN_GUTTER_POINTS = 3.5
MIN_BODY_ROWS = 3
MAX_HEADER_LINES = 8
# Without a ruling under them at most this many lines are heads that may reach over several columns.
MAX_HEADER_LINES_WITHOUT_RULING = 3
# This share of the rows may cross a gutter, such as a long label beside empty cells.
MAX_CROSSING_SHARE = 0.1
MAX_CURRENCY_LETTERS = 4


def with_signs_joined(row: Row) -> Row:
    """Return the row with each currency sign that is set apart joined to the amount after it, and "%" and ")" to the
    amount before.
    """
    joined: Row = []
    for segment in row:
        before = joined[-1] if joined else None
        if before is not None and before.block is None and segment.block is None:
            if _is_currency(before.text) and _is_amount(segment.text):
                joined[-1] = _one_segment(before, segment)
                continue
            is_near = segment.x0 - before.x1 < 2 * segment.size
            if is_near and segment.text in ("%", ")", ")%", "‰") and before.text[-1:].isdigit():
                joined[-1] = _one_segment(before, segment)
                continue
        joined.append(segment)
    return joined


def _one_segment(sign: Segment, amount: Segment) -> Segment:
    return Segment(
        text=sign.text + amount.text,
        x0=sign.x0,
        top=min(sign.top, amount.top),
        x1=amount.x1,
        bottom=max(sign.bottom, amount.bottom),
        size=amount.size,
        bold=amount.bold,
        italic=amount.italic,
        runs=[*(sign.runs or ()), *(amount.runs or ())],
    )


def _is_currency(text: str) -> bool:
    return len(text) <= MAX_CURRENCY_LETTERS and bool(text) and unicodedata.category(text[-1]) == "Sc"


def _is_amount(text: str) -> bool:
    return text[:1].isdigit() or (text[:1] in "(-–−—." and len(text) < 20)


def table_lines(rows: Sequence[Row]) -> list[Row]:
    """Return printed lines with their segments split where words are as far apart as cells."""
    return [with_signs_joined([piece for segment in row for piece in split_at_gaps(segment)]) for row in rows]


def gutters_of(lines: Sequence[Row], header_lines: int) -> Gutters:
    """Return the gutters of a table; ``header_lines``: lines above its header ruling, 0 when it has none.

    Heads over several columns, section titles and notes cross gutters, so they have no say.
    """
    left = min(line[0].x0 for line in lines)
    size = lines[len(lines) // 2][0].size
    best: Gutters = []
    most = header_lines or MAX_HEADER_LINES_WITHOUT_RULING
    for heads in range(min(most, max(0, len(lines) - MIN_BODY_ROWS)) + 1):
        body = [line for line in lines[heads:] if len(line) > 1 or line[0].x0 > left + size]
        found = gaps_of(body, MIN_GUTTER_POINTS) if body else []
        if len(found) > len(best):
            best = found
    body = [line for line in lines[header_lines:] if len(line) > 1]
    return _with_crossed(body, best) if len(body) * MAX_CROSSING_SHARE >= 1 else best


def _with_crossed(body: Sequence[Row], gutters: Gutters) -> Gutters:
    """Return the gutters and those that only a few rows cross, with a text that begins and ends beyond both sides."""
    allowed = int(MAX_CROSSING_SHARE * len(body))
    edges = sorted({edge for line in body for segment in line for edge in (segment.x0, segment.x1)})
    crossing: set[int] = set()
    for low, high in itertools.pairwise(edges):
        if high - low < MIN_GUTTER_POINTS or any(left < high and low < right for left, right in gutters):
            continue
        covering = [
            (number, segment)
            for number, line in enumerate(body)
            for segment in line
            if segment.x0 < high and segment.x1 > low
        ]
        beyond = all(segment.x0 < low - segment.size and segment.x1 > high for _, segment in covering)
        if covering and len(covering) <= allowed and beyond:
            crossing |= {number for number, _ in covering}
    if not crossing or len(crossing) > allowed:
        return gutters
    found = gaps_of([line for number, line in enumerate(body) if number not in crossing], MIN_GUTTER_POINTS)
    return found if len(found) > len(gutters) else gutters


def reach(segment: Segment, gutters: Gutters) -> tuple[int, int]:
    """Return the first and the last column that a segment covers."""
    first = sum(1 for gutter in gutters if segment.x0 >= gutter[0] + 0.1)
    return first, max(first, sum(1 for gutter in gutters if segment.x1 > gutter[1] - 0.1))


def in_columns(line: Row, gutters: Gutters) -> list[list[Segment]]:
    """Return the segments of a line by the column in which they begin."""
    columns: list[list[Segment]] = [[] for _ in range(len(gutters) + 1)]
    for segment in line:
        columns[reach(segment, gutters)[0]].append(segment)
    return columns


def is_note(line: Row, gutters: Gutters, *, rtl: bool) -> bool:
    """Return True if a line is one text that begins in the first column and crosses into the next."""
    if len(line) != 1:
        return False
    first, last = reach(line[0], gutters)
    return last > first and (last == len(gutters) if rtl else first == 0)
