"""The recognition network of PP-OCR, as packaged by RapidOCR: Latin, Chinese and Japanese in one model."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from apps.pages.model.text import languages as languages_
from apps.pages.model.text.languages import HAN, KANA, LATIN, Language
from ocr_worker.engines.base import FoundLine, FoundWord, Gray, Needs, OcrEngine, needs
from ocr_worker.networks.ppocr import Detector, Quad, Recognizer, Strip, cut_out

SCRIPTS = frozenset({LATIN, HAN, KANA})
# Languages with letters that the network's list lacks.
_UNKNOWN_LANGUAGES = frozenset({"vi"})
_PUNCTUATION = frozenset("€£¥©®™°§¶†‡•·…№‰′″→←↑↓≤≥≠≈±×÷−∞√")


class Runtime(Protocol):
    """A module that loads the networks: ``openvino_runtime``, ``onnx_runtime``."""

    VERSION: str

    def detector(self) -> Detector: ...

    def recognizer(self, keep: Callable[[str], bool] | None = None) -> Recognizer: ...


class RapidEngine(OcrEngine):
    """Reads the lines that the detector found.

    Both networks, for Latin letters and for all characters, are loaded at once: later the process may not be permitted
    to read their files.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        self.name = name
        self.version = f"PP-OCRv6 small, {runtime.VERSION}"
        self._runtime = runtime
        self._latin, self._all = runtime.recognizer(is_latin), runtime.recognizer()

    def detector(self) -> Detector:
        return self._runtime.detector()

    def knows(self, languages: Sequence[Language]) -> bool:
        return all(language.script in SCRIPTS and language.code not in _UNKNOWN_LANGUAGES for language in languages)

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        # If the script was guessed from a few lines, another one may follow further down the page.
        is_requested = bool(languages) and not any(map(languages_.is_guess, languages))
        only_latin = is_requested and all(language.script == LATIN for language in languages)
        recognizer = self._latin if only_latin else self._all
        strips = recognizer.read([cut_out(page, quad) for quad in lines])
        found = (line_of(quad, strip) for quad, strip in zip(lines, strips, strict=True))
        return [line for line in found if line is not None]

    def read_any_script(self, strips: Sequence[Gray]) -> list[Strip]:
        return self._all.read(strips)


def is_latin(character: str) -> bool:
    """Return True for letters of the Latin script, digits and the marks used between them."""
    letter = character[:1]
    if letter.isalpha():
        return "LATIN" in unicodedata.name(letter, "") and "FULLWIDTH" not in unicodedata.name(letter, "")
    return letter < "\u0250" or "\u2010" <= letter <= "\u2044" or letter in _PUNCTUATION


def line_of(quad: Quad, strip: Strip) -> FoundLine | None:
    """Return the words of a strip with their boxes on the page; None if nothing was read."""
    words: list[FoundWord] = []
    half = 0.5 / max(1, len(strip.text))
    upper, lower = quad[1] - quad[0], quad[2] - quad[3]
    start = 0
    for stop in [index for index, character in enumerate(strip.text) if character.isspace()] + [len(strip.text)]:
        if stop > start:
            first, last = max(0.0, strip.places[start] - half), min(1.0, strip.places[stop - 1] + half)
            corners = np.array(
                [quad[0] + upper * first, quad[0] + upper * last, quad[3] + lower * first, quad[3] + lower * last]
            )
            x0, top = corners.min(axis=0).tolist()
            x1, bottom = corners.max(axis=0).tolist()
            confidence = sum(strip.confidences[start:stop]) / (stop - start)
            words.append(FoundWord(strip.text[start:stop], x0, top, x1, bottom, confidence))
        start = stop + 1
    return FoundLine(tuple(words), strip.confidence) if words else None


def make_openvino() -> RapidEngine:
    from ocr_worker.networks import openvino_runtime

    return RapidEngine("rapidocr-openvino", openvino_runtime)


def make_onnx() -> RapidEngine:
    from ocr_worker.networks import onnx_runtime

    return RapidEngine("rapidocr-onnx", onnx_runtime)


@needs(Needs.DEVICES)
def make_cuda() -> RapidEngine:
    from ocr_worker.networks import onnx_runtime

    return RapidEngine("rapidocr-cuda", onnx_runtime.on_cuda())
