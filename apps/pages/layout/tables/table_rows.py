"""Rows of a table without rulings: which printed lines are the lines of one table row.

A row begins at a ruling, after a gap wider than the leading, or where the first column is filled. Which of these
holds for a table is decided by all its rows: in a table with a few rulings or gaps, such as those around a section,
the groups between them have several rows.
Source: T-Recs (Kieninger, 1998); Nurminen (2013).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TypeVar

from apps.pages.layout.tables.rulings import Ruling
from apps.pages.layout.tables.table_columns import in_columns, is_note
from apps.pages.model.segments import Gutters, Row, Segment

# A step to the next line this much wider than the narrowest is a step to the next row.
MIN_ROW_STEP_RATIO = 1.3
# A ruling between two rows covers at least this share of the table's width.
MIN_RULING_SHARE = 0.3
# A line of a note that ends before this share of the table's width is its last.
MIN_FULL_NOTE_SHARE = 0.75
# Several labels have to be wrapped before one that fills its column counts as wrapped; a blank is this wide.
MIN_WRAPPED_LABELS = 2
MIN_BLANK_EMS = 0.2
_NUMBER = re.compile(r"[(\[]?[-–−+<>≤≥~$€£¥]{0,2}\s?\d[\d.,' ]*\s?[%‰*†]?[)\]]?")

Group = list[Row]
Cells = list[list[Segment]]
"""The segments of a line by column, the column of the labels first."""
T = TypeVar("T")


def grouped(lines: Sequence[Row], gutters: Gutters, across: Sequence[Ruling], *, rtl: bool) -> list[Group]:
    """Return the printed lines of each table row together."""
    if not lines:
        return []
    notes = [is_note(line, gutters, rtl=rtl) for line in lines]
    left, right = min(line[0].x0 for line in lines), max(line[-1].x1 for line in lines)
    # A note that fills its line goes on below.
    goes_on = [line[0].x1 > left + MIN_FULL_NOTE_SHARE * (right - left) for line in lines]
    ruled, wide = ruled_steps(lines, across), _wide_steps(lines)
    cells = [in_columns(line, gutters)[:: -1 if rtl else 1] for line in lines]
    apart = [any(step) for step in zip(ruled, wide, strict=True)]
    wrapped = set() if rtl else _wrapped_labels(cells)
    forced = [
        n != m
        or (n and m and not goes_on[index])
        or (index + 1 not in wrapped and _repeats(cells[index], cells[index + 1]))
        for index, (n, m) in enumerate(itertools.pairwise(notes))
    ]
    breaks = [a or f for a, f in zip(apart, forced, strict=True)]
    if any(apart):
        parts = [part for part in _split(cells, breaks) if len(part) > 1]
        whole = sum(1 for part in parts if _is_one_row(part))
        if not parts or 2 * whole > len(parts):
            return _split(lines, breaks)
    starts: list[bool] = []
    first = 0
    for index, is_break in enumerate(breaks, 1):
        continues = (notes[index - 1] and notes[index]) or index in wrapped
        starts.append(is_break or (not continues and _starts(cells, first, index)))
        first = index if starts[-1] else first
    return _split(lines, starts)


def _split(lines: Sequence[T], breaks: Sequence[bool]) -> list[list[T]]:
    """Return the lines in groups; ``breaks[i]``: whether line ``i + 1`` begins another."""
    groups: list[list[T]] = [[lines[0]]]
    for line, is_break in zip(lines[1:], breaks, strict=True):
        if is_break:
            groups.append([line])
        else:
            groups[-1].append(line)
    return groups


def ruled_steps(lines: Sequence[Row], across: Sequence[Ruling]) -> list[bool]:
    """Return for each step between two lines whether a ruling is drawn there."""
    left, right = min(line[0].x0 for line in lines), max(line[-1].x1 for line in lines)
    ruled = []
    for above, below in itertools.pairwise(lines):
        low, high = (above[0].top + above[0].bottom) / 2, (below[0].top + below[0].bottom) / 2
        covered = sum(max(0.0, min(line.high, right) - max(line.low, left)) for line in across if low < line.at < high)
        ruled.append(covered > MIN_RULING_SHARE * (right - left))
    return ruled


def _wide_steps(lines: Sequence[Row]) -> list[bool]:
    """Return for each step between two lines whether it is wider than the leading; all False if the steps are alike."""
    steps = [below[0].bottom - above[0].bottom for above, below in itertools.pairwise(lines)]
    leading = min((step for step in steps if step > 0.6 * lines[0][0].size), default=0.0)
    wide = [step > MIN_ROW_STEP_RATIO * leading for step in steps]
    return [False] * len(steps) if all(wide) else wide


def _is_one_row(part: Sequence[Cells]) -> bool:
    """Return True if the lines may be the cells of one row, aligned at the top or the bottom.

    The cells differ in their number of lines, have no empty lines between, and begin or end together.
    """
    columns = [column for column in zip(*([bool(cell) for cell in line] for line in part), strict=True) if any(column)]
    if len(columns) > 1 and all(all(column) for column in columns):
        return False
    for column in columns:
        first, last = column.index(True), len(column) - 1 - column[::-1].index(True)
        if not all(column[first : last + 1]):
            return False
    if all(column[0] for column in columns):
        return True
    is_title = bool(part[0][0]) and bool(part[1][0]) and not _is_lower(part[1][0])
    return all(column[-1] for column in columns) and not is_title


def _wrapped_labels(cells: Sequence[Cells]) -> set[int]:
    """Return the lines whose label continues the one above, which fills its column: the first word would not fit.

    There are several such lines, and none with a label alone that is a title: a line break before it that is intended.
    """
    labels = [line[0] for line in cells]
    right = max((label[-1].x1 for label in labels if label), default=0.0)
    found: set[int] = set()
    for index in range(1, len(cells)):
        above, label = labels[index - 1], labels[index]
        beside = [part.text for column in cells[index][1:] for part in column]
        # Shares and words in brackets are remarks; an amount in brackets is below zero, and of a row of its own.
        if not label or not all(
            text.startswith("(") and text.endswith(")") and not is_number(text.replace("%", "x")) for text in beside
        ):
            continue
        first, _, rest = label[0].text.partition(" ")
        width = (label[0].x1 - label[0].x0) * len(first) / max(1, len(first) + len(rest))
        is_full = bool(above) and above[-1].x1 + MIN_BLANK_EMS * label[0].size + width > right
        if is_full and above[-1].bold == label[0].bold:
            found.add(index)
        elif not _is_lower(label) and not any(cells[index][1:]):
            return set()
    return found if len(found) >= MIN_WRAPPED_LABELS else set()


def _starts(cells: Sequence[Cells], first: int, index: int) -> bool:
    """Return True if a line begins a row: its first column is filled and does not continue the label above.

    ``first``: the first line of the row above.
    """
    columns, above = cells[index], cells[index - 1]
    filled = [column for column in columns[1:] if column]
    if not columns[0]:
        # Without a label it is a row if all other columns are filled, none of them with the rest of a sentence.
        return len(filled) > 1 and len(filled) == len(columns) - 1 and not any(map(_is_lower, filled))
    if above[0] and _is_lower(columns[0]) and not _is_lower(cells[first][0]):
        # The rest of a label: its row has its amounts beside one of the label's lines.
        written = any(any(line[1:]) for line in cells[first:index])
        return bool(filled) and written and not all(map(_is_lower, filled))
    if filled and all(map(_is_lower, filled)):
        return any(_is_lower(top) for top, column in zip(cells[0][1:], columns[1:], strict=True) if column)
    return True


def _is_lower(column: Sequence[Segment]) -> bool:
    return bool(column) and column[0].text[:1].islower()


def _repeats(above: Cells, below: Cells) -> bool:
    """Return True if a column has numbers in both lines: a number never continues on the next line."""
    return any(
        one and two and all(_NUMBER.fullmatch(part.text) for part in one + two)
        for one, two in zip(above, below, strict=True)
    )


def is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text))
