"""Find in the text of a block the places of its runs that are set apart: bold, raised, crossed out, links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.model.blocks import TextSpan
from apps.pages.model.raw_page import TextRun

# A block is bold or italic as a whole when this share of its letters is.
MAIN_SHARE = 0.9
# Signs that joining removes at a line end.
_HYPHENS = "-‐\xad"
# A text with more of its letters in fixed pitch than this is a label with a value that was typed in, or typewritten.
MAX_CODE_SHARE = 0.4
# Letters of a fixed pitch are about this wide, in ems.
MIN_PITCH_EMS, MAX_PITCH_EMS = 0.48, 0.68
_Look = tuple[bool, bool, bool, bool, int, str]
_PLAIN: _Look = (False, False, False, False, 0, "")


def spans_of(text: str, runs: Sequence[TextRun]) -> tuple[TextSpan, ...]:
    """Return the parts of a text that are set apart; the runs are those of the text, in its order.

    The text may lack hyphens at the ends of runs. Where it does not follow the runs, the rest of it has no spans.
    """
    if not runs:
        return ()
    first = runs[0].style
    for run in runs:
        if run.mark is not None or run.style is not first:
            return _aligned(text, runs)
    return ()


def _aligned(text: str, runs: Sequence[TextRun]) -> tuple[TextSpan, ...]:
    looks = _looks(runs)
    if all(look == _PLAIN for look in looks):
        return ()
    found: list[TextSpan] = []
    at = 0
    for run, look in zip(runs, looks, strict=True):
        begin, at = _place(text, run.text.strip(), at)
        if at < 0:
            break
        if look == _PLAIN or begin == at:
            continue
        last = found[-1] if found else None
        span = TextSpan(begin, at, *look)
        if (
            last is not None
            and not text[last.end : begin].strip()
            and span == msgspec.structs.replace(last, start=begin, end=at)
        ):
            found[-1] = msgspec.structs.replace(last, end=at)
        else:
            found.append(span)
    return tuple(found)


def _place(text: str, piece: str, at: int) -> tuple[int, int]:
    """Return where the text of a run begins and ends at or after ``at``; the end is -1 when the text goes on otherwise.

    The text may lack the hyphen with which the run ends.
    """
    while at < len(text) and text[at].isspace():
        at += 1
    if text.startswith(piece, at):
        return at, at + len(piece)
    begin = at
    for word in piece.split():
        while at < len(text) and text[at].isspace():
            at += 1
        if text.startswith(word, at):
            at += len(word)
        elif word[-1] in _HYPHENS and text.startswith(word[:-1], at):
            at += len(word) - 1
        else:
            return begin, -1
    return begin, at


def _looks(runs: Sequence[TextRun]) -> list[_Look]:
    """Return how each run differs from the block that the runs form."""
    letters = [len(run.text) for run in runs]
    total = sum(letters)

    def differs(has: Sequence[bool]) -> list[bool]:
        share = sum(count for count, one in zip(letters, has, strict=True) if one)
        return list(has) if share < MAIN_SHARE * total else [False] * len(runs)

    bold = differs([run.bold for run in runs])
    italic = differs([run.italic and not run.style.mathematics for run in runs])
    code = [
        run.style.fixed_pitch
        and run.size > 0
        and MIN_PITCH_EMS < (run.x1 - run.x0) / max(1, len(run.text.rstrip())) / run.size < MAX_PITCH_EMS
        for run in runs
    ]
    if sum(count for count, one in zip(letters, code, strict=True) if one) > MAX_CODE_SHARE * total:
        code = [False] * len(runs)
    looks = []
    for index, run in enumerate(runs):
        mark = run.mark
        level, struck, url = (mark.level, mark.struck, mark.url) if mark is not None else (0, False, "")
        looks.append((bold[index], italic[index], struck, code[index], level, url))
    return looks


def moved(spans: Iterable[TextSpan], by: int) -> tuple[TextSpan, ...]:
    """Return the spans of a text to which ``by`` characters were added in front; negative: from which they were cut."""
    return tuple(
        msgspec.structs.replace(span, start=max(0, span.start + by), end=span.end + by)
        for span in spans
        if span.end + by > 0
    )
