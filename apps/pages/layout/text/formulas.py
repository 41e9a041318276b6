"""Formulas: signs above and below each other on one line, such as fractions, sums and matrices, in the file's order.

A program draws a line from left to right. Where its pen leaves the baseline and comes back to it, what it drew in
between belongs to the line, however many rows it has. So does a stack at the end with rows above and below.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from apps.pages.model.raw_page import TextRun

# The pen is on the baseline of a line within this distance, and away from it by no more than this.
MAX_BASELINE_SHIFT_EMS, MAX_AWAY_EMS = 0.12, 3.0
MAX_SIZE_CHANGE = 0.1
# What follows begins this near to the end of what is before it.
MAX_STEP_BACK_EMS, MAX_GAP_EMS = 0.5, 1.2
# Raised and lowered signs are no further from the baseline.
MAX_SIGN_SHIFT_EMS = 0.5
# Rows of a stack at the end of a line are this far above and below its baseline.
MIN_STACK_EMS = 0.3
# Longer small text is a line of its own.
MAX_SIGN_CHARACTERS = 24
# Signs before the first run on the baseline are no wider than this.
MAX_LEADING_EMS = 4.0
MAX_AWAY_RUNS, MAX_LINE_RUNS = 80, 800
# TeX's fonts of tall signs hang them from their baseline; the one of the line is this much lower.
HANGING_EMS = 0.75
_HANGING_FONT = re.compile(r"(?:cm|lm|tx|px|math)ex(?:\d|$)|mathextension", re.IGNORECASE)
_WITH_LIMITS = frozenset("∑∏∐∫∮⋃⋂⊎⊔⊓∧∨⊙⊕⊗")


def formula_lines(runs: Sequence[TextRun]) -> list[list[TextRun]]:
    """Return the lines with a formula of several rows, each as its runs in the order of the file.

    A blank is added to the text of a run before the next row.
    """
    if not any(run.style.mathematics for run in runs):
        return []
    lines: list[list[TextRun]] = []
    taken, at = 0, 0
    while at < len(runs):
        end = _end_of_line(runs, at)
        if end > at + 1:
            start = _start_of_line(runs, at, taken)
            line = runs[start:end]
            is_shifted = any(abs(_shift(run, runs[at])) > MAX_SIGN_SHIFT_EMS for run in line)
            if is_shifted and any(run.style.mathematics for run in line):
                lines.append(_with_numerators_first(line, runs[at]))
                taken = end
        at = end
    for line in lines:
        for run, following in itertools.pairwise(line):
            is_marked = (run.mark is not None and run.mark.level) or (following.mark and following.mark.level)
            if not is_marked and abs(_shift(following, run)) > MAX_SIGN_SHIFT_EMS and run.text[-1:] != " ":
                run.text += " "
    return lines


def line_baseline(run: TextRun) -> float | None:
    """Return the baseline of the line that a run is on; None for tall brackets, beside which nothing is raised."""
    if run.baseline is None or not run.style.mathematics or not _HANGING_FONT.search(run.style.font):
        return run.baseline
    return run.baseline + HANGING_EMS * run.size if run.text.strip() in _WITH_LIMITS else None


def _with_numerators_first(line: Sequence[TextRun], first: TextRun) -> list[TextRun]:
    """Return the runs of a line, what is above the baseline before what is below it in the same place."""
    parts = [(side, list(part)) for side, part in itertools.groupby(line, lambda run: _side(run, first))]
    for at, ((side, part), (other, following)) in enumerate(itertools.pairwise(parts)):
        overlaps = following[0].x0 < part[-1].x1 and part[0].x0 < following[-1].x1
        if (side, other) == (1, -1) and overlaps:
            parts[at : at + 2] = [(other, following), (side, part)]
    return [run for _, part in parts for run in part]


def _side(run: TextRun, first: TextRun) -> int:
    """Return -1 for a row above the baseline of ``first``, 1 for one below it, 0 for what is on it or beside it."""
    shift = _shift(run, first)
    return 0 if abs(shift) <= MAX_SIGN_SHIFT_EMS else -1 if shift < 0 else 1


def _shift(run: TextRun, first: TextRun) -> float:
    """Return how far below the baseline of ``first`` a run is, in ems; infinite for slanted text."""
    if run.baseline is None or first.baseline is None or run.angle != first.angle:
        return float("inf")
    return (run.baseline - first.baseline) / max(first.size, 1.0)


def _is_sign(run: TextRun, first: TextRun) -> bool:
    """Return True for a sign, or small text, that is further from the baseline than a raised or lowered one."""
    is_small = run.size < (1 - MAX_SIZE_CHANGE) * first.size and len(run.text) <= MAX_SIGN_CHARACTERS
    return (is_small or run.style.mathematics) and abs(_shift(run, first)) > MAX_SIGN_SHIFT_EMS


def _end_of_line(runs: Sequence[TextRun], start: int) -> int:
    """Return the place after the last run of the line whose baseline is that of the run at ``start``."""
    first = runs[start]
    size, right = first.size, first.x1
    end, inner = start + 1, right
    last = min(len(runs), start + MAX_LINE_RUNS)
    for place in range(start + 1, last):
        run = runs[place]
        is_alike = abs(run.size - first.size) <= MAX_SIZE_CHANGE * first.size
        if is_alike and abs(_shift(run, first)) <= MAX_BASELINE_SHIFT_EMS:
            if not -MAX_STEP_BACK_EMS * size <= run.x0 - inner <= MAX_GAP_EMS * size:
                break
            inner = right = max(inner, run.x1)
            end = place + 1
        elif (
            abs(_shift(run, first)) > MAX_AWAY_EMS
            or run.x0 < (first.x0 if _is_sign(run, first) else right) - MAX_STEP_BACK_EMS * size
            or place - end > MAX_AWAY_RUNS
            or run.x0 > inner + MAX_GAP_EMS * size
        ):
            break
        else:
            inner = max(inner, run.x1)
            continue
    else:
        place = last
    stack = list(itertools.takewhile(lambda run: run.x0 >= right - MAX_STEP_BACK_EMS * size, runs[end:place]))
    shifts = [_shift(run, first) for run in stack]
    is_stack = bool(shifts) and min(shifts) < -MIN_STACK_EMS and max(shifts) > MIN_STACK_EMS
    return end + len(stack) if is_stack else end


def _start_of_line(runs: Sequence[TextRun], at: int, taken: int) -> int:
    """Return the place of the first sign that was drawn before the run at ``at`` and belongs to its line."""
    first = runs[at]
    left, start = first.x0, at
    for place in range(at - 1, taken - 1, -1):
        run = runs[place]
        away = abs(_shift(run, first))
        if (
            away > MAX_AWAY_EMS
            or not _is_sign(run, first)
            or not first.x0 - MAX_LEADING_EMS * first.size <= run.x0 <= first.x0
            or run.x1 < left - MAX_GAP_EMS * first.size
            or run.x1 > first.x0 + MAX_STEP_BACK_EMS * first.size
        ):
            break
        left = min(left, run.x0)
        start = place
    return start
