"""Distinguish columns of running text from columns of cells.

Lines of two flows are independent: they fill their column, and a paragraph of one ends beside the middle of another.
Cells of a table come in rows: they share baselines, and where a row begins in one column it begins in the others.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Sequence

from apps.pages.layout.text.lines import baseline_of
from apps.pages.model.segments import Segment
from apps.pages.model.text import list_markers, scripts

# Columns have at least this many lines.
MIN_LINES = 3
# Lines of text fill at least this share of their column (the median line) and have this many letters (the mean).
MIN_FILL = 0.7
MIN_LETTERS = 14
MIN_FILL_OF_LONG_LINES = 0.6
MIN_LETTERS_OF_LONG_LINES = 20
# Columns with tables between their lines have at least this many lines beside those of the tables.
MIN_LONE_LINES = 6
# Numbers, dates and codes have more digits, as a share of the letters.
MAX_DIGITS = 0.3
_DIGIT = re.compile(r"\d")
# Short lines with baselines of their own may be columns too.
MIN_LETTERS_OF_SHORT_LINES = 8
MAX_SHARED_BASELINES = 0.5
MIN_SHORT_LINES = 4
MIN_DENSITY = 0.3
# Baselines within this share of the size are one baseline.
SAME_BASELINE_EMS = 0.15
# A step this much wider than the usual one begins a paragraph or a row.
MIN_STEP_RATIO = 1.3
# This many rows that begin together on both sides are rows of a table.
MIN_ROWS_TOGETHER = 3
MIN_SHARE_TOGETHER = 0.8
# At least this many titles at the same heights on both sides begin texts in columns. A title is bold, or larger by this
# ratio.
MIN_TITLED, MIN_HEADING_SIZE_RATIO = 2, 1.1
MIN_MARKED_SHARE = 0.4
MIN_BULLETS, MIN_BULLETS_SHARE = 3, 0.3
# A block of authors has at most this many lines, and at most this many blocks are beside each other.
MAX_CENTRED_LINES, MAX_CENTRED_BLOCKS = 9, 6


def are_columns(left: Sequence[Segment], right: Sequence[Segment]) -> bool:
    """Return True if the segments on both sides of a gutter, sorted from the top, are read one side after the other."""
    one, two = _texts(left), _texts(right)
    if not one or not two:
        return True
    if min(len(one), len(two)) < MIN_LINES and (len(one) < len(left) or len(two) < len(right)):
        few, many = (one, two) if len(one) < len(two) else (two, one)
        # Figures, or tables, count as a column beside enough lines of text.
        figures = left if few is one else right
        beside = [
            line for line in many if any(not f.text and f.top < line.bottom and f.bottom > line.top for f in figures)
        ]
        return len(beside) >= MIN_LINES and _mean_letters(beside) >= MIN_LETTERS_OF_SHORT_LINES
    if not any(line.top < other.bottom and line.bottom > other.top for line in left for other in right):
        return False  # centred lines between lines at the left
    few, many = (one, two) if len(one) < len(two) else (two, one)
    if len(few) < 3 and usual_size(few) > 1.8 * usual_size(many):
        return True  # a single large word beside small lines
    # Titles and footers of the whole page are no sign of its columns.
    top, bottom = max(one[0].top, two[0].top), min(one[-1].bottom, two[-1].bottom)
    if _are_centred_blocks([s for side in (one, two) for s in side if s.bottom > top and s.top < bottom]):
        return True
    if _are_prose(one, two):
        return not _begin_together(one, two)
    lone_one, lone_two = _lone_lines(one), _lone_lines(two)
    beside_one, beside_two = ([s for s in side if s.bottom > top and s.top < bottom] for side in (lone_one, lone_two))
    for left_lines, right_lines in ((lone_one, lone_two), (beside_one, beside_two)):
        if min(len(left_lines), len(right_lines)) >= MIN_LONE_LINES and _are_prose(left_lines, right_lines):
            return not _begin_together(left_lines, right_lines)
    letters = min(_mean_letters(one), _mean_letters(two))
    shared = _shared_baselines(one, two)
    if shared < MAX_SHARED_BASELINES and letters >= MIN_LETTERS_OF_SHORT_LINES and _is_dense(one) and _is_dense(two):
        return True
    is_marked = min(_marked_share(one), _marked_share(two)) >= MIN_MARKED_SHARE
    return is_marked or (_has_bullets(one) and _has_bullets(two))


def _are_prose(one: Sequence[Segment], two: Sequence[Segment]) -> bool:
    letters = min(_mean_letters(one), _mean_letters(two))
    min_fill = MIN_FILL_OF_LONG_LINES if letters >= MIN_LETTERS_OF_LONG_LINES else MIN_FILL
    is_filled = letters >= MIN_LETTERS and min(_fill(one), _fill(two)) >= min_fill
    return is_filled and _is_wordy(one) and _is_wordy(two)


def _lone_lines(segments: Sequence[Segment]) -> list[Segment]:
    """Return the lines that are alone on their baseline: those of text in a column that has tables too."""
    lone: list[Segment] = []
    last = -1e9
    is_pair = False
    for segment in sorted(segments, key=baseline_of):
        at = baseline_of(segment)
        is_same = at - last < SAME_BASELINE_EMS * segment.size
        if is_same and not is_pair:
            lone.pop()
        elif not is_same:
            lone.append(segment)
        last, is_pair = at, is_same
    return lone


def are_columns_beside(lines: Sequence[Sequence[Segment]], x: float) -> bool:
    """Return True if the text on both sides of ``x`` is prose in columns. ``lines``: printed lines, from the top."""
    segments = [segment for line in lines for segment in line]
    left = [segment for segment in segments if segment.x0 < x]
    return are_columns(left, [segment for segment in segments if segment.x0 >= x])


def usual_size(segments: Sequence[Segment]) -> float:
    """Return the size of most letters."""
    sizes = sorted(s.size for s in segments if s.text)
    return sizes[len(sizes) // 2] if sizes else 0.0


def _texts(segments: Sequence[Segment]) -> list[Segment]:
    return [s for s in segments if s.text]


def _mean_letters(segments: Sequence[Segment]) -> float:
    letters = sum(len(s.text) * (2 if scripts.is_unspaced(s.text[0]) else 1) for s in segments)
    return letters / max(1, len(segments))


def _is_wordy(segments: Sequence[Segment]) -> bool:
    text = "".join([s.text for s in segments])
    return len(_DIGIT.findall(text)) < MAX_DIGITS * len(text)


def _fill(segments: Sequence[Segment]) -> float:
    """Return the share of its column that the median line fills; columns are apart where no line reaches."""
    widths: list[tuple[float, float]] = []
    for s in sorted(segments, key=lambda s: s.x0):
        if widths and s.x0 <= widths[-1][1] + 3.0:
            widths[-1] = (widths[-1][0], max(widths[-1][1], s.x1))
        else:
            widths.append((s.x0, s.x1))
    shares = []
    for s in segments:
        low, high = next(width for width in widths if width[0] <= s.x0 <= width[1])
        shares.append((s.x1 - s.x0) / max(1.0, high - low))
    return sorted(shares)[len(shares) // 2]


def _is_dense(segments: Sequence[Segment]) -> bool:
    """Return True if there are enough lines, close enough for a column: headings in a margin are further apart."""
    places = sorted(baseline_of(s) for s in segments)
    apart = 0.5 * usual_size(segments)
    lines = 1 + sum(1 for high, low in itertools.pairwise(places) if low - high > apart)
    height = max(s.bottom for s in segments) - min(s.top for s in segments)
    return lines >= MIN_SHORT_LINES and lines * usual_size(segments) > MIN_DENSITY * height


def _shared_baselines(one: Sequence[Segment], two: Sequence[Segment]) -> float:
    """Return the share of lines with a line beside them that is on the same baseline; of the side with fewer lines."""
    few, many = (one, two) if len(one) < len(two) else (two, one)
    many = sorted(many, key=lambda s: s.top)
    tops, tallest = [s.top for s in many], max((s.bottom - s.top for s in many), default=0.0)
    shared = beside = 0
    for s in few:
        at, slack, top, bottom = baseline_of(s), SAME_BASELINE_EMS * s.size, s.top, s.bottom
        near = many[bisect_left(tops, top - tallest) : bisect_left(tops, bottom)]
        lines = [baseline_of(other) for other in near if other.bottom > top]
        beside += bool(lines)
        shared += any(abs(other - at) < slack for other in lines)
    return shared / beside if beside >= MIN_LINES else 1.0


def _starts(segments: Sequence[Segment]) -> list[float]:
    """Return the baselines of the lines after a wider step, and of the first."""
    places = sorted({round(baseline_of(s), 1) for s in segments})
    steps = [low - high for high, low in itertools.pairwise(places)]
    usual = sorted(steps)[len(steps) // 3] if steps else 0.0
    return places[:1] + [at for at, step in zip(places[1:], steps, strict=True) if step > MIN_STEP_RATIO * usual]


def _begin_together(one: Sequence[Segment], two: Sequence[Segment]) -> bool:
    """Return True if wider steps are at the same heights on both sides: rows of cells with several lines.

    Headings at one height, with a text under each, are no rows.
    """
    slack = 0.3 * usual_size(one)
    few, many = sorted((_starts(one), _starts(two)), key=len)
    together = [at for at in few if any(abs(at - other) < slack for other in many)]
    headings = [[at for at in together if _is_heading_at(side, at, slack)] for side in (one, two)]
    titled = 2 * sum(1 for at in together if all(at in side for side in headings))
    rows = len(together) - (titled if titled >= 2 * MIN_TITLED else 0)
    return rows >= MIN_ROWS_TOGETHER and rows >= MIN_SHARE_TOGETHER * len(many)


def _is_heading_at(segments: Sequence[Segment], baseline: float, slack: float) -> bool:
    """Return True if the line at this height is larger or bolder than most of the lines."""
    size, bold = usual_size(segments), 2 * sum(s.bold for s in segments) > len(segments)
    lines = [s for s in segments if abs(baseline_of(s) - baseline) < slack]
    return all(s.size >= MIN_HEADING_SIZE_RATIO * size or (s.bold and not bold) for s in lines)


def _marked_share(segments: Sequence[Segment]) -> float:
    return sum(1 for s in segments if list_markers.split(s.text)[0]) / max(1, len(segments))


def _has_bullets(segments: Sequence[Segment]) -> bool:
    """Return True if several of the printed lines begin with a bullet; a justified line is many segments."""
    lines = {round(baseline_of(s)) for s in segments}
    bullets = sum(1 for s in segments if s.text[0] in list_markers.BULLET_SIGNS and s.text[1:2] == " ")
    return bullets >= MIN_BULLETS and bullets >= MIN_BULLETS_SHARE * len(lines)


def _are_centred_blocks(segments: Sequence[Segment]) -> bool:
    """Return True if the lines are blocks of few lines beside each other, each with a middle and no edge.

    So are authors set. White space is between two blocks from top to bottom.
    """
    if not 2 * MIN_LINES <= len(segments) <= MAX_CENTRED_BLOCKS * MAX_CENTRED_LINES:
        return False
    blocks: list[list[Segment]] = []
    right = -1e9
    for segment in sorted(segments, key=lambda s: s.x0):
        if segment.x0 > right:
            blocks.append([])
        blocks[-1].append(segment)
        right = max(right, segment.x1)
    for block in blocks:
        middles = [(s.x0 + s.x1) / 2 for s in block]
        size, spread = usual_size(block), max(middles) - min(middles)
        edges = min(max(side) - min(side) for side in ([s.x0 for s in block], [s.x1 for s in block]))
        if len(block) > MAX_CENTRED_LINES or _mean_letters(block) < MIN_LETTERS_OF_SHORT_LINES:
            return False
        if spread > 0.5 * size or edges < max(2 * spread, 0.4 * size):
            return False
    return len(blocks) > 1
