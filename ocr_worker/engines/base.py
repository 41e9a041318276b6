"""What every OCR engine is: a name, a version, the languages it knows, and ``recognize``.

An engine gets a straightened grey page, the lines that the detector found on it and the languages to expect, and
answers with lines of words in pixels of that page. It raises whatever its library raises: the caller turns that into
``ocr_failed`` and tries another engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.pages.model.languages import Language
from ocr_worker.networks.ppocr import Quad

Gray = NDArray[np.uint8]


class FoundWord(NamedTuple):
    """A word in pixels; ``confidence`` 0.0-1.0."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    confidence: float


class FoundLine(NamedTuple):
    """Words of one printed line (of one column), in reading order."""

    words: tuple[FoundWord, ...]
    confidence: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


class OcrEngine(Protocol):
    """One engine, loaded. Belongs to the process that made it."""

    name: str
    version: str

    def knows(self, languages: Sequence[Language]) -> bool:
        """Whether it can read all of these."""

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        """The page's text; an empty list for a page without any. ``languages``: the first is the main one."""
