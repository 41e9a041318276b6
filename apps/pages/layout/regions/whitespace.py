"""Cut a page into regions that are read one after the other. Each region is later divided into rows.

A *line* is here a ``Segment``: a stretch of a printed line, or a figure or table. Columns are found from white space
alone: a *gutter* is a tall strip that no line crosses, with lines on both sides. The tallest gutter whose two sides are
columns of text cuts the page into the parts above, left, right and below, and each part is cut again. Cells
of a table have gutters too, but share their lines; they stay in one region.

Sources: white space as the separator of columns, tallest first (Breuel, "Two geometric algorithms for layout analysis",
2002); recursive cuts (Nagy and Seth, 1984), around elements that span columns (Liu et al., "XY-Cut++", 2025).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from apps.pages.layout.regions import flows
from apps.pages.layout.regions.column_sets import first_set, is_headline
from apps.pages.layout.regions.sides import Sides, has_columns, sides_at, sides_of
from apps.pages.model.segments import Segment

# A gutter is at least this wide.
MIN_GUTTER_POINTS = 6.0
MAX_DEPTH = 12
# At most this many gutters of a region are tried, tallest first.
MAX_TRIED = 16
# At most this many positions of gutters are examined, those with the most lines on both sides first.
MAX_CANDIDATES = 80
# All of them together are compared with at most this many lines: a page of thousands of lines tries fewer.
MAX_COMPARED = 100_000
# Edges of lines that begin within this distance are one edge.
EDGE_POINTS = 4.0
# Lines whose tops differ by less than this, in line heights, are beside each other.
LEVEL = 0.1
# White space across the whole page, in line heights, that separates titles, running headers and footers from
# columns.
MIN_SPACE_AROUND_COLUMNS = 0.9
# The size of a title over columns, relative to their text.
MIN_TITLE_SIZE_RATIO = 1.3
# The width of a side bar, relative to the column beside it.
MAX_SIDE_BAR_WIDTH = 0.6


class Gutter(NamedTuple):
    """A free strip that ends at ``x`` and the lines beside it: ``start`` to ``end`` of the region's lines."""

    height: float
    x: float
    start: int
    end: int


def regions_of(segments: Sequence[Segment], *, rtl: bool = False) -> list[list[Segment]]:
    """Return the segments of a page as regions in reading order; each is read line by line."""
    regions: list[list[Segment]] = []
    _cut(sorted(segments, key=lambda segment: segment.top + segment.bottom), rtl, 0, regions)
    return regions


def _cut(segments: list[Segment], rtl: bool, depth: int, regions: list[list[Segment]]) -> None:
    """Add the regions of these segments, which are sorted from top to bottom."""
    if not segments:
        return
    heights = sorted(s.bottom - s.top for s in segments if s.text)
    line_height = max(1.0, heights[len(heights) // 2]) if heights else 12.0
    for gutter in _gutters(segments, line_height) if depth < MAX_DEPTH else ():
        left, right = sides_of(segments[gutter.start : gutter.end], gutter.x)
        if not flows.are_columns(left, right):
            continue
        start, end = _trimmed(segments, gutter, line_height, rtl=rtl)
        left, right = sides_of(segments[start:end], gutter.x)
        _cut(segments[:start], rtl, depth + 1, regions)
        for column in (right, left) if rtl else (left, right):
            _cut(column, rtl, depth + 1, regions)
        _cut(segments[end:], rtl, depth + 1, regions)
        return
    regions.append(segments)


def _gutters(segments: Sequence[Segment], line_height: float) -> list[Gutter]:
    """Return the free strips with lines on both sides, the tallest first."""
    if len(segments) < 2:
        return []
    lefts = sorted(s.x0 for s in segments)
    rights = sorted(s.x1 for s in segments)
    has_tall = any(s.bottom - s.top > 2 * line_height for s in segments)
    found: list[Gutter] = []
    edge = lefts[0]
    candidates = []
    for x in lefts:
        if x > edge + EDGE_POINTS:
            edge = x
            beyond = len(lefts) - bisect_left(lefts, x)
            before = bisect_right(rights, x - MIN_GUTTER_POINTS)
            if min(beyond, before) >= (1 if has_tall else flows.MIN_LINES):
                candidates.append((min(beyond, before), x))
    tried = min(MAX_CANDIDATES, max(1, MAX_COMPARED // len(segments)))
    for _, x in sorted(candidates, reverse=True)[:tried]:
        found += _free_strips(segments, x, line_height)
    found.sort(reverse=True)
    return found[:MAX_TRIED]


def _free_strips(segments: Sequence[Segment], x: float, line_height: float) -> list[Gutter]:
    """Return the stretches of the page in which no line crosses the strip that ends at ``x``."""
    free: list[Gutter] = []
    strip_x0 = x - MIN_GUTTER_POINTS
    start = 0
    sides = Sides()
    for index, segment in enumerate(segments):
        if segment.x0 >= x:
            sides.right.add(segment, line_height)
        elif segment.x1 <= strip_x0:
            sides.left.add(segment, line_height)
        else:
            end, sides = _without_row(segments, start, index, sides, x, line_height)
            if sides.are_tall:
                free.append(Gutter(sides.height, x, start, end))
            start, sides = index + 1, Sides()
    if sides.are_tall:
        free.append(Gutter(sides.height, x, start, len(segments)))
    return free


def _without_row(
    segments: Sequence[Segment], start: int, index: int, sides: Sides, x: float, line_height: float
) -> tuple[int, Sides]:
    """Return the end of a strip without the lines that are level with the text at ``index``, and its sides.

    That text crosses the strip, so a line beside it is the first of other columns, or of what else follows.
    """
    crossing, end = segments[index], index
    while crossing.text and end > start and abs(segments[end - 1].top - crossing.top) < LEVEL * line_height:
        end -= 1
    return (index, sides) if end == index else (end, sides_at(segments[start:end], x, line_height))


def _trimmed(segments: Sequence[Segment], gutter: Gutter, line_height: float, *, rtl: bool) -> tuple[int, int]:
    """Return the start and end of the gutter's columns, as indexes of ``segments``.

    Single lines above and below the columns (titles, running headers and footers) are left out, and so is a second set
    of columns below the first.
    """
    start, end = _below_title(segments, gutter, rtl=rtl), gutter.end
    gaps = _gaps(segments, start, end)
    for at, space in gaps:
        if space < MIN_SPACE_AROUND_COLUMNS * line_height or not _is_one_line(segments[start:at], line_height):
            break
        if not has_columns(segments[at:end], gutter.x, line_height) or _heads_both(segments, start, at, end, gutter.x):
            break
        start = at
    for at, space in reversed(gaps):
        is_below = _is_headline_below(segments, start, at, end, gutter.x, line_height)
        least = MIN_SPACE_AROUND_COLUMNS if is_below else 2.0
        if at <= start or space < least * line_height or not _is_one_line(segments[at:end], line_height):
            break
        if not has_columns(segments[start:at], gutter.x, line_height):
            break
        end = at
    return first_set(segments, gaps, (start, end), gutter.x, line_height, rtl=rtl)


def _is_headline_below(
    segments: Sequence[Segment], start: int, at: int, end: int, x: float, line_height: float
) -> bool:
    """Return True if columns that end at one height are followed by a headline, and that by a line across both."""
    if end == len(segments) or not is_headline(segments[at:end], segments[start:at]):
        return False
    left, right = sides_of(segments[start:at], x)
    if not left or not right:
        return False
    return abs(max(s.bottom for s in left) - max(s.bottom for s in right)) < 0.3 * line_height


def _below_title(segments: Sequence[Segment], gutter: Gutter, *, rtl: bool) -> int:
    """Return the start of the columns below a title that is over the second column only.

    If the first column is a narrow side bar, all text above it belongs to the title.
    """
    left, right = sides_of(segments[gutter.start : gutter.end], gutter.x)
    first, second = (right, left) if rtl else (left, right)
    top = min(s.top for s in first)
    size = flows.usual_size(second)
    is_narrow = _width(first) < MAX_SIDE_BAR_WIDTH * _width(second)
    start = gutter.start
    for index in range(gutter.start, gutter.end):
        segment = segments[index]
        if segment.bottom > top or not (is_narrow or segment.size > MIN_TITLE_SIZE_RATIO * size):
            break
        start = index + 1
    gaps = [at for at, _ in _gaps(segments, gutter.start, gutter.end)]
    return max((at for at in gaps if at <= start), default=gutter.start)


def _width(segments: Sequence[Segment]) -> float:
    return max(s.x1 for s in segments) - min(s.x0 for s in segments)


def _gaps(segments: Sequence[Segment], start: int, end: int) -> list[tuple[int, float]]:
    """Return where white space crosses the page: the index of the first segment below it, and its height in points."""
    gaps: list[tuple[int, float]] = []
    bottom = segments[start].bottom
    tops = list(itertools.accumulate((s.top for s in reversed(segments[start:end])), min))[::-1]
    for index in range(start + 1, end):
        if tops[index - start] > bottom:
            gaps.append((index, tops[index - start] - bottom))
        bottom = max(bottom, segments[index].bottom)
    return gaps


def _is_one_line(segments: Sequence[Segment], line_height: float) -> bool:
    """Return True if the segments are text at one height, as a title or a running header is."""
    top, bottom = min(s.top for s in segments), max(s.bottom for s in segments)
    size = max(s.bottom - s.top for s in segments)
    return all(s.text for s in segments) and bottom - top < 1.5 * max(size, line_height)


def _heads_both(segments: Sequence[Segment], start: int, at: int, end: int, x: float) -> bool:
    """Return True if the line above ``at`` has a part at the left edge of each column: two headings, not one title."""
    return all(
        head and abs(min(s.x0 for s in head) - min(s.x0 for s in column)) <= EDGE_POINTS
        for head, column in zip(sides_of(segments[start:at], x), sides_of(segments[at:end], x), strict=True)
    )
