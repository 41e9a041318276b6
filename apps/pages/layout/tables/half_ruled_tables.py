"""Tables between horizontal rulings: one above the header, one below it, one at the end, perhaps some between.

The rulings of a table are as long as each other, so they show where it begins and ends, and which text is in it.
Source: the rulings of booktabs (Fear, 2005); regions from rulings as in Nurminen (2013).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence

import msgspec

from apps.pages.layout.regions import flows
from apps.pages.layout.rotated_pages import parted
from apps.pages.layout.tables import unruled_tables
from apps.pages.layout.tables.diagrams import Diagrams
from apps.pages.layout.tables.rulings import SNAP_POINTS, Ruling
from apps.pages.layout.tables.table_columns import gutters_of
from apps.pages.layout.tables.turned_heads import turned_heads, with_boxes_of_runs
from apps.pages.layout.text.lines import baseline_of, rows_of, segments_of
from apps.pages.model.blocks import Block
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Band, Row
from apps.pages.model.text import scripts

# A shorter ruling bounds no table.
MIN_LENGTH_POINTS = 70.0
# The ends of the rulings of one table differ by less than this.
MAX_END_DIFFERENCE_POINTS = 6.0
# Pieces of one ruling, one for each column, are closer than this.
MAX_PIECE_GAP_POINTS = 14.0
# A text may reach past the ends of the rulings by this much.
MAX_OVERHANG_POINTS = 6.0
# An underline is nearer to the baseline than this, in ems.
MAX_UNDERLINE_EMS = 0.25
MAX_INTERVALS = 500
MIN_TABULAR_SHARE = 0.5
MIN_LABELLED_SHARE = 0.5
MIN_ROWS = 2


class _Interval(msgspec.Struct, gc=False):
    """The space between two neighbouring rulings of one length, and the runs in it."""

    top: float
    bottom: float
    runs: list[TextRun]
    rows: list[Row]
    is_tabular: bool


def half_ruled_tables(
    across: Sequence[Ruling], down: Sequence[Ruling], runs: Sequence[TextRun], drawn: Diagrams
) -> tuple[list[Block], list[TextRun]]:
    """Return the tables between horizontal rulings, and the runs, upright and turned, that are in none of them."""
    tables: list[Block] = []
    taken: set[int] = set()
    chains = _chains(across)
    if not chains:
        return [], list(runs)
    upright, turned = parted(runs)
    from_top = sorted(upright, key=_middle)
    for chain in chains:
        heads = turned_heads(turned, chain[0], chain[1]) if turned else []
        lines = sorted([*from_top, *(head.upright for head in heads)], key=_middle) if heads else from_top
        intervals = [_interval(lines, above, below) for above, below in itertools.pairwise(chain[:MAX_INTERVALS])]
        for is_tabular, group in itertools.groupby(intervals, lambda interval: interval.is_tabular):
            region = list(group)
            inside = {id(run) for interval in region for run in interval.runs} if is_tabular else set()
            inside |= {id(run) for run, head in heads if id(head) in inside}
            is_free = inside and not inside & taken and not _has_labels_beside(region, chain[0], from_top, taken)
            table = _table(region, chain[0], across, down) if is_free else None
            if table is not None and not drawn.touch(table):
                tables.append(with_boxes_of_runs(table, heads) if heads else table)
                taken |= inside
    return tables, [run for run in runs if id(run) not in taken] if taken else list(runs)


def _middle(run: TextRun) -> float:
    return (run.top + run.bottom) / 2


def _chains(across: Sequence[Ruling]) -> list[list[Ruling]]:
    """Return the rulings of a page in lists of three or more of the same ends, each from the top."""
    whole: list[Ruling] = []
    for line in sorted(across, key=lambda line: (line.at, line.low)):
        last = whole[-1] if whole else None
        if last and abs(line.at - last.at) < SNAP_POINTS and 0 <= line.low - last.high < MAX_PIECE_GAP_POINTS:
            whole[-1] = Ruling(last.at, last.low, line.high)
        else:
            whole.append(line)
    chains: list[list[Ruling]] = []
    for line in whole:
        if line.high - line.low < MIN_LENGTH_POINTS:
            continue
        for chain in chains:
            ends = abs(chain[0].low - line.low), abs(chain[0].high - line.high)
            if max(ends) < MAX_END_DIFFERENCE_POINTS:
                if line.at - chain[-1].at > 2 * SNAP_POINTS:
                    chain.append(line)
                break
        else:
            chains.append([line])
    return [chain for chain in chains if len(chain) > 2]


def _interval(from_top: Sequence[TextRun], above: Ruling, below: Ruling) -> _Interval:
    """Return the space between two rulings; it is tabular if most of its lines have several cells."""
    low, high = above.low - MAX_OVERHANG_POINTS, above.high + MAX_OVERHANG_POINTS
    inside: list[TextRun] = []
    is_crossed = False
    start, end = bisect_left(from_top, above.at, key=_middle), bisect_right(from_top, below.at, key=_middle)
    for run in from_top[start:end]:
        if run.x0 < high and run.x1 > low:
            inside.append(run)
            is_crossed = is_crossed or run.x0 < low or run.x1 > high
    lines = rows_of(inside) if not is_crossed else []
    # A line with one run has one cell, so most intervals of prose end here.
    may_be_tabular = lines and sum([len(line) > 1 for line in lines]) >= MIN_TABULAR_SHARE * len(lines)
    rows = rows_of(segments_of(inside)) if may_be_tabular else []
    if rows and _is_underline(below, rows[-1]):
        rows = []
    several = sum(1 for row in rows if len(row) > 1)
    return _Interval(above.at, below.at, inside, rows, bool(rows) and several >= MIN_TABULAR_SHARE * len(rows))


def _has_labels_beside(
    region: Sequence[_Interval], ruling: Ruling, from_top: Sequence[TextRun], taken: Container[int]
) -> bool:
    """Return True if rulings are only over the columns of numbers: most rows have a label on the left of them.

    ``taken``: the ids of the runs that are in other tables.
    """
    start = bisect_left(from_top, region[0].top, key=_middle)
    end = bisect_right(from_top, region[-1].bottom, key=_middle)
    labels = segments_of([run for run in from_top[start:end] if run.x1 <= ruling.low and id(run) not in taken])
    cells = [segment for interval in region for row in interval.rows for segment in row]
    rows = [baseline_of(row[0]) for interval in region for row in interval.rows]
    slack = flows.SAME_BASELINE_EMS * flows.usual_size(cells)
    beside = [label for label in labels if any(abs(baseline_of(label) - at) <= slack for at in rows)]
    is_label_column = len(beside) >= max(MIN_ROWS, MIN_LABELLED_SHARE * len(rows)) and len(beside) == len(labels)
    return is_label_column and not flows.are_columns(labels, cells)


def _is_underline(line: Ruling, row: Row) -> bool:
    """Return True if a ruling is as near to the baselines of a row as an underline."""
    return any(
        run.baseline is not None and line.at - run.baseline < MAX_UNDERLINE_EMS * run.size
        for segment in row
        for run in segment.runs or ()
    )


def _table(
    region: Sequence[_Interval], ruling: Ruling, across: Sequence[Ruling], down: Sequence[Ruling]
) -> Block | None:
    """Return the text of neighbouring intervals as a table; None if it is prose in columns or a single row."""
    runs = [run for interval in region for run in interval.runs]
    rows = [row for interval in region for row in interval.rows]
    if len(rows) < MIN_ROWS or len(region) < 2:
        return None
    top, bottom = region[0].top, region[-1].bottom
    lines = [
        line
        for line in across
        if top - SNAP_POINTS <= line.at <= bottom + SNAP_POINTS and line.high > ruling.low and line.low < ruling.high
    ]
    borders = [
        line
        for line in down
        if ruling.low + MAX_OVERHANG_POINTS < line.at < ruling.high - MAX_OVERHANG_POINTS
        and line.low < bottom
        and line.high > top
    ]
    gutters = [] if borders else gutters_of(rows, 0, enough=2)
    if len(gutters) == 1 and flows.are_columns_beside(rows, gutters[0][1]):
        return None
    rtl = scripts.is_rtl("".join(run.text for run in runs))
    return unruled_tables.aligned_table(Band(rows), lines, rtl=rtl, down=borders)
