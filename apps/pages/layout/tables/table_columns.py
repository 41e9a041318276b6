"""Columns of a table without rulings: the gutters that its lines leave free, and the columns that a text reaches.

Source: column edges and spanning heads as in Nurminen, "Algorithmic extraction of data in tables in PDF documents"
(2013); columns from the body rows first as in T-Recs (Kieninger, 1998).
"""

from __future__ import annotations

import itertools
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from apps.pages.layout.regions.columns import gaps_of, gutters_under_heads
from apps.pages.layout.tables.rulings import Ruling
from apps.pages.layout.text.lines import segment_of_words, split_at_gaps, words_of
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Gutters, Row, Segment

MIN_GUTTER_POINTS = 3.5
# A gap between words at a gutter divides cells if it is wider than this, in ems.
MIN_GUTTER_GAP_EMS = 0.4
# With several gaps, one that is wider than the narrowest by this ratio and at least so wide will do.
MIN_GAP_RATIO = 1.2
MIN_COMPARED_GAP_EMS = 0.3
MIN_BODY_ROWS = 3
MAX_HEADER_LINES = 8
# Without a ruling under them at most this many lines are heads that may reach over several columns.
MAX_HEADER_LINES_WITHOUT_RULING = 3
# This share of the rows may cross a gutter, such as a long label beside empty cells.
MAX_CROSSING_SHARE = 0.1
# ... and this share with labels of sections: nothing is in the cells after them, or they are bold among other rows.
MAX_SECTION_SHARE = 0.34
MAX_CURRENCY_LETTERS = 4


def with_signs_joined(row: Row) -> Row:
    """Return the row with each currency sign that is set apart joined to the amount after it, and "%" and ")" to the
    amount before.
    """
    joined: Row = []
    for segment in row:
        before = joined[-1] if joined else None
        if before is not None and before.block is None and segment.block is None:
            if _is_currency(before.text, segment.text):
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


def _is_currency(sign: str, amount: str) -> bool:
    """Return True for the sign of a currency and an amount, two texts of a row."""
    if not sign or len(sign) > MAX_CURRENCY_LETTERS or unicodedata.category(sign[-1]) != "Sc":
        return False
    return amount[:1].isdigit() or (amount[:1] in "(-–−—." and len(amount) < 20)


def table_lines(rows: Sequence[Row], borders: Sequence[float] = ()) -> list[Row]:
    """Return printed lines with their segments split where words are as far apart as cells, and at ``borders``."""
    lines = []
    for row in rows:
        pieces = [piece for segment in row for piece in split_at_gaps(segment)]
        if borders:
            pieces = [part for piece in pieces for part in _split_at_borders(piece, borders)]
        lines.append(with_signs_joined(pieces))
    return lines


def _split_at_borders(segment: Segment, borders: Sequence[float]) -> list[Segment]:
    """Return the parts of a segment between borders that run between its words."""
    inside = [place for place in borders if segment.x0 < place < segment.x1]
    if not inside or not segment.runs:
        return [segment]
    words = sorted((word for run in segment.runs for word in words_of(run)), key=lambda word: word.x0)
    if any(word.x0 + 1 < place < word.x1 - 1 for word in words for place in inside):
        return [segment]
    parts: dict[int, list[TextRun]] = {}
    for word in words:
        parts.setdefault(sum(1 for place in inside if (word.x0 + word.x1) / 2 > place), []).append(word)
    return [segment_of_words(part) for part in parts.values()]


def gutters_of(lines: Sequence[Row], header_lines: int, *, enough: int | None = None) -> Gutters:
    """Return the gutters of a table; ``header_lines``: lines above its header ruling, 0 when it has none.

    Heads over several columns, section titles and notes cross gutters, so they are left out of the count.
    ``enough``: the search may end when it has this many.
    """
    left = min(line[0].x0 for line in lines)
    size = lines[len(lines) // 2][0].size
    titles = _centred_titles(lines, size)
    if titles:
        lines = [line for number, line in enumerate(lines) if number not in titles]
        header_lines -= sum(1 for number in titles if number < header_lines)
    if under_heads := gutters_of_numbers(lines):
        return under_heads
    best: Gutters = []
    most = header_lines or MAX_HEADER_LINES_WITHOUT_RULING
    single = next((number for number, line in enumerate(lines) if len(line) > 1), 0)
    for heads in range(single, max(single, min(most, len(lines) - MIN_BODY_ROWS)) + 1):
        body = [line for line in lines[heads:] if len(line) > 1 or line[0].x0 > left + size]
        found = gaps_of(body, MIN_GUTTER_POINTS) if body else []
        if len(found) > len(best):
            best = found
        if enough is not None and len(best) >= enough:
            return best
    body = [line for line in lines[header_lines:] if len(line) > 1]
    return _with_crossed(body, best)


def gutters_of_numbers(lines: Sequence[Row]) -> Gutters:
    """Return the gutters of a table of numbers with a head over each column in its first line, else none."""
    body = [line for line in lines[1:] if len(line) > 1]
    return gutters_under_heads(lines[0], body, MIN_GUTTER_POINTS) if len(body) > 1 else []


def _centred_titles(lines: Sequence[Row], size: float) -> set[int]:
    """Return the numbers of few lines that are one text in the middle of the table, with cells above and below."""
    middle = (min(line[0].x0 for line in lines) + max(line[-1].x1 for line in lines)) / 2
    found = {
        number
        for number in range(1, len(lines) - 1)
        if len(lines[number]) == 1
        and abs(lines[number][0].x0 + lines[number][0].x1 - 2 * middle) < size
        and len(lines[number - 1]) > 2
        and len(lines[number + 1]) > 2
    }
    return found if len(found) <= max(1, MAX_CROSSING_SHARE * len(lines)) else set()


def _with_crossed(body: Sequence[Row], gutters: Gutters) -> Gutters:
    """Return the gutters and those that only a few rows cross, with a text that begins and ends beyond both sides."""
    allowed, sections = int(MAX_CROSSING_SHARE * len(body)), int(MAX_SECTION_SHARE * len(body))
    usual_bold = 2 * sum(line[0].bold for line in body) > len(body)
    begins = sorted(segment.x0 for line in body for segment in line)
    ends = sorted(segment.x1 for line in body for segment in line)
    crossing: set[int] = set()
    for low, high in itertools.pairwise(sorted({*begins, *ends})):
        if high - low < MIN_GUTTER_POINTS or any(left < high and low < right for left, right in gutters):
            continue
        if not 0 < bisect_left(begins, high) - bisect_right(ends, low) <= sections:
            continue
        covering = [
            (number, segment)
            for number, line in enumerate(body)
            for segment in line
            if segment.x0 < high and segment.x1 > low
        ]
        are_bold = not usual_bold and all(segment.bold and segment is body[number][0] for number, segment in covering)
        are_last = all(segment is body[number][-1] for number, segment in covering)
        beyond = all(s.x0 < low - (0 if are_bold else s.size) and s.x1 > high for _, s in covering)
        if covering and beyond and len(covering) <= (sections if are_bold or are_last else allowed):
            crossing |= {number for number, _ in covering}
    if not crossing or len(crossing) > sections:
        return gutters
    found = gaps_of([line for number, line in enumerate(body) if number not in crossing], MIN_GUTTER_POINTS)
    return found if len(found) > len(gutters) else gutters


def borders_of(rows: Sequence[Row], down: Sequence[Ruling]) -> list[float]:
    """Return the places of the vertical rulings that run between the columns of these rows for half of their height."""
    if not down:
        return []
    left, right = min(row[0].x0 for row in rows), max(row[-1].x1 for row in rows)
    top, bottom = rows[0][0].top, rows[-1][0].bottom
    return [
        line.at
        for line in down
        if left < line.at < right and min(line.high, bottom) - max(line.low, top) > 0.5 * (bottom - top)
    ]


def with_borders(gutters: Gutters, borders: Sequence[float]) -> Gutters:
    """Return the gutters with those borders that are in none of them as gutters without width."""
    result = list(gutters)
    for place in borders:
        if not any(left - MIN_GUTTER_POINTS <= place <= right + MIN_GUTTER_POINTS for left, right in result):
            result.append((place - 0.2, place + 0.2))
    return sorted(result)


def split_at_gutters(lines: Sequence[Row], gutters: Gutters) -> list[Row]:
    """Return the lines with texts divided where a gap between words, wider than a blank, is at a gutter."""
    return [[part for segment in line for part in _split_at_gutters(segment, gutters)] for line in lines]


def _split_at_gutters(segment: Segment, gutters: Gutters) -> list[Segment]:
    first, last = reach(segment, gutters)
    if first == last or not segment.runs:
        return [segment]
    words = sorted((word for run in segment.runs for word in words_of(run)), key=lambda word: word.x0)
    gaps = [word.x0 - before.x1 for before, word in itertools.pairwise(words)]
    min_gap = MIN_GUTTER_GAP_EMS * segment.size
    if len(gaps) > 1:  # the narrowest may be a blank
        least = MIN_COMPARED_GAP_EMS * segment.size
        min_gap = max(least, min(min_gap, MIN_GAP_RATIO * min(gaps)))
    parts = [[words[0]]]
    for before, word in itertools.pairwise(words):
        crossed = any(left < word.x0 and before.x1 < right for left, right in gutters[first:last])
        if crossed and word.x0 - before.x1 > min_gap:
            parts.append([word])
        else:
            parts[-1].append(word)
    return [segment] if len(parts) == 1 else [segment_of_words(part) for part in parts]


def reach(segment: Segment, gutters: Gutters) -> tuple[int, int]:
    """Return the first and the last column that a segment covers."""
    first = last = 0
    begin, end = segment.x0 - 0.1, segment.x1 + 0.1
    for left, right in gutters:
        if begin >= left:
            first += 1
        if end > right:
            last += 1
    return first, max(first, last)


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
