"""Characters of a page -> text runs with words, by the gaps between characters. No character is changed or dropped."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from apps.pages.model.raw_page import TextRun, TextStyle, WordBox
from apps.pages.model.text.scripts import MIN_HANGUL_LATIN_EMS
from apps.pages.pdf.text.character_boxes import Boxes, boxes_of, upright_boxes
from apps.pages.pdf.text.characters import Characters

# A run ends where the baseline moves by this share of the size, where the pen steps back this far, ...
MAX_BASELINE_SHIFT_EMS, MAX_STEP_BACK_EMS = 0.12, 0.5
# ... and at a gap this wide without a blank, with one, and with several.
MAX_GAP_EMS, MAX_BLANK_GAP_EMS, MAX_BLANKS_GAP_EMS = 0.7, 1.5, 0.9
MAX_SIZE_CHANGE = 0.04
# A gap without a blank parts two words when it is wider than the letter spacing by this much; ...
MIN_WORD_GAP_EMS = 0.18
# ... in an unclear run by this share of its usual word gap, but never by less than ...
MIN_SHARE_OF_WORD_GAP, MIN_NARROW_WORD_GAP_EMS = 0.6, 0.085
# ... and by this much if the run has no usual word gap and its gaps do not fall into two groups.
MIN_UNCLEAR_WORD_GAP_EMS = 0.13
# Between letters of scripts that write no spaces, and between these and others; some part phrases by a blank.
MIN_UNSPACED_GAP_EMS, MIN_PHRASE_GAP_EMS = 0.45, 0.18
# Between letters that hang on one line, and between these and others.
MIN_HANGING_GAP_EMS = 0.15
# Letters are spaced when most gaps of a run of at least this many letters are this wide and alike.
MIN_LETTER_SPACING_EMS, MAX_SPACING_DIFFERENCE_EMS = 0.05, 0.06
MIN_SPACED_LETTERS = 4
# Signs at even places are a table if they are this far apart; ink that reaches out of its advance moves them a little.
MIN_EVEN_GAP_EMS, MAX_UNEVEN_EMS = 0.5, 0.02
# Letters set so far apart that each would be a run have unlike widths; their words are at most this many gaps apart.
MIN_WIDTH_DIFFERENCE_EMS, MAX_SPACED_WORD_GAP = 0.08, 3.0
# Extents of a font that its descriptor does not give, and the bounds of those that it gives, in ems.
DEFAULT_ASCENT, DEFAULT_DESCENT = 0.75, 0.22
MIN_ASCENT, MAX_ASCENT, MAX_DESCENT = 0.45, 1.15, 0.45
# The baseline of vertical writing is the middle of its column; that of the page turned is this much lower.
_VERTICAL_BASELINE_EMS = 0.38
# Code points below this are of scripts written from left to right; those below the second have
# letters that may be set apart, and spaces between words.
_FIRST_LEFTWARD, _FIRST_HANGING = 0x590, 0x900
_DOT = 0x2E


def text_runs(characters: Characters, width: float, height: float, *, turned: float = 0.0) -> list[TextRun]:
    """Return the runs of a page of this size (points, as displayed) in the order of the file.

    ``turned``: clockwise degrees, 0, 90, 180 or 270; the runs written at this angle come upright, with all boxes on the
    page turned back.
    """
    count = len(characters.code)
    if not count:
        return []
    angles = characters.angle
    cuts = (np.flatnonzero(angles[1:] != angles[:-1]) + 1).tolist()
    runs: list[TextRun] = []
    for start, end in zip([0, *cuts], [*cuts, count], strict=True):
        runs += _runs_between(characters, start, end, (width, height), turned)
    return runs


def _runs_between(
    characters: Characters,
    start: int,
    end: int,
    page_size: tuple[float, float],
    turned: float,
) -> list[TextRun]:
    """Return the runs of neighbours that are all written at one angle."""
    here = slice(start, end)
    angle = float(characters.angle[start])
    size = np.maximum(characters.size[here], 0.1)
    upright, base = upright_boxes(characters, here, page_size)
    base = np.where(characters.vertical[here], base + _VERTICAL_BASELINE_EMS * size, base)
    style, code = characters.style[here], characters.code[here]
    blanks, piece = characters.blanks_before[here][1:], characters.piece[here][1:]
    content_id = characters.content_id[here]
    em = np.minimum(size[1:], size[:-1])
    gaps = _gaps(upright, code)
    if characters.overhang is not None and angle % 90 == 0:
        before, after = characters.overhang[:, here]
        gaps = np.where(style[1:] == style[:-1], gaps + after[:-1] + before[1:], gaps)
    gap = np.where(piece, 0.0, gaps / em)
    cut = np.abs(base[1:] - base[:-1]) > MAX_BASELINE_SHIFT_EMS * em
    cut |= gap < -MAX_STEP_BACK_EMS
    cut |= (style[1:] != style[:-1]) | (np.abs(size[1:] - size[:-1]) > MAX_SIZE_CHANGE * em)
    cut |= content_id[1:] != content_id[:-1]
    widest = np.where(blanks == 0, MAX_GAP_EMS, np.where(blanks == 1, MAX_BLANK_GAP_EMS, MAX_BLANKS_GAP_EMS))
    widths = (upright.x1 - upright.x0) / size
    spacing = _spacing_of_lines(gap, np.where(_in_leader(code), 1, blanks), cut, gap > widest, widths)
    apart = gap > widest + spacing
    cut |= apart & ~_widely_spaced(apart & ~cut, gap, blanks, code, widths)
    starts = np.concatenate(([0], np.flatnonzero(cut) + 1))
    ends = np.concatenate((starts[1:], [end - start]))
    parted = _word_gaps(gap, spacing, blanks, cut, piece, code, widths, starts, ends)
    word_starts = np.concatenate(([0], np.flatnonzero(cut | parted) + 1))
    run_boxes = boxes_of(characters, here).turned(turned, *page_size)
    if angle == turned:
        ascent, descent = base - upright.top, upright.bottom - base
        ascent = np.where((ascent >= MIN_ASCENT * size) & (ascent <= MAX_ASCENT * size), ascent, DEFAULT_ASCENT * size)
        descent = np.where((descent >= 0) & (descent <= MAX_DESCENT * size), descent, DEFAULT_DESCENT * size)
        run_boxes = Boxes(upright.x0, base - ascent, upright.x1, base + descent)
    x0, top, x1, bottom = word_edges = _edges(run_boxes, word_starts).round(3)
    first_words = np.searchsorted(word_starts, starts)
    run_edges = _edges(Boxes(*word_edges), first_words)
    bounds = word_starts.tolist()
    text = characters.text[start:end]
    texts = [text[a:b] for a, b in itertools.pairwise([*bounds, end - start])]
    words = list(map(WordBox, texts, x0.tolist(), top.tolist(), (x1 - x0).tolist(), (bottom - top).tolist()))
    word_bounds = [*first_words.tolist(), len(words)]
    followed = np.concatenate((blanks > 0, [False]))[ends - 1].tolist()
    relative = (angle - turned) % 360
    return [
        _run(texts[a:b], words[a:b], box, run_size, characters.styles[number], relative, baseline, follows, marked)
        for a, b, box, run_size, number, baseline, follows, marked in zip(
            word_bounds,
            word_bounds[1:],
            zip(*run_edges.tolist(), strict=True),
            size[starts].tolist(),
            style[starts].tolist(),
            base[starts].tolist(),
            followed,
            content_id[starts].tolist(),
            strict=False,
        )
    ]


def _edges(boxes: Boxes, starts: Any) -> Any:
    """Return the left, upper, right and lower edges around neighbours from each of ``starts`` on: four rows."""
    edges = np.empty((4, len(starts)))
    np.minimum.reduceat(boxes.x0, starts, out=edges[0])
    np.minimum.reduceat(boxes.top, starts, out=edges[1])
    np.maximum.reduceat(boxes.x1, starts, out=edges[2])
    np.maximum.reduceat(boxes.bottom, starts, out=edges[3])
    return edges


def _gaps(boxes: Boxes, code: Any) -> Any:
    """Return the distance from each character to the next, in points; of right-to-left letters, to the left."""
    gap = boxes.x0[1:] - boxes.x1[:-1]
    if code.max() < _FIRST_LEFTWARD:
        return gap
    leftward = (code >= 0x590) & (code < 0x900) | (code >= 0xFB1D) & (code < 0xFF00)
    if leftward.any():
        gap = np.where(
            (leftward[1:] | leftward[:-1]) & (boxes.x0[1:] < boxes.x0[:-1]), boxes.x0[:-1] - boxes.x1[1:], gap
        )
    return gap


def _in_leader(code: Any) -> Any:
    """Return which gaps are between the dots of leaders; they differ from the gaps between letters."""
    return (code[1:] == _DOT) & (code[:-1] == _DOT)


def _spacing_of_lines(gap: Any, blanks: Any, cut: Any, wide: Any, widths: Any) -> Any:
    """Return by how much the letters of each line are set apart evenly, in ems, for each gap; 0 for most lines.

    ``cut``: where lines end. Only lines with a ``wide`` gap are looked at. ``widths``: of the characters.
    """
    spacing = np.zeros(len(gap))
    spaced = (gap > MIN_LETTER_SPACING_EMS) & (gap < MAX_GAP_EMS + MAX_SPACING_DIFFERENCE_EMS) & (blanks == 0) & ~cut
    if not np.count_nonzero(wide & ~cut) or not np.count_nonzero(spaced[1:] & spaced[:-1]):
        return spacing
    cuts = np.flatnonzero(cut)
    starts, ends = np.concatenate(([0], cuts + 1)), np.concatenate((cuts, [len(gap)]))
    lengths = ends - starts
    chosen = (lengths >= MIN_SPACED_LETTERS - 1) & (2 * _counts_between(spaced, starts, ends) > lengths)
    chosen &= _counts_between(wide, starts, ends) > 0
    for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True):
        here = slice(start, end)
        if not _at_even_places(gap[here], (widths[1:][here] + widths[:-1][here]) / 2):
            spacing[here] = _letter_spacing(sorted(gap[here][blanks[here] == 0].tolist()))
    return np.minimum(spacing, MAX_GAP_EMS)


def _counts_between(which: Any, starts: Any, ends: Any) -> Any:
    """Return how many of ``which`` are true from each start to its end."""
    counted = np.concatenate(([0], np.cumsum(which)))
    return counted[ends] - counted[starts]


def _at_even_places(gap: Any, widths: Any) -> bool:
    """Return True if the middles of characters are at more even places than their edges, as in a table of signs.

    ``widths``: half of both neighbours of a gap. Letter spacing is the same between narrow and wide letters.
    """
    pitch = gap + widths
    uneven_gaps, uneven_places = (np.median(np.abs(found - np.median(found))) for found in (gap, pitch))
    return bool(uneven_places <= uneven_gaps + MAX_UNEVEN_EMS and np.median(gap) > MIN_EVEN_GAP_EMS)


def _widely_spaced(apart: Any, gap: Any, blanks: Any, code: Any, widths: Any) -> Any:
    """Return which wide gaps are between letters that are set apart evenly, as in "A N N U A L  R E P O R T".

    The gaps of such letters are alike and their widths are not; letters in columns of a table are at even places.
    """
    spaced = np.zeros(len(gap), bool)
    if not np.count_nonzero(apart[2:] & apart[1:-1] & apart[:-2]):
        return spaced
    places = np.flatnonzero(apart)
    for chain in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        here = slice(int(chain[0]), int(chain[-1]) + 1)
        letters = slice(here.start, here.stop + 1)
        free = gap[here][blanks[here] == 0]
        if (
            len(free) >= MIN_SPACED_LETTERS - 1
            and np.ptp(free) <= MAX_SPACING_DIFFERENCE_EMS
            and np.ptp(widths[letters]) > MIN_WIDTH_DIFFERENCE_EMS
            and all(chr(letter).isalpha() for letter in code[letters].tolist())
        ):
            spaced[here] = (blanks[here] == 0) | (gap[here] <= MAX_SPACED_WORD_GAP * free.max())
    return spaced


def _word_gaps(
    gap: Any, spacing: Any, blanks: Any, cut: Any, piece: Any, code: Any, widths: Any, starts: Any, ends: Any
) -> Any:
    """Return where a new word begins inside a run: True at ``i`` parts the characters ``i`` and ``i + 1``.

    ``spacing``: by how much the letters of the line are set apart. ``widths``: of the characters.
    """
    if not len(gap):
        return np.zeros(0, bool)
    blank = blanks > 0
    free = ~(cut | blank | piece)
    if code.max() < _FIRST_HANGING:
        parted = free & (gap > MIN_WORD_GAP_EMS + spacing)
    else:
        unspaced = _is_unspaced(code)
        # Thai, Lao, Burmese and Khmer part phrases by a space, not words.
        phrased = (code >= 0x0E00) & (code < 0x0F00)
        phrased |= (code >= 0x1000) & (code < 0x10A0) | (code >= 0x1780) & (code < 0x1800)
        unspaced, phrased = unspaced[1:] | unspaced[:-1], phrased[1:] | phrased[:-1]
        # The letters of a word hang on one line in Devanagari, Bengali and Gurmukhi, so they are never set apart.
        hanging = (code >= 0x0900) & (code < 0x0A80)
        hanging = hanging[1:] | hanging[:-1]
        least = np.where(unspaced, MIN_UNSPACED_GAP_EMS, np.where(phrased, MIN_PHRASE_GAP_EMS, MIN_WORD_GAP_EMS))
        parted = free & (gap > np.where(hanging, MIN_HANGING_GAP_EMS, least))
        hangul = (code >= 0xAC00) & (code < 0xD7A4)
        mixed = hangul[1:] != hangul[:-1]
        parted = np.where(free & mixed & ~unspaced, gap > MIN_HANGUL_LATIN_EMS, parted)
        free &= ~(unspaced | phrased | mixed | hanging)
    free &= ~_in_leader(code)
    for start, end in _unclear_runs(gap, free, starts, ends):
        here = slice(start, end)
        if _at_even_places(gap[here], (widths[1:][here] + widths[:-1][here]) / 2):
            continue  # a table of signs
        threshold = _word_gap(gap[here][free[here]].tolist(), gap[here][blanks[here] == 1].tolist())
        parted[here] = np.where(free[here], gap[here] > threshold, parted[here])
    return ~cut & (blank | parted)


def _unclear_runs(gap: Any, free: Any, starts: Any, ends: Any) -> list[tuple[int, int]]:
    """Return the runs, as bounds of their gaps, whose letters are spaced or that have gaps of no clear meaning."""
    spaced = free & (gap > MIN_LETTER_SPACING_EMS)
    if not np.count_nonzero(spaced):
        return []
    unclear = spaced & (gap > MIN_NARROW_WORD_GAP_EMS) & (gap <= MIN_WORD_GAP_EMS)
    lasts = ends - 1
    all_free, all_spaced, all_unclear = (_counts_between(which, starts, lasts) for which in (free, spaced, unclear))
    chosen = (all_unclear > 0) | (2 * all_spaced > all_free) & (lasts - starts + 1 >= MIN_SPACED_LETTERS)
    return list(zip(starts[chosen].tolist(), lasts[chosen].tolist(), strict=True))


def _word_gap(gaps: list[float], blank_gaps: list[float]) -> float:
    """Return the width, in ems, from which a gap of a run parts two words.

    ``gaps`` have no blank in the file, ``blank_gaps`` have one. Word gaps and letter gaps are separated by their
    distribution, because fonts, justification and letter spacing move both.
    """
    gaps.sort()
    spacing = _letter_spacing(gaps)
    usual = [wide for gap in gaps if (wide := gap - spacing) > MIN_WORD_GAP_EMS]
    usual = sorted(usual + [wide for gap in blank_gaps if (wide := gap - spacing) > 0])
    narrow = [wide for gap in gaps if MIN_NARROW_WORD_GAP_EMS < (wide := gap - spacing) <= MIN_WORD_GAP_EMS]
    if usual and len(narrow) <= 2 * len(usual):
        threshold = max(MIN_NARROW_WORD_GAP_EMS, MIN_SHARE_OF_WORD_GAP * usual[len(usual) // 2])
    elif len(narrow) > 1 and (below := [gap for gap in gaps if gap - spacing < narrow[0]]):
        widest = below[-1] - spacing
        threshold = (narrow[0] + widest) / 2 if widest < narrow[0] / 2 else MIN_UNCLEAR_WORD_GAP_EMS
    else:
        threshold = MIN_UNCLEAR_WORD_GAP_EMS
    return spacing + max(min(threshold, MIN_WORD_GAP_EMS), 0.5 * spacing)


def _letter_spacing(gaps: list[float]) -> float:
    """Return by how much all letters of a run are set apart, in ems; ``gaps`` are sorted."""
    if len(gaps) + 1 < MIN_SPACED_LETTERS:
        return 0.0
    middle = gaps[(len(gaps) - 1) // 2]
    alike = sum(abs(gap - middle) <= MAX_SPACING_DIFFERENCE_EMS for gap in gaps)
    # One letter is a word in Korean: some letters touch, and most others are far apart.
    are_words = gaps[0] < MIN_LETTER_SPACING_EMS and middle > 2 * MIN_WORD_GAP_EMS
    if middle > MIN_LETTER_SPACING_EMS and 2 * alike >= len(gaps) and not are_words:
        return middle
    return gaps[0] if gaps[0] > MIN_LETTER_SPACING_EMS else 0.0


def _is_unspaced(code: Any) -> Any:
    """Return which code points belong to scripts that write no spaces: Chinese and Japanese."""
    east_asian = (code >= 0x2E80) & (code < 0xA4D0) | (code >= 0xF900) & (code < 0xFB00) | (code >= 0x20000)
    return east_asian | (code >= 0xFE30) & (code < 0xFE50) | (code >= 0xFF00) & (code < 0xFFF0)


def _run(
    texts: list[str],
    words: list[WordBox],
    box: tuple[float, float, float, float],
    size: float,
    style: TextStyle,
    angle: float,
    baseline: float,
    followed: bool,
    content_id: int,
) -> TextRun:
    text = " ".join(texts)
    return TextRun(
        text + " " if followed else text,
        *box,
        size,
        style.bold,
        style.italic,
        angle,
        words if len(words) > 1 else None,
        baseline,
        style,
        content_id,
    )
