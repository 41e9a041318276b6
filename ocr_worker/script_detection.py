"""Detect the script of a page from a sample of its lines, read by the network.

The network knows Latin, Chinese and Japanese. In lines of another script it reads the spaces and marks between the
words and few letters, so a low number of letters for the length of the lines reveals such a script.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from apps.pages.model.text.languages import HAN, KANA, LATIN
from ocr_worker.networks.ppocr import Gray, Strip

# Letters for each line height of a line's length: about 2 in Latin print, 1 in Chinese.
_MIN_LETTER_SHARE = 0.7
_MIN_CONFIDENCE = 0.9
_GREEK = "GREEK"


class Sample(NamedTuple):
    """Figures on some lines of a page.

    ``confidence``: 0.0-1.0, mean of the letters. ``density``: letters for each line height of the lines' length.
    ``script``: the script of most letters; "" if the network does not know it. ``taken``: False if no engine can read
    lines of any script.
    """

    confidence: float
    density: float
    script: str
    taken: bool = True

    @property
    def is_readable(self) -> bool:
        """True if the network can read these lines: they are upright, and in a script that it knows."""
        return bool(self.script) and self.confidence >= _MIN_CONFIDENCE and self.density >= _MIN_LETTER_SHARE


_STACK_LINES, _STACK_LINE_HEIGHT = 12, 46


def stacked(strips: Sequence[Gray], *, lines: int = _STACK_LINES) -> Gray:
    """Return a white page of these strips, one below the other, repeated to at least ``lines`` lines."""
    height, gap = _STACK_LINE_HEIGHT, _STACK_LINE_HEIGHT // 2
    scaled = [cv2.resize(strip, (max(1, round(strip.shape[1] * height / strip.shape[0])), height)) for strip in strips]
    scaled *= max(1, math.ceil(lines / max(1, len(scaled))))
    width = max((strip.shape[1] for strip in scaled), default=0) + 2 * height
    page = np.full(((height + gap) * len(scaled) + height, width), 255, np.uint8)
    for number, strip in enumerate(scaled):
        top = gap + number * (height + gap)
        page[top : top + height, height : height + strip.shape[1]] = strip
    return page


NOTHING = Sample(0.0, 0.0, "")


def sample_of(images: Sequence[Gray], strips: Sequence[Strip]) -> Sample:
    """Return the sample of these lines, given as images and as the network read them (empty: it read none)."""
    counts: Counter[str] = Counter()
    confidence = 0.0
    for strip in strips:
        for character, certainty in zip(strip.text, strip.confidences, strict=True):
            if character.isalnum():
                counts[script_of_letter(character)] += 1
                confidence += certainty
    if not strips:
        return NOTHING._replace(taken=False)
    letters = sum(counts.values())
    line_heights = sum(image.shape[1] / image.shape[0] for image in images)
    if not letters or not line_heights:
        return NOTHING
    if counts[KANA] > 0.1 * (counts[HAN] + counts[KANA]) and counts[HAN] + counts[KANA] > counts[LATIN]:
        script = KANA
    elif counts[_GREEK] > 0.15 * letters:
        script = ""
    else:
        script = max(counts, key=lambda name: counts[name])
        script = "" if script == _GREEK else script
    return Sample(confidence / letters, letters / line_heights, script)


def script_of_letter(character: str) -> str:
    """Return the script of a letter or digit. Scripts that the network cannot read count as Latin, except Greek."""
    if character.isascii():
        return LATIN
    name = unicodedata.name(character, "")
    if name.startswith(("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA")):
        return KANA
    if name.startswith("CJK"):
        return HAN
    return _GREEK if name.startswith(_GREEK) else LATIN
