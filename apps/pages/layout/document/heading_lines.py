"""Lines that the eye takes for a heading although they touch the text: centred, in capitals, in another look."""

from __future__ import annotations

from apps.pages.model.segments import Segment

# A heading ends this share of the column before its right edge; a centred line is this far from both edges, in ems, ...
MIN_REST_SHARE = 0.12
MIN_CENTRED_INDENT_EMS = 1.5
# ... with margins that differ by at most so much.
MAX_CENTRED_DIFFERENCE_EMS = 1.5
MIN_CAPITALS = 4


def differ_as_heading(line: Segment, text: Segment, left: float, right: float) -> bool:
    """Return True if ``line`` is short and differs from its neighbour ``text``, in a column from ``left`` to ``right``,
    as a heading does."""
    if line.x1 > right - MIN_REST_SHARE * (right - left) or line.block is not None:
        return False
    if is_centred(line, left, right) and not is_centred(text, left, right) and text.x0 < left + 2.5 * text.size:
        return True
    if _is_capitals(line.text) and not _is_capitals(text.text) and sum(map(str.islower, text.text)) >= MIN_CAPITALS:
        return True
    if not line.runs or not text.runs:
        return False
    first, last, other = line.runs[0].style, line.runs[-1].style, text.runs[0].style
    if first.colour != other.colour or (first.italic and not other.italic):
        return bool(first.colour == last.colour and first.italic == last.italic and text.runs[-1].style != first)
    return False


def is_centred(line: Segment, left: float, right: float) -> bool:
    before, after = line.x0 - left, right - line.x1
    return before > MIN_CENTRED_INDENT_EMS * line.size and abs(before - after) < MAX_CENTRED_DIFFERENCE_EMS * line.size


def _is_capitals(text: str) -> bool:
    """Return True for letters in capitals alone: Latin, Greek and Cyrillic have them."""
    return text.isupper() and sum(map(str.isupper, text)) >= MIN_CAPITALS
