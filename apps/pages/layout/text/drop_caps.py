"""Join drop caps with the first word of the paragraph beside them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from apps.pages.layout.text.lines import Spanned, segment_of, segments_of
from apps.pages.model.raw_page import TextRun
from apps.pages.model.segments import Segment

# A drop cap is this many times as large as the text beside it, ...
MIN_SIZE_RATIO = 1.7
# ... one letter, with a quotation mark at most, ...
MAX_LETTERS = 2
# ... beside at least this many lines, the first of which begins within this many ems of the text.
MIN_LINES_BESIDE = 2
MAX_GAP_EMS = 1.5


def segments_with_drop_caps(runs: Sequence[TextRun]) -> list[Segment]:
    """Return the upright runs of a page as segments, with each drop cap joined to the line whose first letter it is."""
    min_size = MIN_SIZE_RATIO * min((run.size for run in runs), default=0.0)
    letters = [run for run in runs if len(run.text) <= MAX_LETTERS + 1 and run.size > min_size]
    by_edge = sorted(runs, key=_left_edge) if letters else []
    caps = [run for run in letters if _lines_beside(run, by_edge)]
    if not caps:
        return segments_of(runs)
    left_out = set(map(id, caps))
    segments = segments_of([run for run in runs if id(run) not in left_out])
    for cap in caps:
        beside = _lines_beside(cap, sorted(segments, key=_left_edge))
        if beside:
            segments[segments.index(beside[0])] = _joined(segment_of(cap), beside)
        else:
            segments.append(segment_of(cap))
    return segments


def _left_edge(line: TextRun | Segment) -> float:
    return line.x0


def _lines_beside(cap: TextRun, lines: Sequence[Spanned]) -> list[Spanned]:
    """Return the lines to the right of a drop cap, from the top; none if it is no drop cap.

    ``lines``: sorted by their left edges, because a page of formulas has thousands of runs, most of them short.
    """
    if not cap.text.strip()[-1:].isalpha():
        return []
    first = bisect_right(lines, cap.x1 - 0.3 * cap.size, key=_left_edge)
    last = bisect_left(lines, cap.x1 + MAX_GAP_EMS * cap.size / MIN_SIZE_RATIO, first, key=_left_edge)
    beside = [
        line
        for line in lines[first:last]
        if line.size * MIN_SIZE_RATIO < cap.size
        and cap.top - 0.5 * line.size < (line.top + line.bottom) / 2 < cap.bottom
        and -0.3 * cap.size < line.x0 - cap.x1 < MAX_GAP_EMS * line.size
    ]
    beside.sort(key=lambda line: line.top)
    return beside if len(beside) >= MIN_LINES_BESIDE and beside[0].text[:1].isalpha() else []


def _joined(cap: Segment, beside: Sequence[Segment]) -> Segment:
    """Return the first line with its drop cap, a word of its own where the line keeps further away than the next."""
    line, following = beside[0], beside[1]
    is_word = line.text[:1].isupper() and not line.text[:2].isupper()
    apart = is_word or line.x0 - following.x0 > 0.15 * line.size
    return Segment(
        text=cap.text + (" " if apart else "") + line.text,
        x0=min(cap.x0, line.x0),
        top=line.top,
        x1=line.x1,
        bottom=line.bottom,
        size=line.size,
        bold=line.bold,
        italic=line.italic,
        runs=[*cap.runs, *(line.runs or ())],
        baseline=line.baseline,
    )
