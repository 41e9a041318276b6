"""PP-OCR's recognition network as RapidOCR packs it: Latin, Chinese and Japanese in one model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from apps.pages.model import languages as languages_
from apps.pages.model.languages import HAN, KANA, LATIN, Language
from ocr_worker.engines.base import FoundLine, FoundWord, Gray
from ocr_worker.networks.ppocr import Detector, Quad, Recognizer, Strip, cut_out

SCRIPTS = frozenset({LATIN, HAN, KANA})
# Written with letters that the network's list does not have.
_NOT_KNOWN = frozenset({"vi"})
_PUNCTUATION = frozenset("€£¥©®™°§¶†‡•·…№‰′″→←↑↓≤≥≠≈±×÷−∞√")


class Runtime(Protocol):
    """A module that loads the networks: ``openvino_runtime``, ``onnx_runtime``."""

    VERSION: str

    def detector(self) -> Detector: ...

    def recognizer(self, keep: Callable[[str], bool] | None = None) -> Recognizer: ...


class RapidEngine:
    """Reads the lines that the detector found. Both networks, for Latin and for all it knows, are loaded at once: later
    the process may not be permitted to read their files."""

    def __init__(self, name: str, runtime: Runtime) -> None:
        self.name = name
        self.version = f"PP-OCRv6 small, {runtime.VERSION}"
        self._runtime = runtime
        self._latin, self._all = runtime.recognizer(is_latin), runtime.recognizer()

    def detector(self) -> Detector:
        """The detection network on the same runtime."""
        return self._runtime.detector()

    def knows(self, languages: Sequence[Language]) -> bool:
        return all(language.script in SCRIPTS and language.code not in _NOT_KNOWN for language in languages)

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        # A page whose script was guessed from a few lines may hold another one further down.
        told = bool(languages) and not any(map(languages_.is_guess, languages))
        only_latin = told and all(language.script == LATIN for language in languages)
        strips = self.read([cut_out(page, quad) for quad in lines], only_latin=only_latin)
        found = (line_of(quad, strip) for quad, strip in zip(lines, strips, strict=True))
        return [line for line in found if line is not None]

    def read(self, strips: Sequence[Gray], *, only_latin: bool) -> list[Strip]:
        """What these lines say."""
        return (self._latin if only_latin else self._all).read(strips)


def is_latin(character: str) -> bool:
    """Letters of the Latin script, digits, and the marks that stand between them."""
    letter = character[:1]
    if letter.isalpha():
        return "LATIN" in unicodedata.name(letter, "") and "FULLWIDTH" not in unicodedata.name(letter, "")
    return letter < "\u0250" or "\u2010" <= letter <= "\u2044" or letter in _PUNCTUATION


def line_of(quad: Quad, strip: Strip) -> FoundLine | None:
    """The words of a strip where they stand on the page; None where nothing was read."""
    words: list[FoundWord] = []
    half = 0.5 / max(1, len(strip.text))
    start = 0
    for stop in [index for index, character in enumerate(strip.text) if character.isspace()] + [len(strip.text)]:
        if stop > start:
            first, last = strip.places[start] - half, strip.places[stop - 1] + half
            confidence = sum(strip.confidences[start:stop]) / (stop - start)
            words.append(FoundWord(strip.text[start:stop], *_part(quad, first, last), confidence))
        start = stop + 1
    return FoundLine(tuple(words), strip.confidence) if words else None


def _part(quad: Quad, first: float, last: float) -> tuple[float, float, float, float]:
    """The upright box around a stretch of a line, given in shares of its width."""
    first, last = max(0.0, first), min(1.0, last)
    upper, lower = quad[1] - quad[0], quad[2] - quad[3]
    corners = np.array(
        [quad[0] + upper * first, quad[0] + upper * last, quad[3] + lower * first, quad[3] + lower * last]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def make_openvino() -> RapidEngine:
    from ocr_worker.networks import openvino_runtime

    return RapidEngine("rapidocr-openvino", openvino_runtime)


def make_onnx() -> RapidEngine:
    from ocr_worker.networks import onnx_runtime

    return RapidEngine("rapidocr-onnx", onnx_runtime)


def make_cuda() -> RapidEngine:
    from ocr_worker.networks import onnx_runtime

    return RapidEngine("rapidocr-cuda", onnx_runtime.on_cuda())
