"""Turned or slanted heads of columns: they are read at the place where they meet their column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from apps.pages.layout.tables.rulings import Ruling
from apps.pages.model.blocks import Block
from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import TextRun

# Text within this of a quarter turn is over its column with all of its width.
MAX_FROM_UPRIGHT_DEGREES = 10.0
# A head ends at most this far above the ruling below the heads, in ems.
MAX_RISE_EMS = 2.5


class TurnedHead(NamedTuple):
    """A turned run, and a copy of it that is upright, as one line, where it meets its column."""

    run: TextRun
    upright: TextRun


def turned_heads(turned: Sequence[TextRun], above: Ruling, below: Ruling) -> list[TurnedHead]:
    """Return the turned runs that meet a ruling from above as heads, none if there is one alone.

    ``above`` and ``below``: the rulings around the heads. Slanted text may reach past their ends.
    """
    heads = [
        TurnedHead(run, _upright(run))
        for run in turned
        if above.at <= run.top
        and 0 <= below.at - run.bottom <= MAX_RISE_EMS * run.size
        and above.low <= run.x0 <= above.high
    ]
    return heads if len(heads) > 1 else []


def _upright(run: TextRun) -> TextRun:
    x0, x1 = run.x0, run.x1
    if abs(run.angle % 180 - 90) > MAX_FROM_UPRIGHT_DEGREES:
        rises = run.angle > 180
        x0, x1 = (x0, min(x1, x0 + run.size)) if rises else (max(x0, x1 - run.size), x1)
    baseline = run.bottom - 0.2 * run.size
    return msgspec.structs.replace(
        run, x0=x0, x1=x1, top=run.bottom - run.size, baseline=baseline, angle=0.0, words=None
    )


def with_boxes_of_runs(table: Block, heads: Sequence[TurnedHead]) -> Block:
    """Return the table with the boxes of its cells around the turned heads themselves."""

    def around(box: Box | None) -> Box | None:
        runs = [run for run, upright in heads if box and box.contains(_box(upright), slack=1.0)]
        return union([box, *map(_box, runs)]) if box and runs else box

    cells = tuple(msgspec.structs.replace(cell, box=around(cell.box)) for cell in table.cells)
    boxes = [cell.box for cell in cells if cell.box]
    return msgspec.structs.replace(table, cells=cells, box=union([table.box, *boxes]))


def _box(run: TextRun) -> Box:
    return Box(run.x0, run.top, run.x1, run.bottom)
