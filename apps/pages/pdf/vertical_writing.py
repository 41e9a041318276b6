"""Columns of Chinese and Japanese that a file draws glyph by glyph, with a font that writes horizontally.

A vertical font says so in its encoding. Browsers and report writers place each glyph below the last instead; then
only the places show how the page is written.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from apps.pages.pdf.characters import Characters

# From one glyph to the next of a column: so many ems down, and at most so many aside.
MIN_STEP_EMS, MAX_STEP_EMS, MAX_ASIDE_EMS = 0.7, 1.6, 0.3
# A page is written in columns when this share of its letters of these scripts are in such steps.
MIN_VERTICAL_SHARE = 0.6
# Letters of other scripts that are set upright in a column: as many digits or letters side by side.
MAX_ACROSS = 4
# Where the frame of an ideograph lies about the baseline, in ems.
_FRAME_ABOVE, _FRAME_BELOW = 0.88, 0.12


def mark_vertical(characters: Characters) -> Characters:
    """Return the characters with those in columns marked as vertical writing, on a page that is mainly so."""
    wide = _is_ideographic(characters.code)
    if not wide.any() or len(wide) < 2:
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
    if columns < MIN_VERTICAL_SHARE * letters:
        return characters
    return _as_columns(characters, wide & level & ~in_line, size)


def _as_columns(characters: Characters, vertical: Any, size: Any) -> Characters:
    """Return the characters with those of ``vertical``, and short numbers set across a column, written downwards."""
    x0, x1, piece = characters.x0.copy(), characters.x1.copy(), characters.piece.copy()
    level = (characters.angle == 0) & ~characters.vertical
    centres = (characters.x0 + characters.x1) / 2
    columns = centres[vertical]
    for start, end in _stretches(level & ~vertical, characters):
        middle = (x0[start:end].min() + x1[start:end].max()) / 2
        width = x1[start:end].max() - x0[start:end].min()
        near = len(columns) and np.abs(columns - middle).min() < MAX_ASIDE_EMS * size[start]
        if end - start <= MAX_ACROSS and near and width < 1.6 * size[start]:
            x0[start:end], x1[start:end] = middle - size[start] / 2, middle + size[start] / 2
            piece[start + 1 : end] = True
            vertical[start:end] = True
    base, centres = characters.baseline, (x0 + x1) / 2
    return msgspec.structs.replace(
        characters,
        x0=x0,
        x1=x1,
        top=np.where(vertical, base - _FRAME_ABOVE * size, characters.top),
        bottom=np.where(vertical, base + _FRAME_BELOW * size, characters.bottom),
        baseline=np.where(vertical, centres, base),
        angle=np.where(vertical, 90, characters.angle),
        vertical=characters.vertical | vertical,
        piece=piece,
    )


def _stretches(of: Any, characters: Characters) -> list[tuple[int, int]]:
    """Return the first and last places of neighbours of ``of`` that stand side by side on one line."""
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


def _is_ideographic(code: Any) -> Any:
    """Return which code points are Chinese or Japanese letters and their marks."""
    return (
        (code >= 0x2E80) & (code < 0xA000)
        | (code >= 0xF900) & (code < 0xFB00)
        | (code >= 0x20000) & (code < 0x40000)
        | (code >= 0xFE30) & (code < 0xFE50)
        | (code >= 0xFF00) & (code < 0xFFF0)
    )
