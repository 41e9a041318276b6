"""In which script a page is written, from what the network makes of a sample of its lines.

The network knows Latin, Chinese and Japanese. Of lines in another script it reads the spaces and the marks between the
words and little else, so that the letters it reads, held against the room there is for letters, give them away.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from apps.pages.model.languages import HAN, KANA, LATIN
from ocr_worker.networks.ppocr import Gray, Strip

# Letters for each line height of a line's length: about 2 in Latin print, 1 in Chinese.
_MIN_LETTER_SHARE = 0.7
_SURE = 0.9
_GREEK = "GREEK"


class Sample(NamedTuple):
    """``confidence`` 0.0-1.0 of the letters read; ``density``: letters for each line height of the lines' length;
    ``script``: the one most of them belong to, of those the network knows; "" for none."""

    confidence: float
    density: float
    script: str

    @property
    def is_sure(self) -> bool:
        """Whether the network reads these lines: upright, and in a script it knows."""
        return bool(self.script) and self.confidence >= _SURE and self.density >= _MIN_LETTER_SHARE


NOTHING = Sample(0.0, 0.0, "")


def sample_of(pictures: Sequence[Gray], strips: Sequence[Strip]) -> Sample:
    """The sample that these lines are, as pictures and as the network read them."""
    counts: Counter[str] = Counter()
    sure = 0.0
    for strip in strips:
        for character, confidence in zip(strip.text, strip.confidences, strict=True):
            if character.isalnum():
                counts[_script_of(character)] += 1
                sure += confidence
    letters = sum(counts.values())
    room = sum(picture.shape[1] / picture.shape[0] for picture in pictures)
    if not letters or not room:
        return NOTHING
    script = _main_script(counts)
    return Sample(sure / letters, letters / room, script)


def _script_of(character: str) -> str:
    if character.isascii():
        return LATIN
    name = unicodedata.name(character, "")
    if name.startswith(("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA")):
        return KANA
    if name.startswith("CJK"):
        return HAN
    return _GREEK if name.startswith(_GREEK) else LATIN


def _main_script(counts: Counter[str]) -> str:
    if counts[KANA] > 0.1 * (counts[HAN] + counts[KANA]) and counts[HAN] + counts[KANA] > counts[LATIN]:
        return KANA
    script = max(counts, key=lambda name: counts[name])
    return "" if script == _GREEK or counts[_GREEK] > 0.15 * sum(counts.values()) else script
