"""Turn text runs into segments and rows."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from apps.pages.layout.text import overprint
from apps.pages.layout.text.formulas import formula_lines
from apps.pages.layout.text.hyphenation import joined_lines
from apps.pages.model.blocks import Line
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Segment
from apps.pages.model.text import scripts

# Runs closer than this, in ems, belong to one stretch of a line: about the widest word space of a justified line.
MAX_JOIN_GAP_EMS = 0.7
# A blank that the file has between them may be wider.
MAX_BLANK_GAP_EMS = 1.2
# Words this far apart, in ems, may be cells of a table that were joined into one run.
MIN_CELL_GAP_EMS = 0.9
# Columns of numbers are closer; the rows above and below decide whether they are columns.
MIN_NUMBER_GAP_EMS = 0.4
# Narrower than this, in ems, two runs are one word in two fonts.
MIN_SPACE_EMS = 0.13
# Accents and signs above or below others have at most this many characters.
MAX_ACCENT = 2
# Runs are on one line when their heights share this much of the smaller one.
MIN_LINE_OVERLAP = 0.5
# A run is compared with the last lines only, because those before them end above it.
ROWS_COMPARED = 4
# Of runs that differ more in height, each is on the other's line only if the baselines differ less than this.
MAX_HEIGHT_RATIO = 1.6
MAX_BASELINE_SHIFT = 0.2
# A raised or lowered sign is at most this wide and this far from the baseline, in heights of its own.
MAX_SIGN_HEIGHTS = 2.0
MAX_SIGN_SHIFT = 0.6
# A line is full if it ends this near to the right edge, as a share of the column or in ems. If at least this many full
# lines have equal steps, within these bounds in ems, they are the lines of one text.
MAX_RAG_SHARE, MAX_RAG_EMS = 0.15, 1.3
MIN_WIDE_STEPS, MIN_ALIKE_SHARE, MIN_LEADING_EMS, MAX_LEADING_EMS = 3, 0.7, 1.5, 2.8
_TWO_NUMBERS = re.compile(r"\d[.,]\d+\|\d+[.,]\d")


Spanned = TypeVar("Spanned", TextRun, Segment)


def rows_of(parts: Sequence[Spanned]) -> list[list[Spanned]]:
    """Return runs or segments grouped into lines: rows from the top, each from left to right.

    Text drawn over other text becomes a row of its own, and so does a large word beside small lines.
    """
    rows: list[list[Spanned]] = []
    anchors: list[Spanned] = []
    for part in sorted(parts, key=lambda p: p.top + p.bottom):
        top, bottom = part.top, part.bottom
        height = bottom - top
        nearest, least = 0, math.inf
        for back, anchor in enumerate(anchors[: -ROWS_COMPARED - 1 : -1], 1):
            low, high = anchor.top, anchor.bottom
            shared = (high if high < bottom else bottom) - (low if low > top else top)
            if shared > 0:
                smaller = high - low
                if shared > MIN_LINE_OVERLAP * (height if height < smaller else smaller):
                    distance = _distance(anchor, part)
                    if distance < least:
                        nearest, least = back, distance
        if not nearest:
            rows.append([part])
            anchors.append(part)
        else:
            rows[-nearest].append(part)
            if bottom - top > anchors[-nearest].bottom - anchors[-nearest].top:
                anchors[-nearest] = part
    result: list[list[Spanned]] = []
    for row in rows:
        if len(row) == 1:
            result.append(row)
        else:
            row.sort(key=lambda p: p.x0)
            result += overprint.lines_of_row(row)
    return result


def _distance(anchor: Spanned, part: Spanned) -> float:
    """Return how far a part is from the baseline of a line that it overlaps; infinite if it is not of that line."""
    distance = overprint.baseline_distance(anchor, part)
    tall, small = anchor.bottom - anchor.top, part.bottom - part.top
    if tall < small:
        tall, small = small, tall
    if tall > MAX_HEIGHT_RATIO * small and distance > MAX_BASELINE_SHIFT * small:
        # A raised or lowered sign is short, and near the baseline or right beside the large letter.
        if min(part.x1 - part.x0, anchor.x1 - anchor.x0) > MAX_SIGN_HEIGHTS * small:
            return math.inf
        apart = min(abs(part.x0 - anchor.x1), abs(anchor.x0 - part.x1))
        if distance > MAX_SIGN_SHIFT * small and apart > MAX_BASELINE_SHIFT * small:
            return math.inf
    return distance


def segments_of(runs: Sequence[TextRun]) -> list[Segment]:
    """Return the upright runs of a page as segments, in rows from the top."""
    formulas = formula_lines(runs)
    segments = [_segment(line) for line in formulas]
    if formulas:
        taken = {id(run) for line in formulas for run in line}
        runs = [run for run in runs if id(run) not in taken]
    for row in rows_of(runs):
        if len(row) == 1:
            segments.append(_segment(row))
            continue
        start = 0
        right = row[0].x1
        for index in range(1, len(row)):
            run = row[index]
            if run.x0 - right > _join_gap(row[index - 1], run):
                segments.append(_segment(row[start:index]))
                start = index
            right = max(right, run.x1)
        segments.append(_segment(row[start:]))
    return segments


def _join_gap(run: TextRun, following: TextRun) -> float:
    """Return the widest gap, in points, across which two runs of a row are one stretch of a line."""
    ems = MAX_BLANK_GAP_EMS if run.text.endswith(" ") else MAX_JOIN_GAP_EMS
    low, high = run.size, following.size
    if low > high:
        low, high = high, low
    return ems * (low if high > MAX_HEIGHT_RATIO * low and len(following.text) > 3 else high)


def _segment(runs: Sequence[TextRun]) -> Segment:
    first = runs[0]
    if len(runs) == 1:
        return Segment(
            first.text.strip(),
            first.x0,
            first.top,
            first.x1,
            first.bottom,
            first.size,
            first.bold,
            first.italic,
            None,
            runs,
            first.baseline,
        )
    main = max(runs, key=lambda run: len(run.text))
    return Segment(
        text=joined(runs),
        x0=min(run.x0 for run in runs),
        top=min(run.top for run in runs),
        x1=max(run.x1 for run in runs),
        bottom=max(run.bottom for run in runs),
        size=main.size,
        bold=main.bold,
        italic=main.italic,
        runs=runs,
        baseline=main.baseline,
    )


def segment_of_runs(runs: Sequence[TextRun]) -> Segment:
    """Return neighbouring runs of one line, from the left, as a segment."""
    return _segment(runs)


def segment_of_words(words: Sequence[TextRun]) -> Segment:
    """Return words of one line, from the left, as a segment; the blank after the last one parts it from the next."""
    last = words[-1]
    if last.text.endswith(" "):
        words = [*words[:-1], msgspec.structs.replace(last, text=last.text.rstrip())]
    return _segment(words)


def segment_of(run: TextRun) -> Segment:
    """Return one run as a segment."""
    return _segment([run])


def joined(runs: Sequence[Spanned]) -> str:
    """Return the text of neighbours on one line in reading order, with a space where the gap is wide enough."""
    ordered = list(runs)
    if any(scripts.is_rtl(run.text) for run in ordered) and scripts.leans_rtl("".join(run.text for run in ordered)):
        # From the right edge; neighbours written from left to right keep their order.
        ordered = []
        latin: list[Spanned] = []
        for run in reversed(runs):
            if not scripts.has_rtl(run.text) and any(c.isalnum() for c in run.text):
                latin.insert(0, run)
            else:
                ordered += latin
                ordered.append(run)
                latin = []
        ordered += latin
    text = ordered[0].text.strip()
    for previous, run in itertools.pairwise(ordered):
        piece = run.text.strip()
        gap = run.x0 - previous.x1 if run.x0 >= previous.x0 else previous.x0 - run.x1
        spaced = previous.text[-1:].isspace() or run.text[:1].isspace()
        ems = scripts.mixed_gap_ems(text[-1:], piece[:1]) or MIN_SPACE_EMS
        is_over = gap < -run.size and min(len(piece), len(previous.text)) > MAX_ACCENT  # drawn over other text
        apart = spaced or is_over or gap > ems * min(run.size, previous.size)
        # Two numbers with decimals are labels near each other on a chart.
        apart = apart or _TWO_NUMBERS.search(f"{text[-8:]}|{piece[:8]}") is not None
        if apart and (scripts.needs_space(text, piece) or gap > run.size):
            text += " "
        text += piece
    return text


def line_of(segment: Segment) -> Line:
    """Return a segment as a line of a block."""
    box = Box(round(segment.x0, 2), round(segment.top, 2), round(segment.x1, 2), round(segment.bottom, 2))
    return Line(segment.text, box, round(segment.size, 2), segment.bold, segment.italic)


def baseline_of(part: Spanned) -> float:
    """Return the baseline of a part of a line, or its lower edge where the baseline is unknown."""
    return part.bottom if part.baseline is None else part.baseline


def wide_leading(lines: Sequence[Segment]) -> float:
    """Return the step, in points, between the lines of a column that is set with wide spaces, as manuscripts are.

    0 when the lines are as close as usual, too few to tell, or not full.
    """
    right, left = max(line.x1 for line in lines), min(line.x0 for line in lines)
    steps: list[float] = []
    dense = scripts.wraps_anywhere(lines[0].text[:1] or " ")
    for line, following in itertools.pairwise(lines):
        reach = MAX_RAG_EMS * line.size if dense else MAX_RAG_SHARE * (right - left)
        is_wordy = 2 * sum(map(str.isalpha, line.text)) > len(line.text)
        if line.x1 > right - reach and abs(line.size - following.size) < 0.5 and is_wordy:
            steps.append(following.bottom - line.bottom)
    if len(steps) < (MIN_WIDE_STEPS - 1 if dense else MIN_WIDE_STEPS):
        return 0.0
    usual = sorted(steps)[len(steps) // 2]
    alike = sum(abs(step - usual) < 0.1 * usual for step in steps)
    is_wide = MIN_LEADING_EMS * lines[0].size < usual < MAX_LEADING_EMS * lines[0].size
    return usual if is_wide and alike >= MIN_ALIKE_SHARE * len(steps) else 0.0


def paragraph_text(lines: Sequence[str]) -> str:
    """Join the lines of a paragraph and rejoin words hyphenated at line ends."""
    text = lines[0].strip()
    for line in lines[1:]:
        text = joined_lines(text, line.strip())
    return text


def words_of(run: TextRun, *, blanks: bool = False) -> list[TextRun]:
    """Return the words of a run as runs, with the ``blanks`` after them or without, or the run itself if it is one."""
    words = run.words
    if not words or len(words) < 2:
        return [run]
    last = words[-1]
    return [
        TextRun(
            word.text if word is last else word.text + " ",
            word.x,
            word.y,
            word.x + word.width,
            word.y + word.height,
            run.size,
            run.bold,
            run.italic,
            run.angle,
            None,
            run.baseline,
            run.style,
            run.content_id,
            run.mark,
        )
        for word in words
        if word.text
    ]


def split_at_gaps(segment: Segment) -> list[Segment]:
    """Split a segment where its words are as far apart as table cells. Only for tables: it is slow, word by word."""
    if segment.block is not None or not segment.runs or " " not in segment.text:
        return [segment]
    if len(segment.runs) == 1 and _is_dense(segment.runs[0]):
        return [segment]
    words = [word for run in segment.runs for word in words_of(run)]
    words.sort(key=lambda word: word.x0)
    pieces = [[words[0]]]
    for previous, word in itertools.pairwise(words):
        numbers = previous.text.rstrip()[-1:].isdigit() and word.text[:1].isdigit()
        if word.x0 - previous.x1 > (MIN_NUMBER_GAP_EMS if numbers else MIN_CELL_GAP_EMS) * max(
            word.size, previous.size
        ):
            pieces.append([word])
        else:
            pieces[-1].append(word)
    return [segment] if len(pieces) == 1 else [_segment(piece) for piece in pieces]


def _is_dense(run: TextRun) -> bool:
    """Return True if the words of a run follow each other from the left with gaps that part no cells."""
    limit = MIN_NUMBER_GAP_EMS * run.size
    return all(
        before.x <= word.x <= before.x + before.width + limit for before, word in itertools.pairwise(run.words or ())
    )


def box_around(parts: Sequence[Spanned]) -> Box:
    """Return the box around runs or segments."""
    return Box(
        round(min([part.x0 for part in parts]), 2),
        round(min([part.top for part in parts]), 2),
        round(max([part.x1 for part in parts]), 2),
        round(max([part.bottom for part in parts]), 2),
    )
