"""Find blocks of program code: whole lines in a font of fixed pitch, with their line ends and their indentation.

A typewriter wrote letters, forms and tables too, so lines of fixed pitch that read as prose or as a table are no code,
and on a page that is all of fixed pitch the lines have to look like code.
"""

from __future__ import annotations

import itertools
import re
import statistics
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.layout.text.fixed_pitch import fixed_fonts
from apps.pages.layout.text.lines import baseline_of, rows_of
from apps.pages.model.blocks import Block, BlockType, Line
from apps.pages.model.geometry import Box, union
from apps.pages.model.raw_page import TextRun, WordBox
from apps.pages.model.text import scripts

# A page with this share of its letters in fixed pitch is typewritten.
MIN_TYPEWRITTEN_SHARE = 0.75
# A line of code may have this share of its letters in other fonts.
MAX_FOREIGN_SHARE = 0.25
# A gap this wide, in ems, may be a gutter between two columns, if the lines near it leave this much of it free.
MIN_GUTTER_EMS, MIN_FREE_EMS = 2.5, 1.6
GUTTER_REACH_POINTS = 60.0
# The next line of a block is within this many line heights; a larger step means blank lines inside it.
MAX_STEP_HEIGHTS = 3.4
MAX_BLANK_LINES = 3
# The second half of a block may be indented by at most this many letters.
MAX_SHIFT_LETTERS = 24
MAX_SIZE_RATIO = 1.08
# Fonts of Chinese and Japanese have one width by nature.
MAX_EAST_ASIAN_SHARE = 0.4
# The label of a value that is typed into a form, by its length and by how far the two baselines may differ.
MAX_LABEL_LETTERS = 32
MAX_LABEL_SHIFT_EMS = 0.25
MIN_TABLE_GAP_LETTERS = 2.5
_SIGNS = re.compile(r"[{}\[\];=<>_#\\|&*`@~]|\w\(|\)\W*$|[\"'].*[\"']|::|->|:$|^\$ |^[ ]*(?://|--\w)")
_ADDRESSES = re.compile(r"[\w.{},+-]+@[\w.-]+|(?:https?://|www\.|doi:)\S+|[\w-]+(?:\.[\w-]+)+(?:/\S*)?", re.IGNORECASE)


class CodeLine(msgspec.Struct, gc=False):
    """A line in fixed pitch. ``beside``: there is a short text of another font on its baseline."""

    runs: list[TextRun]
    x0: float
    top: float
    x1: float
    bottom: float
    size: float
    baseline: float
    beside: bool = False


def code_blocks(runs: Sequence[TextRun]) -> tuple[list[Block], list[TextRun]]:
    """Return the blocks of code among the upright runs of a page, and the runs that are in none of them."""
    fonts = fixed_fonts(runs)
    if not fonts:
        return [], list(runs)
    fixed = sum(len(run.text) for run in runs if run.style.font in fonts)
    total = sum(len(run.text) for run in runs)
    letters: Counter[float] = Counter()
    for run in runs:
        if run.style.font not in fonts:
            letters[round(run.size, 1)] += len(run.text)
    body_size = max(letters, key=lambda size: letters[size], default=0.0)
    lines, others = _code_lines(runs, fonts)
    blocks: list[Block] = []
    taken: set[int] = set()
    for region in _regions(lines, others):
        if _is_code(region, others, body_size, fonts, is_typewritten=fixed >= MIN_TYPEWRITTEN_SHARE * total):
            blocks.append(_block(region, fonts))
            taken.update(id(run) for line in region for run in line.runs)
    return blocks, [run for run in runs if id(run) not in taken]


def _code_lines(runs: Sequence[TextRun], fonts: frozenset[str]) -> tuple[list[CodeLine], list[CodeLine]]:
    """Return the lines in fixed pitch, and the other lines, both from the top."""
    lines: list[CodeLine] = []
    others: list[CodeLine] = []
    for row in rows_of(runs):
        parts = [[row[0]]]
        for previous, run in itertools.pairwise(row):
            gap = run.x0 - previous.x1
            if gap > MIN_GUTTER_EMS * max(run.size, previous.size) and _is_gutter(previous, run, runs):
                parts.append([run])
            else:
                parts[-1].append(run)
        kinds = [_is_fixed(part, fonts) for part in parts]
        for part, is_fixed in zip(parts, kinds, strict=True):
            line = CodeLine(
                part,
                min(run.x0 for run in part),
                min(run.top for run in part),
                max(run.x1 for run in part),
                max(run.bottom for run in part),
                max(part, key=lambda run: len(run.text)).size,
                baseline=baseline_of(part[0]),
                beside=is_fixed and not all(kinds) and _is_labelled(part, parts, fonts),
            )
            (lines if is_fixed else others).append(line)
    return _with_line_numbers(lines, others, fonts)


def _with_line_numbers(
    lines: list[CodeLine], others: list[CodeLine], fonts: frozenset[str]
) -> tuple[list[CodeLine], list[CodeLine]]:
    """Return both lists; lone numbers below those before lines of code count as empty lines of the code."""
    edges = [line.runs[0].x1 for line in lines if _is_number(line.runs[0]) and line.runs[0].style.font not in fonts]
    if len(edges) < 2:
        return lines, others
    alone = [
        line
        for line in others
        if len(line.runs) == 1 and _is_number(line.runs[0]) and any(abs(line.x1 - edge) < 2.0 for edge in edges)
    ]
    taken = set(map(id, alone))
    for line in alone:
        line.size = min(lines, key=lambda other: abs(other.top - line.top)).size
    lines = sorted([*lines, *alone], key=lambda line: line.baseline)
    return lines, [line for line in others if id(line) not in taken]


def _is_number(run: TextRun) -> bool:
    return run.text.strip().isdigit()


def _is_fixed(part: Sequence[TextRun], fonts: frozenset[str]) -> bool:
    """Return True if a line begins in fixed pitch and most of it is."""
    first = next((run for run in part if not run.text.strip().isdigit()), part[0])
    if first.style.font not in fonts:
        return False
    foreign = sum(len(run.text) for run in part if run.style.font not in fonts)
    return foreign <= MAX_FOREIGN_SHARE * sum(len(run.text) for run in part)


def _is_labelled(part: Sequence[TextRun], parts: Sequence[Sequence[TextRun]], fonts: frozenset[str]) -> bool:
    """Return True if a short text of another font is on the baseline of a line: the label of a form, or a cell."""
    return any(
        abs(baseline_of(other[0]) - baseline_of(part[0])) < MAX_LABEL_SHIFT_EMS * part[0].size
        and sum(len(run.text) for run in other) <= MAX_LABEL_LETTERS
        for other in parts
        if other is not part and not _is_fixed(other, fonts)
    )


def _is_gutter(left: TextRun, right: TextRun, runs: Sequence[TextRun]) -> bool:
    """Return True if the lines near the gap between two runs leave a part of it free."""
    top, bottom = left.top - GUTTER_REACH_POINTS, left.bottom + GUTTER_REACH_POINTS
    near = [run for run in runs if run.bottom > top and run.top < bottom and run.x1 > left.x1 and run.x0 < right.x0]
    x, width = left.x1, MIN_FREE_EMS * right.size
    for x0, x1 in sorted((run.x0, run.x1) for run in near):
        if x0 - x >= width:
            return True
        x = max(x, x1)
    return right.x0 - x >= width


def _regions(lines: Sequence[CodeLine], others: Sequence[CodeLine]) -> list[list[CodeLine]]:
    """Return the lines of fixed pitch in groups that follow each other without other text between them."""
    regions: list[list[CodeLine]] = []
    for line in lines:
        for region in reversed(regions):
            last = region[-1]
            x0, x1 = min(part.x0 for part in region), max(part.x1 for part in region)
            if line.x0 > x1 + 4 * line.size or line.x1 < x0 - 4 * line.size:
                continue
            step = line.baseline - last.baseline
            if step <= MAX_STEP_HEIGHTS * (last.bottom - last.top) and abs(line.size - last.size) < 0.06 * last.size:
                left, right = min(x0, line.x0), max(x1, line.x1)
                between = any(
                    last.bottom < (other.top + other.bottom) / 2 < line.top and other.x0 < right and other.x1 > left
                    for other in others
                )
                if not between:
                    region.append(line)
                    break
        else:
            regions.append([line])
    return regions


def _is_code(
    region: Sequence[CodeLine],
    others: Sequence[CodeLine],
    body_size: float,
    fonts: frozenset[str],
    *,
    is_typewritten: bool,
) -> bool:
    texts = [" ".join(run.text.strip() for run in line.runs) for line in region]
    if sum(map(scripts.is_unspaced, "".join(texts))) > MAX_EAST_ASIAN_SHARE * sum(map(len, texts)):
        return False
    signed = sum(1 for text in texts if _SIGNS.search(text)) / len(texts)
    if body_size and region[0].size > MAX_SIZE_RATIO * body_size and (len(region) < 3 or signed < 0.5):
        return False  # a heading
    if sum(line.beside for line in region) > 0.5 * len(region) or _is_table(region, signed, fonts):
        return False
    if is_typewritten:
        is_indented = len({round(line.x0 / line.size) for line in region}) > 1
        return len(region) >= 3 and signed >= (0.5 if is_indented else 0.7)
    if not any(_ADDRESSES.sub("", text).strip(" ,;|") for text in texts):
        return False
    is_prose = signed < 0.34 and statistics.mean(len(text.split()) for text in texts) >= 6
    return _is_separate(region[0], others) if len(region) == 1 else not is_prose


def _is_separate(line: CodeLine, others: Sequence[CodeLine]) -> bool:
    """Return True if a single line is no line of the paragraph above: it is indented, or the step down is wider."""
    above = [other for other in others if other.x0 < line.x1 and other.x1 > line.x0 and other.top < line.top]
    above = sorted(above, key=lambda other: other.top)[-2:]
    if above and abs(above[-1].x0 - line.x0) < line.size:
        first, last = above[0], above[-1]
        step = last.baseline - first.baseline if len(above) == 2 and first.size == last.size else 0.0
        if line.baseline - last.baseline < 1.12 * max(step if step < 2 * last.size else 0.0, 1.25 * last.size):
            return False
    return any(character.isalpha() for run in line.runs for character in run.text)


def _is_table(region: Sequence[CodeLine], signed: float, fonts: frozenset[str]) -> bool:
    """Return True if after wide gaps most lines have words that begin, or end, where words of other lines do."""
    if len(region) < 2 or signed > 0.5:
        return False
    with_gaps: list[list[WordBox]] = []
    for line in region:
        letter = _advance(line.runs, fonts)
        words = [word for run in line.runs for word in _words(run)]
        with_gaps.append(
            [
                word
                for previous, word in itertools.pairwise(words)
                if word.x - previous.x - previous.width > MIN_TABLE_GAP_LETTERS * letter
            ]
        )
    letter = _advance((run for line in region for run in line.runs), fonts)
    for edge in (0, 1):
        rows = [[round((word.x + edge * word.width) / letter) for word in words] for words in with_gaps]
        places = Counter(place for row in rows for place in row)
        if sum(any(places[place] > 1 for place in row) for row in rows) >= 0.6 * len(region):
            return True
    return False


def _words(run: TextRun) -> list[WordBox]:
    return run.words or [WordBox(run.text.strip(), run.x0, run.top, run.x1 - run.x0, run.bottom - run.top)]


def _advance(runs: Iterable[TextRun], fonts: frozenset[str]) -> float:
    """Return the width of a letter, in points."""
    widths = [(run.x1 - run.x0) / max(1, len(run.text.strip())) for run in runs if run.style.font in fonts]
    return max(0.5, statistics.median(widths)) if widths else 5.0


def _block(region: Sequence[CodeLine], fonts: frozenset[str]) -> Block:
    left = min(line.x0 for line in region)
    letter = _advance((run for line in region for run in line.runs), fonts)
    step = min((b.baseline - a.baseline for a, b in itertools.pairwise(region)), default=0.0)
    step = max(step, 0.8 * region[0].size)
    printed: list[str] = []
    lines: list[Line] = []
    for index, line in enumerate(region):
        if index:
            blank = round((line.baseline - region[index - 1].baseline) / step) - 1
            printed += [""] * min(MAX_BLANK_LINES, max(0, blank))
        printed.append(_spaced(line.runs, left, letter))
        box = Box(round(line.x0, 2), round(line.top, 2), round(line.x1, 2), round(line.bottom, 2))
        lines.append(Line(text=printed[-1], box=box, size=round(line.size, 2)))
    return Block(
        type=BlockType.CODE, box=union(line.box for line in lines), text="\n".join(printed), lines=tuple(lines)
    )


def _spaced(runs: Iterable[TextRun], left: float, letter: float) -> str:
    """Return the text of a line with as many blanks as fit into its gaps."""
    text = ""
    end = left
    is_parted = False
    for run in runs:
        for word in _words(run):
            text += " " * max(int(is_parted), round((word.x - end) / letter)) + word.text
            end = word.x + word.width
            is_parted = True
        is_parted = run.text.endswith(" ")
    return text


def joined_code(first: Block, second: Block) -> Block:
    """Return the code of two pages as one block, with the indentation that their left edges give."""
    letters = [(line.box.width, len(line.text.strip())) for line in first.lines if len(line.text.strip()) > 1]
    pitch = statistics.median(width / count for width, count in letters) if letters else 0.0
    shift = round((second.box.x0 - first.box.x0) / pitch) if pitch > 0 else 0
    if abs(shift) > MAX_SHIFT_LETTERS:
        shift = 0  # another column
    texts = textwrap.indent(first.text, " " * -shift), textwrap.indent(second.text, " " * shift)
    return msgspec.structs.replace(first, text="\n".join(texts))
