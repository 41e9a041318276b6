"""Find the runs of a page that are raised or lowered beside larger text, crossed out, or part of a link."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from apps.pages.layout.text.formulas import line_baseline
from apps.pages.model.geometry import Box
from apps.pages.model.raw_page import Mark, RawPage, TextRun, WordBox
from apps.pages.model.text.addresses import is_shown_address
from apps.pages.model.text.shifted_text import shifted

if TYPE_CHECKING:
    import numpy as np

# A raised run is this much smaller than its neighbour, and its baseline is this far above, in ems of the neighbour.
MIN_SHIFTED_SIZE, MAX_SHIFTED_SIZE = 0.35, 0.9
MIN_RAISE_EMS, MAX_RAISE_EMS = 0.15, 0.8
MIN_DROP_EMS, MAX_DROP_EMS = 0.05, 0.5
# Letters of the neighbour's own size are raised by a text rise, which is larger.
MIN_RISE_EMS, MAX_RISE_EMS = 0.25, 0.6
# A shifted run touches its neighbour; digits and signs may have a narrow blank before them.
MAX_OVERLAP_EMS, MAX_LETTER_GAP_EMS, MAX_SIGN_GAP_EMS = 0.35, 0.22, 0.45
MAX_WORD_GAP_EMS = 0.1
MAX_SHIFTED_CHARACTERS, MAX_SHIFTED_LETTERS = 24, 4
MIN_LETTER_SIZE = 0.5
# Runs of this length are compared with text elsewhere in the file; more of them on a page are the labels of a drawing.
MAX_APART_CHARACTERS, MAX_SMALL_RUNS = 5, 150
# A line strikes out a word between these heights over its baseline, in ems, when it covers this share of it.
MIN_STRIKE_EMS, MAX_STRIKE_EMS = 0.12, 0.5
MIN_COVERED_SHARE = 0.6
MIN_STRUCK_EMS, MAX_STRIKE_BREAK_POINTS = 0.3, 1.0
MAX_STRIKE_THICKNESS_POINTS = 2.5
# A line that goes on beyond the text of its line by this much, in ems, belongs to something else.
MAX_STRIKE_EXCESS_EMS = 0.6
# A run reaches this far out of what covers all of it, in ems.
MAX_EXCESS_EMS = 0.2
# More lines than this on a page are a drawing.
MAX_STRIKES = 500
NO_MARK, STRUCK = Mark(), Mark(struck=True)
_EDGES = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)


def mark_runs(raw: RawPage) -> None:
    """Mark the runs of a page, in place; runs are cut at words where a mark begins or ends inside of them.

    The lines that strike out text leave ``rulings``, because they belong to no table.
    """
    mark_shifted(raw.runs)
    _mark_covered(raw)


def mark_shifted(runs: Sequence[TextRun]) -> None:
    """Mark what is raised or lowered beside larger text, and write it in such characters."""
    base: TextRun | None = None
    right = 0.0
    last = len(runs) - 1
    for index, run in enumerate(runs):
        if run.baseline is None:
            base = None
            continue
        if base is not None and run.baseline != base.baseline and run.x0 - right < MAX_SIGN_GAP_EMS * base.size:
            level = _level(run, base, run.x0 - right, run.x0 - base.x1)
            if level:
                if index < last and _is_inside_word(base, run, runs[index + 1]):
                    run.mark = NO_MARK
                else:
                    _shift(run, level, base, right)
                right = max(right, run.x1)
                continue
        if index < last and runs[index + 1].size > run.size:
            following = runs[index + 1]
            level = _level(run, following, following.x0 - run.x1, following.x0 - run.x1)
            if level:
                _shift(run, level, following)
        base, right = run, run.x1
    _mark_apart(runs)


def _mark_apart(runs: Sequence[TextRun]) -> None:
    """Mark small runs beside text that is elsewhere in the file, as programs write it that draw all exponents last."""
    import numpy as np

    usual = max(runs, key=lambda run: len(run.text)).size if runs else 0.0
    small = [
        run
        for run in runs
        if (run.size < MAX_SHIFTED_SIZE * usual or run.style.mathematics)
        and len(run.text) <= MAX_APART_CHARACTERS
        and run.mark is None
        and run.baseline is not None
    ]
    if not 0 < len(small) <= MAX_SMALL_RUNS:
        return
    known = [run for run in runs if run.baseline is not None and run.mark is None]
    x1, size, baseline = np.array([(run.x1, run.size, run.baseline) for run in known]).T
    for run in sorted(small, key=lambda run: run.x0):
        gap, up = run.x0 - x1, np.abs(baseline - run.baseline)
        near = (run.size < MAX_SHIFTED_SIZE * size) & (gap < MAX_SIGN_GAP_EMS * size) & (up < MAX_RAISE_EMS * size)
        near &= gap > -MAX_OVERLAP_EMS * size
        for number in np.flatnonzero(near).tolist():
            base = known[number]
            level = _level(run, base, float(gap[number]), run.x0 - base.x1)
            if level:
                _shift(run, level, base, float(x1[number]))
                x1[number] = max(x1[number], run.x1)
                break


def _is_inside_word(base: TextRun, run: TextRun, following: TextRun) -> bool:
    """Return True for a letter of a word or logo, whose letters are at different heights."""
    if run.style.mathematics or not (run.text.isalpha() and base.text[-1].isalpha() and following.text[:1].isalpha()):
        return False
    if following.baseline is None or base.baseline is None:
        return False
    is_level = abs(following.baseline - base.baseline) < MIN_DROP_EMS * base.size
    return is_level and following.x0 - run.x1 < MAX_WORD_GAP_EMS * base.size


def _shift(run: TextRun, level: int, base: TextRun, right: float = math.inf) -> None:
    """Mark a run beside ``base``, whose last mark ends at ``right``.

    Its text gets Unicode's raised or lowered characters, so that a number keeps its meaning anywhere.
    """
    text = run.text.rstrip()
    run.mark = Mark(level)
    run.text = shifted(text, raised=level > 0, formula=run.style.mathematics) + run.text[len(text) :]
    run.words = None
    # It is read with the line of its base, and without a blank where the file has none.
    run.top, run.bottom = base.top, base.bottom
    if run.x0 > right and not base.text.endswith(" "):
        run.x0 = right


def _level(run: TextRun, base: TextRun, gap: float, distance: float) -> int:
    """Return 1 if a run is raised beside ``base``, -1 if it is lowered, 0 if it is neither.

    ``gap``: the points to the last run beside ``base``; ``distance``: to ``base`` itself.
    """
    em = base.size
    text = run.text.strip()
    if not text or distance < -MAX_OVERLAP_EMS * em or len(text) > MAX_SHIFTED_CHARACTERS:
        return 0
    baseline = line_baseline(base)
    if run.baseline is None or baseline is None or run.angle != base.angle:
        return 0
    letters = sum(map(str.isalpha, text))
    ratio, up = run.size / em, (baseline - run.baseline) / em
    if letters > MAX_SHIFTED_LETTERS or gap > (MAX_LETTER_GAP_EMS if letters else MAX_SIGN_GAP_EMS) * em:
        return 0
    if ratio > MAX_SHIFTED_SIZE:
        is_short = len(text) <= MAX_SHIFTED_LETTERS and gap < MAX_LETTER_GAP_EMS * em and ratio < 1 / MAX_SHIFTED_SIZE
        risen = MIN_RISE_EMS <= abs(up) <= MAX_RISE_EMS
        return int(math.copysign(1, up)) if is_short and risen and not base.text.endswith(" ") else 0
    if ratio < (MIN_LETTER_SIZE if letters else MIN_SHIFTED_SIZE):
        return 0
    if MIN_RAISE_EMS <= up <= MAX_RAISE_EMS:
        return 1
    return -1 if MIN_DROP_EMS <= -up <= MAX_DROP_EMS else 0


def _mark_covered(raw: RawPage) -> None:
    """Mark what links, lines and notes cover."""
    import numpy as np

    links = [link for link in raw.links if is_shown_address(link.url)]
    lines = [line for line in raw.rulings if line.bottom - line.top <= MAX_STRIKE_THICKNESS_POINTS]
    if not raw.runs or not (lines or links or raw.struck):
        return
    edges = np.array([(run.x0, run.top, run.x1, run.bottom, run.size, run.baseline or 0.0) for run in raw.runs])
    struck = _struck_rows(edges, lines) if 0 < len(lines) <= MAX_STRIKES else []
    covered = [(box, rows, STRUCK) for box, rows, _ in struck]
    covered += [(box, _rows_in(edges, box), STRUCK) for box in raw.struck]
    covered += [(link.box, _rows_in(edges, link.box), Mark(url=link.url)) for link in links]
    pieces: dict[int, list[TextRun]] = {}
    for box, rows, mark in covered:
        for row in rows:
            pieces[row] = [part for run in pieces.get(row, [raw.runs[row]]) for part in _marked(run, box, mark)]
    if pieces:
        used = {id(line) for _, _, parts in struck for line in parts}
        raw.rulings = [line for line in raw.rulings if id(line) not in used]
        raw.runs = [part for row, run in enumerate(raw.runs) for part in pieces.get(row, (run,))]


def _struck_rows(edges: np.ndarray, lines: Sequence[Box]) -> list[tuple[Box, list[int], list[Box]]]:
    """Return each line that strikes out text, with the numbers of the runs it goes through and its parts."""
    import numpy as np

    x0, _, x1, _, size, baseline = edges.T
    left, top, right, bottom = np.array([(line.x0, line.top, line.x1, line.bottom) for line in lines]).T
    height = baseline - ((top + bottom) / 2)[:, None]
    near = (height > MIN_STRIKE_EMS * size) & (height < MAX_STRIKE_EMS * size)
    near &= (x1 > left[:, None]) & (x0 < right[:, None])
    crossing = [lines[number] for number in np.flatnonzero(near.any(axis=1)).tolist()]
    found = []
    for line, parts in _merged(crossing):
        height = baseline - line.middle
        through = (height > MIN_STRIKE_EMS * size) & (height < MAX_STRIKE_EMS * size)
        through &= np.minimum(x1, line.x1) - np.maximum(x0, line.x0) > MIN_STRUCK_EMS * size
        rows = np.flatnonzero(through)
        if not len(rows):
            continue
        slack = MAX_STRIKE_EXCESS_EMS * float(size[rows].max())
        if line.x0 >= x0[rows].min() - slack and line.x1 <= x1[rows].max() + slack:
            found.append((line, rows.tolist(), parts))
    return found


def _merged(lines: Sequence[Box]) -> list[tuple[Box, list[Box]]]:
    """Return lines with those that go on where they end, as programs draw them word by word; each with its parts."""
    merged: list[tuple[Box, list[Box]]] = []
    for line in sorted(lines, key=lambda line: (round(line.middle), line.x0)):
        last = merged[-1][0] if merged else None
        goes_on = last is not None and line.x0 - last.x1 < MAX_STRIKE_BREAK_POINTS
        if last is not None and goes_on and abs(line.middle - last.middle) < MAX_STRIKE_BREAK_POINTS:
            merged[-1] = Box(last.x0, last.top, max(last.x1, line.x1), last.bottom), [*merged[-1][1], line]
        else:
            merged.append((line, [line]))
    return merged


def _rows_in(edges: np.ndarray, box: Box) -> list[int]:
    """Return the numbers of the runs of which a box covers a part, and whose middle is inside of its height."""
    import numpy as np

    middle = (edges[:, 1] + edges[:, 3]) / 2
    inside = (middle > box.top) & (middle < box.bottom) & (edges[:, 0] < box.x1) & (edges[:, 2] > box.x0)
    rows: list[int] = np.flatnonzero(inside).tolist()
    return rows


def _marked(run: TextRun, box: Box, added: Mark) -> list[TextRun]:
    """Return a run cut into the parts before, inside and after a box, with the part inside marked."""
    old = run.mark or NO_MARK
    mark = Mark(old.level, old.struck or added.struck, old.url or added.url)
    if run.x0 >= box.x0 - MAX_EXCESS_EMS * run.size and run.x1 <= box.x1 + MAX_EXCESS_EMS * run.size:
        return [msgspec.structs.replace(run, mark=mark)]
    if run.words and run.words[0].x > run.words[-1].x:
        return [run]  # its words are not in the order of its text
    words = [part for word in _words(run) for part in _cut(word, box)]
    covered = [min(w.x + w.width, box.x1) - max(w.x, box.x0) > MIN_COVERED_SHARE * w.width for w in words]
    if not any(covered):
        return [run]
    first, end = covered.index(True), len(covered) - covered[::-1].index(True)
    parts = (words[:first], run.mark), (words[first:end], mark), (words[end:], run.mark)
    return [_part(run, part, kept) for part, kept in parts if part]


def _words(run: TextRun) -> list[WordBox]:
    """Return the words of a run, each with the blank after it."""
    words = run.words or [WordBox(run.text.rstrip(), run.x0, run.top, run.x1 - run.x0, run.bottom - run.top)]
    last = len(words) - 1
    return [
        WordBox(f"{word.text} " if index < last or run.text[-1:].isspace() else word.text, *_place(word))
        for index, word in enumerate(words)
    ]


def _place(word: WordBox) -> tuple[float, float, float, float]:
    return word.x, word.y, word.width, word.height


def _cut(word: WordBox, box: Box) -> list[WordBox]:
    """Return a word without the punctuation around it, if the box covers only a part: the comma after a link."""
    share = (min(word.x + word.width, box.x1) - max(word.x, box.x0)) / max(word.width, 0.1)
    found = _EDGES.fullmatch(word.text)
    if not 0 < share < 1 or found is None or not found.group(2):
        return [word]
    letter = word.width / len(word.text.rstrip())
    parts, x = [], word.x
    for text in filter(None, found.groups()):
        width = letter * len(text.rstrip())
        parts.append(WordBox(text, x, word.y, width, word.height))
        x += width
    return parts


def _part(run: TextRun, words: Sequence[WordBox], mark: Mark | None) -> TextRun:
    last = words[-1]
    return msgspec.structs.replace(
        run,
        text="".join([word.text for word in words]),
        x0=words[0].x,
        x1=last.x + last.width,
        words=[WordBox(word.text.rstrip(), *_place(word)) for word in words] if len(words) > 1 else None,
        mark=mark,
    )
