"""Columns of Chinese and Japanese that a file draws glyph by glyph, with a font that writes horizontally.

The encoding of a vertical font shows it. Browsers and report writers place each glyph below the last instead; then
only the places show how the page is written.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from apps.pages.pdf.text.characters import Characters

# From one glyph to the next of a column: the least and greatest step down, and the greatest step aside.
MIN_STEP_EMS, MAX_STEP_EMS, MAX_ASIDE_EMS = 0.7, 1.6, 0.3
MAX_CORNER_EMS = 0.6
# A page is written in columns when this share of its letters of these scripts are in such steps.
MIN_VERTICAL_SHARE = 0.6
# ... and this share of all its characters.
MIN_PAGE_SHARE = 0.3
# Letters of other scripts that are set upright in a column: at most this many digits or letters side by side.
MAX_ACROSS, MAX_ACROSS_EMS = 4, 1.6
_FIRST_IDEOGRAPHIC = 0x2E80
# The frame of an ideograph about the baseline, in ems.
_FRAME_ABOVE, _FRAME_BELOW = 0.88, 0.12


def mark_vertical(characters: Characters) -> Characters:
    """Return the characters with those in columns marked as vertical writing, on a page that is mainly so."""
    if len(characters.code) < 2 or characters.code.max() < _FIRST_IDEOGRAPHIC:
        return characters
    # Chinese and Japanese letters and their marks.
    code = characters.code
    wide = (
        (code >= 0x2E80) & (code < 0xA000)
        | (code >= 0xF900) & (code < 0xFB00)
        | (code >= 0x20000) & (code < 0x40000)
        | (code >= 0xFE30) & (code < 0xFE50)
        | (code >= 0xFF00) & (code < 0xFFF0)
    )
    if np.count_nonzero(wide) < MIN_PAGE_SHARE * len(wide):
        return characters
    size = np.maximum(characters.size, 0.1)
    level = (characters.angle == 0) & ~characters.vertical
    middle = (characters.x0 + characters.x1) / 2
    em = np.maximum(size[1:], size[:-1])
    down = np.diff(characters.baseline) / em
    aside = np.abs(np.diff(middle)) / em
    both = wide[1:] & wide[:-1] & level[1:] & level[:-1]
    step = both & (down > MIN_STEP_EMS) & (down < MAX_STEP_EMS) & (aside < MAX_ASIDE_EMS)
    in_step = np.append(step, False) | np.concatenate(([False], step))
    across = both & (np.abs(down) < MAX_ASIDE_EMS) & (aside > MIN_STEP_EMS / 2)
    in_line = np.append(across, False) | np.concatenate(([False], across))
    letters = np.count_nonzero(wide & (level | characters.vertical))
    columns = np.count_nonzero(in_step & ~in_line) + np.count_nonzero(wide & characters.vertical)
    if columns < max(MIN_VERTICAL_SHARE * letters, MIN_PAGE_SHARE * len(wide)):
        return characters
    return _as_columns(characters, wide & level & ~in_line, size)


def _as_columns(characters: Characters, vertical: Any, size: Any) -> Characters:
    """Return the characters with those of ``vertical``, and short numbers set across a column, written downwards."""
    x0, x1, base, piece = (a.copy() for a in (characters.x0, characters.x1, characters.baseline, characters.piece))
    level = (characters.angle == 0) & ~characters.vertical
    centres = (characters.x0 + characters.x1) / 2
    written_down = vertical | characters.vertical
    columns, sizes = centres[written_down], size[written_down]
    for start, end in _stretches(level & ~vertical, characters) if len(columns) else ():
        left, right = x0[start:end].min(), x1[start:end].max()
        middle = (left + right) / 2
        nearest = int(np.abs(columns - middle).argmin())
        em = sizes[nearest]
        near = abs(columns[nearest] - middle) < MAX_ASIDE_EMS * em
        if near and end - start <= MAX_ACROSS and right - left < MAX_ACROSS_EMS * em:
            x0[start:end], x1[start:end] = middle - em / 2, middle + em / 2
            piece[start + 1 : end] = True
            base[start:end] += (_FRAME_ABOVE - _FRAME_BELOW) / 2 * (em - size[start:end])
            size[start:end] = em
            vertical[start:end] = True
    centres = _column_centres((x0 + x1) / 2, base, size, vertical)
    return msgspec.structs.replace(
        characters,
        x0=x0,
        x1=x1,
        top=np.where(vertical, base - _FRAME_ABOVE * size, characters.top),
        bottom=np.where(vertical, base + _FRAME_BELOW * size, characters.bottom),
        baseline=np.where(vertical, centres, characters.baseline),
        angle=np.where(vertical, 90, characters.angle),
        vertical=characters.vertical | vertical,
        piece=piece,
        size=size,
    )


def _column_centres(centres: Any, base: Any, size: Any, vertical: Any) -> Any:
    """Return the centres of glyphs with those of a column made equal: a full stop is drawn in a corner of its frame."""
    places = np.flatnonzero(vertical)
    if not len(places):
        return centres
    near = (np.abs(np.diff(centres[places])) < MAX_CORNER_EMS * size[places[1:]]) & (np.diff(base[places]) > 0)
    centres = centres.copy()
    for column in np.split(places, np.flatnonzero(~near) + 1):
        centres[column] = np.median(centres[column])
    return centres


def _stretches(of: Any, characters: Characters) -> list[tuple[int, int]]:
    """Return the first and last places of neighbours of ``of`` that are side by side on one line."""
    places = np.flatnonzero(of)
    if not len(places):
        return []
    apart = np.diff(places) > 1
    base = characters.baseline[places]
    apart |= np.abs(np.diff(base)) > MAX_ASIDE_EMS * characters.size[places[1:]]
    apart |= characters.x0[places[1:]] - characters.x1[places[:-1]] > characters.size[places[1:]]
    cuts = np.flatnonzero(apart) + 1
    groups = np.split(places, cuts)
    return [(int(group[0]), int(group[-1]) + 1) for group in groups]
