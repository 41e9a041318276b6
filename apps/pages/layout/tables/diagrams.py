"""Signs that lines and labels belong to a chart or a diagram: bars on one base line, scales with ticks, arrows."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from apps.pages.model.blocks import Block
from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import RawPage, TextRun

# A chart has at least this many bars of one width at equal steps, of this many heights.
MIN_BARS = 4
MIN_HEIGHTS = 3
MIN_BAR_POINTS = 2.5
# A scale has at least this many ticks, of these lengths, at equal steps that are longer than the ticks.
MIN_TICKS = 4
MIN_TICK_POINTS, MAX_TICK_POINTS = 1.5, 8.0
# The label of a tick is centred on it and this near; at least this share of the ticks has one.
MAX_LABEL_SPACE_POINTS = 16.0
MIN_LABELLED_SHARE = 0.5
# The head of an arrow is a small filled area at the end of a line.
MIN_ARROW_POINTS, MAX_ARROW_POINTS = 3.0, 10.0
MAX_SLACK_POINTS = 1.5
# A page with more rulings or areas is a drawing that takes too long to compare.
MAX_COMPARED = 3_000


class Diagrams:
    """The places on a page where charts and diagrams are drawn. They are looked for when they are first asked for."""

    def __init__(self, raw: RawPage) -> None:
        self._raw = raw
        self._signs: list[Box] | None = None

    def touch(self, table: Block) -> bool:
        """Return True if the cells of a table are labels of a chart or a diagram; a chart may be inside a cell."""
        if self._signs is None:
            raw = self._raw
            is_plain = len(raw.rulings) + len(raw.fills) > MAX_COMPARED
            self._signs = [] if is_plain else [*charts_of(raw), *_arrows(raw)]
        return any(
            sign.overlaps(table.box) and not any(cell.box and cell.box.contains(sign) for cell in table.cells)
            for sign in self._signs
        )


def charts_of(raw: RawPage) -> list[Box]:
    """Return the places of the bars and the scales of charts on a page that is upright."""
    is_plain = len(raw.rulings) + len(raw.fills) > MAX_COMPARED or not (raw.rulings or raw.fills)
    return [] if is_plain else [*_bars(raw.fills), *_scales(raw)]


def _are_steps_equal(places: Sequence[float]) -> bool:
    """Return True if sorted places are apart by one distance or multiples of it."""
    steps = [high - low for low, high in itertools.pairwise(places)]
    least = min(steps)
    return least > 0 and all(abs(step / least - round(step / least)) * least < MAX_SLACK_POINTS for step in steps)


def _bars(fills: Iterable[Box]) -> list[Box]:
    """Return the area of the bars of each chart: areas of one width on one base line, apart, of several heights."""
    stacks: dict[tuple[int, int], list[Box]] = defaultdict(list)
    for fill in fills:
        if min(fill.width, fill.height) >= MIN_BAR_POINTS:
            stacks[round(fill.x0), round(fill.x1)].append(fill)
    charts: dict[tuple[int, int], list[Box]] = defaultdict(list)
    for stack in map(union, stacks.values()):
        charts[round(stack.bottom / 2), round(stack.width)].append(stack)
    found = []
    for bars in charts.values():
        bars.sort(key=lambda bar: bar.x0)
        apart = all(left.x1 + 1 < right.x0 for left, right in itertools.pairwise(bars))
        heights = {round(bar.height) for bar in bars}
        if len(bars) >= MIN_BARS and len(heights) >= MIN_HEIGHTS and apart and _are_steps_equal([b.x0 for b in bars]):
            found.append(union(bars))
    return found


def _scales(raw: RawPage) -> list[Box]:
    """Return the area of the marks and labels of each scale."""
    found = []
    upright: dict[int, list[Box]] = defaultdict(list)
    level: dict[int, list[Box]] = defaultdict(list)
    for rule in raw.rulings:
        if rule.width < MIN_TICK_POINTS <= rule.height <= MAX_TICK_POINTS:
            upright[round(rule.bottom)].append(rule)
        elif rule.height < MIN_TICK_POINTS <= rule.width <= MAX_TICK_POINTS:
            level[round(rule.x1)].append(rule)

    def is_under(run: TextRun, tick: Box) -> bool:
        shift = abs(run.x0 + run.x1 - tick.x0 - tick.x1)
        return shift < 4 * MAX_SLACK_POINTS and -1 <= run.top - tick.bottom < MAX_LABEL_SPACE_POINTS

    def is_left(run: TextRun, tick: Box) -> bool:
        shift = abs(run.top + run.bottom - tick.top - tick.bottom)
        return shift < 4 * MAX_SLACK_POINTS and -1 <= tick.x0 - run.x1 < MAX_LABEL_SPACE_POINTS

    for ticks in upright.values():
        found += _scale(ticks, lambda box: (box.x0 + box.x1) / 2, raw.runs, is_under)
    for ticks in level.values():
        found += _scale(ticks, lambda box: box.middle, raw.runs, is_left)
    return found


def _scale(
    ticks: list[Box], place: Callable[[Box], float], runs: Sequence[TextRun], labels: Callable[[TextRun, Box], bool]
) -> list[Box]:
    places = sorted({round(place(tick), 1) for tick in ticks})
    if len(places) < MIN_TICKS or not _are_steps_equal(places) or places[1] - places[0] <= MAX_TICK_POINTS:
        return []
    area = union(ticks)
    near = Box(
        area.x0 - MAX_LABEL_SPACE_POINTS, area.top, area.x1 + MAX_TICK_POINTS, area.bottom + MAX_LABEL_SPACE_POINTS
    )
    beside = [run for run in runs if near.overlaps(Box(run.x0, run.top, run.x1, run.bottom))]
    labelled = sum(1 for tick in ticks if any(labels(run, tick) for run in beside))
    return [near] if labelled >= max(MIN_TICKS - 1, MIN_LABELLED_SHARE * len(ticks)) else []


def _arrows(raw: RawPage) -> list[Box]:
    """Return the heads of arrows: small filled areas that are neither on nor in a word, at the end of a ruling."""
    heads = [
        fill
        for fill in raw.fills
        if min(fill.width, fill.height) >= MIN_ARROW_POINTS and max(fill.width, fill.height) <= MAX_ARROW_POINTS
    ]
    return [head for head in heads if any(_ends_at(rule, head) for rule in raw.rulings)]


def _ends_at(rule: Box, head: Box) -> bool:
    """Return True if a longer line ends in the middle of a side of the head and does not run on through it."""
    if rule.width >= rule.height:
        ends = rule.x0, rule.x1
        low, high, middle, at = head.x0, head.x1, head.middle, rule.middle
    else:
        ends = rule.top, rule.bottom
        low, high, middle, at = head.top, head.bottom, (head.x0 + head.x1) / 2, (rule.x0 + rule.x1) / 2
    is_outside = ends[1] <= high - MAX_SLACK_POINTS or ends[0] >= low + MAX_SLACK_POINTS
    touches = any(low - MAX_SLACK_POINTS <= end <= high + MAX_SLACK_POINTS for end in ends)
    return abs(middle - at) < MAX_SLACK_POINTS and ends[1] - ends[0] > high - low and is_outside and touches
