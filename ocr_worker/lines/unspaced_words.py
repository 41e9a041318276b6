"""Join what an engine returns letter by letter in scripts of East Asia."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from apps.pages.model.text import scripts
from ocr_worker.engines.base import FoundLine, FoundWord

# Gaps below these shares of the line's height are no blank: between ideographs, and letters of Thai.
MAX_IDEOGRAPH_GAP, MAX_LETTER_GAP = 0.6, 0.22
# Syllables of Hangul are squares of one width, whose ink is narrower by different amounts: their centres are this many
# usual steps apart where a blank parts them.
MIN_BLANK_STEP = 1.19
# A line inside another one by these shares, with a confidence lower by this much, repeats the marks of that line.
MIN_INSIDE_SHARE, MIN_LESS_SURE = 0.5, 0.15


def with_words_joined(line: FoundLine) -> FoundLine:
    """Return the line with neighbours joined that no blank parts."""
    height = max(word.bottom for word in line.words) - min(word.top for word in line.words)
    step = _usual_step(line.words)
    words: list[FoundWord] = []
    for word in line.words:
        before = words[-1] if words else None
        if before is None or not _touch(before, word, height, step):
            words.append(word)
            continue
        letters = len(before.text) + len(word.text)
        words[-1] = FoundWord(
            before.text + word.text,
            min(before.x0, word.x0),
            min(before.top, word.top),
            max(before.x1, word.x1),
            max(before.bottom, word.bottom),
            (before.confidence * len(before.text) + word.confidence * len(word.text)) / letters,
        )
    return FoundLine(tuple(words), line.confidence)


def _touch(before: FoundWord, word: FoundWord, height: float, step: float) -> bool:
    left, right = before.text[-1], word.text[0]
    if _is_hangul(left) and _is_hangul(right):
        return _centres(word)[0] - _centres(before)[-1] < MIN_BLANK_STEP * step
    if not (scripts.wraps_anywhere(left) and scripts.wraps_anywhere(right)):
        return False
    ideographs = scripts.is_unspaced(left) or scripts.is_unspaced(right)
    return word.x0 - before.x1 < (MAX_IDEOGRAPH_GAP if ideographs else MAX_LETTER_GAP) * height


def _usual_step(words: Sequence[FoundWord]) -> float:
    """Return the middle distance of neighbouring syllables of a line in Hangul; 0.0 without any."""
    centres = [_centres(word) for word in words if all(map(_is_hangul, word.text))]
    steps = sorted(right - left for left, right in itertools.pairwise(itertools.chain.from_iterable(centres)))
    return steps[len(steps) // 2] if steps else 0.0


def _centres(word: FoundWord) -> list[float]:
    step = (word.x1 - word.x0) / len(word.text)
    return [word.x0 + step * (place + 0.5) for place in range(len(word.text))]


def _is_hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"


def without_marks_alone(lines: Sequence[FoundLine]) -> list[FoundLine]:
    """Return the lines without those that an engine made of the marks above another line."""
    boxes = [
        (
            min(word.x0 for word in line.words),
            min(word.top for word in line.words),
            max(word.x1 for word in line.words),
            max(word.bottom for word in line.words),
        )
        for line in lines
    ]
    kept = []
    for line, (x0, top, x1, bottom) in zip(lines, boxes, strict=True):
        inside = any(
            other.confidence - line.confidence > MIN_LESS_SURE
            and min(bottom, box[3]) - max(top, box[1]) > MIN_INSIDE_SHARE * (bottom - top)
            and min(x1, box[2]) - max(x0, box[0]) > MIN_INSIDE_SHARE * (x1 - x0)
            for other, box in zip(lines, boxes, strict=True)
            if other is not line
        )
        if not inside:
            kept.append(line)
    return kept
