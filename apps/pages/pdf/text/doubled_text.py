"""Text that a file draws twice, a little apart, to make it bold or to give it a shadow: it is read once."""

from __future__ import annotations

import msgspec
import numpy as np

from apps.pages.pdf.text.characters import Characters, kept_characters

# An equal text of about the same size that begins this near is the same text, along its line and across it.
MAX_ALONG_EMS, MAX_ACROSS_EMS = 0.1, 0.2
MAX_SIZE_CHANGE = 0.04


def without_doubles(characters: Characters) -> Characters:
    """Return the characters without the text objects that repeat an earlier one; ``doubled`` counts what they have."""
    if characters.object is None or len(characters.code) < 2:
        return characters
    owner, code = characters.object, characters.code
    starts = np.append(0, np.flatnonzero(owner[1:] != owner[:-1]) + 1)
    size, angle = characters.size[starts], characters.angle[starts]
    along, across = characters.x0[starts], characters.baseline[starts]
    if angle.any():
        along = np.where(angle % 180 == 0, along, characters.top[starts])
        across = np.where(angle % 90 == 0, across, (characters.x0[starts] + characters.x1[starts]) / 2)
    by_line = across.argsort()
    line = np.zeros(len(starts), int)
    line[by_line[1:]] = (np.diff(across[by_line]) > MAX_ACROSS_EMS * size[by_line[1:]]).cumsum()
    order = np.lexsort((along, line))
    before, after = order[:-1], order[1:]
    near = (along[after] - along[before] < MAX_ALONG_EMS * size[after]) & (line[before] == line[after])
    near &= code[starts[before]] == code[starts[after]]
    if not np.count_nonzero(near):
        return characters
    near &= np.abs(across[after] - across[before]) < MAX_ACROSS_EMS * size[after]
    near &= (np.abs(size[after] - size[before]) <= MAX_SIZE_CHANGE * size[after]) & (angle[before] == angle[after])
    ends = np.append(starts[1:], len(characters.code)).tolist()
    text = characters.text
    kept = np.ones(len(text), bool)
    for one, two in zip(before[near].tolist(), after[near].tolist(), strict=True):
        first, second = (slice(int(starts[at]), ends[at]) for at in sorted((one, two)))
        if text[first] == text[second]:
            kept[second] = False
    return msgspec.structs.replace(kept_characters(characters, kept), doubled=int(np.count_nonzero(~kept)))
