"""Rebuild lines of Hebrew, Arabic and Persian from their characters: files place them in the order of display.

From the right edge to the left the letters are in reading order; numbers, Latin words and what belongs to them are
turned again. This inverts the Unicode bidirectional algorithm (UAX 9, rules W1-W7 and N0-N2) for paragraphs that run to
the left and have no embeddings.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.layout.rotated_pages import is_upright
from apps.pages.layout.text import bidirectional
from apps.pages.layout.text.lines import MAX_BLANK_GAP_EMS, MAX_JOIN_GAP_EMS, rows_of
from apps.pages.model.raw_page import Char, TextRun, WordBox
from apps.pages.model.text import scripts

# A gap between two letters wider than this, in ems, is a space that the file omits, ...
MIN_SPACE_EMS = 0.17
# ... and this wide on a page whose spaces are in the file.
MIN_SPACE_BESIDE_BLANKS_EMS = 0.35
MIN_BLANK_POINTS = 0.3
# The gap of a blank of no width is below this, in ems.
MAX_NO_ROOM_EMS = 0.06
_NON_JOINER = "\u200c"
# Letters of the languages that write it: Persian, Kurdish, Urdu and others.
_WITH_NON_JOINERS = frozenset("پچژگکی")
_ALEFS = "اأإآٱ"
_LAM = "ل"


class Cluster(msgspec.Struct):
    """Characters in reading order that share a place: a letter and its marks, or the parts of a ligature."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.x0 + self.x1) / 2


def rebuild_runs(runs: Sequence[TextRun], chars: Iterable[Char]) -> list[TextRun]:
    """Return the runs of a page with the text of each line in reading order.

    Rows from the left and turned text are unchanged. ``chars``: those of the page with its blanks, in the order of the
    file.
    """
    rows = rows_of([run for run in runs if is_upright(run)])
    bands = [(min(run.top for run in row), max(run.bottom for run in row)) for row in rows]
    clusters = _clusters(filter(is_upright, chars))
    spaced = any(cluster.text == " " and _is_drawn(cluster) for cluster in clusters)
    inside: list[list[Cluster]] = [[] for _ in rows]
    for cluster in clusters:
        middle = (cluster.top + cluster.bottom) / 2
        level = [i for i, (top, bottom) in enumerate(bands) if top - 2 <= middle <= bottom + 2]
        # Lines of two columns may overlap, so a letter goes to the nearest row that has text at its place.
        here = level
        if len(level) > 1:
            at = cluster.middle
            here = [i for i in level if any(run.x0 - run.size <= at <= run.x1 + run.size for run in rows[i])]
        if level:
            inside[min(here or level, key=lambda i: abs(sum(bands[i]) - 2 * middle))].append(cluster)
    result = [run for run in runs if not is_upright(run)]
    whole = "".join(cluster.text for cluster in clusters)
    rtl_page = scripts.is_rtl(whole)
    joint = "" if _WITH_NON_JOINERS.isdisjoint(whole) else _NON_JOINER
    for row, found in zip(rows, inside, strict=True):
        text = "".join(cluster.text for cluster in found)
        if not scripts.has_rtl(text):
            result += row
            continue
        result += _runs(row, found, joint, spaced=spaced, rtl_page=rtl_page)
        # Characters of a line of another column may have been nearer to the row below.
        words = [run for run in row if any(map(str.isalnum, run.text))]  # marks went with their letters
        result += [run for run in words if not any(run.x0 < cluster.middle < run.x1 for cluster in found)]
    return result


def _clusters(chars: Iterable[Char]) -> list[Cluster]:
    """Return the characters with those of one place together, and marks with the letters below or above them."""
    clusters: list[Cluster] = []
    groups: list[list[Char]] = []
    for char in chars:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and (char.x0, char.x1, char.top) == (last.x0, last.x1, last.top)
            and not char.text.isspace()
        ):
            groups[-1].append(char)
        else:
            groups.append([char])
    backward = _are_backward(groups)
    marks: list[Cluster] = []
    for group in groups:
        first = group[0]
        text = "".join(char.text for char in (reversed(group) if backward else group))
        cluster = Cluster(" " if text.isspace() else text, first.x0, first.top, first.x1, first.bottom)
        is_mark = all(unicodedata.category(character) == "Mn" for character in text)
        (marks if is_mark else clusters).append(cluster)
    return _with_marks(clusters, marks) if marks else clusters


def _are_backward(groups: Sequence[Sequence[Char]]) -> bool:
    """Return True if ligatures come last letter first: there is one of lam and alef, and none of alef and lam."""
    order = 0
    for group in groups:
        for left, right in itertools.pairwise(group):
            order += (left.text == _LAM and right.text in _ALEFS) - (left.text in _ALEFS and right.text == _LAM)
    return order < 0


def _with_marks(clusters: list[Cluster], marks: Sequence[Cluster]) -> list[Cluster]:
    """Return the clusters, each followed by the marks whose middle is over it."""
    for mark in marks:
        level = [c for c in clusters if c.text != " " and c.top - 2 <= (mark.top + mark.bottom) / 2 <= c.bottom + 2]
        base = min(level, key=lambda c: max(c.x0 - mark.middle, mark.middle - c.x1, 0.0), default=None)
        if base is None:
            clusters.append(mark)
        else:
            base.text += mark.text
    return clusters


def _runs(
    row: Sequence[TextRun], clusters: list[Cluster], joint: str, *, spaced: bool, rtl_page: bool
) -> list[TextRun]:
    """Return the clusters of a row as runs, parted where the gap is wide; the style is that of the nearest run."""
    clusters.sort(key=lambda cluster: -cluster.middle)
    stretches: list[list[Cluster]] = []
    edge, blank = 0.0, False
    for cluster in clusters:
        if cluster.text == " ":
            blank = True
            if stretches:
                stretches[-1].append(cluster)
            continue
        nearest = min(row, key=lambda run: max(run.x0 - cluster.middle, cluster.middle - run.x1, 0.0))
        max_gap = (MAX_BLANK_GAP_EMS if blank else MAX_JOIN_GAP_EMS) * nearest.size
        if not stretches or edge - cluster.x1 > max_gap:
            stretches.append([])
            edge = cluster.x0
        stretches[-1].append(cluster)
        edge, blank = min(edge, cluster.x0), False
    result: list[TextRun] = []
    for stretch in stretches:
        result += _rightward(row, stretch, rtl_page=rtl_page) or [_run(row, stretch, joint, spaced=spaced)]
    return result


def _rightward(row: Sequence[TextRun], stretch: Sequence[Cluster], *, rtl_page: bool) -> list[TextRun]:
    """Return the runs of a stretch written to the right, such as a line of another column; none if it is written to the
    left. On a page that is mainly so, ``rtl_page``, only a stretch of Latin letters alone is written to the right."""
    text = "".join(cluster.text for cluster in stretch)
    if scripts.leans_rtl(text) or (rtl_page and (scripts.has_rtl(text) or not any(map(str.isalpha, text)))):
        return []
    x0, x1 = min(cluster.x0 for cluster in stretch), max(cluster.x1 for cluster in stretch)
    runs = [run for run in row if run.x0 < x1 and run.x1 > x0]
    return runs if all(run.x0 > x0 - run.size and run.x1 < x1 + run.size for run in runs) else []


def _run(row: Sequence[TextRun], stretch: list[Cluster], joint: str, *, spaced: bool) -> TextRun:
    letters = [cluster for cluster in stretch if cluster.text != " "]
    x0, x1 = min(c.x0 for c in letters), max(c.x1 for c in letters)
    # Latin words of the line may be set in another size.
    over = [run for run in row if run.x1 > x0 and run.x0 < x1] or list(row)
    model = max(over, key=lambda run: (scripts.has_rtl(run.text), len(run.text)))
    words = _words(_with_gaps(stretch, model.size, joint, spaced=spaced))
    return msgspec.structs.replace(
        model,
        text=" ".join(word.text for word in words),
        x0=x0,
        x1=x1,
        top=min(run.top for run in row),
        bottom=max(run.bottom for run in row),
        angle=0.0,
        words=words,
    )


def _with_gaps(stretch: Sequence[Cluster], size: float, joint: str, *, spaced: bool) -> list[Cluster]:
    """Return clusters from the right with one blank wherever the file has one or the gap is a space.

    On a page that has none, PDFium makes up some between parts of a word; only gaps count there.
    A blank of no width between Arabic letters is a ``joint``: programs write it for a character without a shape.
    """
    smallest = (MIN_SPACE_BESIDE_BLANKS_EMS if spaced else MIN_SPACE_EMS) * size
    result: list[Cluster] = []
    edge = stretch[0].x1
    drawn = made_up = False
    letters = 0
    for cluster in stretch:
        if cluster.text == " ":
            drawn, made_up = drawn or _is_drawn(cluster), True
            continue
        gap = edge - cluster.x1
        # Letters of two directions never touch, and a blank that PDFium makes up needs the gap of one.
        is_likely = made_up or (bool(result) and _is_letter(result[-1]) != _is_letter(cluster))
        is_joint = bool(joint) and drawn and gap < MIN_SPACE_EMS * size
        touches = made_up and gap < MAX_NO_ROOM_EMS * size
        if touches and letters == 1 and not drawn:
            pass  # PDFium puts the blank that ends a word after its first letter
        elif (
            result
            and (touches or is_joint)
            and all(unicodedata.bidirectional(each.text[0]) == "AL" for each in (result[-1], cluster))
        ):
            result[-1].text += joint
        elif result and (drawn or gap > (MIN_SPACE_EMS * size if is_likely else smallest)):
            result.append(Cluster(" ", cluster.x1, cluster.top, edge, cluster.bottom))
            letters = 0
        edge = min(edge, cluster.x0) if result else cluster.x0
        result.append(cluster)
        letters += 1
        drawn = made_up = False
    return result


def _is_drawn(blank: Cluster) -> bool:
    """Return True for a blank of the file; PDFium makes up blanks without width."""
    return blank.x1 - blank.x0 > MIN_BLANK_POINTS


def _is_letter(cluster: Cluster) -> bool:
    """Return True for a letter written to the left, False for digits, signs and letters written to the right."""
    return unicodedata.bidirectional(cluster.text[0]) in ("R", "AL")


def _words(clusters: Sequence[Cluster]) -> list[WordBox]:
    """Return the words of a line in reading order. ``clusters``: from the right edge."""
    display = list(reversed(clusters))
    words: list[list[tuple[Cluster, str]]] = [[]]
    for place, text in bidirectional.in_reading_order([cluster.text for cluster in display]):
        if text == " ":
            words.append([])
        else:
            words[-1].append((display[place], text))
    boxes = []
    for word in filter(None, words):
        x0, top = min(c.x0 for c, _ in word), min(c.top for c, _ in word)
        x1, bottom = max(c.x1 for c, _ in word), max(c.bottom for c, _ in word)
        boxes.append(WordBox("".join(text for _, text in word), x0, top, x1 - x0, bottom - top))
    return boxes
