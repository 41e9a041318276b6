"""The page reader uses the abilities of any engine, not only of those that come with Leafmill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from apps.pages.model.text import languages
from apps.pages.model.text.languages import GREEK, Language
from ocr_worker.engines.base import FoundLine, FoundWord, Gray, OcrEngine
from ocr_worker.engines.null import NullEngine
from ocr_worker.errors import LanguagePackMissing
from ocr_worker.networks.ppocr import Detector, Quad, Strip
from ocr_worker.recognition import PageReader, Request

PAGE = np.full((200, 400), 255, np.uint8)
LINE = np.array([[20, 20], [300, 20], [300, 40], [20, 40]], np.float32)


class OneLine(Detector):
    """Finds the same line on every page."""

    def __init__(self) -> None:
        super().__init__(network=lambda batch: [])

    def find_in_all(self, images: Sequence[Gray], *, side: int | None = None) -> list[list[Quad]]:
        return [[LINE] for _ in images]


class Able(OcrEngine):
    """An engine with all abilities. It reads the line as ``text``."""

    name, version = "able", "1"
    reads_old_print = True

    def __init__(self, text: str, *, known: bool = True) -> None:
        self.text = text
        self.known = known
        self.languages: list[tuple[str, ...]] = []

    def knows(self, languages: Sequence[Language]) -> bool:
        return self.known

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        self.languages.append(tuple(language.code for language in languages))
        return [FoundLine((FoundWord(self.text, 20, 20, 300, 40, 0.9),), 0.9)]

    def read_any_script(self, strips: Sequence[Gray]) -> list[Strip]:
        return [Strip("", 0.0, (), ()) for _ in strips]

    def script_of(self, page: Gray) -> str:
        return GREEK

    def read_strips(self, strips: Sequence[Gray], languages: Sequence[Language]) -> str:
        return "ſo iſt es"

    def missing_pack(self, languages: Sequence[Language]) -> LanguagePackMissing | None:
        return LanguagePackMissing("Install the able pack.")


def read(*engines: OcrEngine, codes: Sequence[str] = ()) -> Any:
    return PageReader(OneLine(), engines).recognize(PAGE, Request(72.0, languages.find_all(codes)))


def test_the_script_is_detected_by_the_engine_that_can() -> None:
    engine = Able("Ελληνικά κείμενα")

    assert read(engine).languages == ("greek",)
    assert engine.languages[0] == ("greek",)


def test_an_old_print_is_read_by_the_engine_that_can() -> None:
    class Modern(NullEngine):
        name = "modern"

        def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
            return [FoundLine((FoundWord("fo ift es fo", 20, 20, 300, 40, 0.9),), 0.9)]

    engine = Able("ſo iſt es ſo")

    recognition = read(Modern(), engine, codes=["de"])

    assert recognition.engine == "able"
    assert engine.languages == [("frk",)]


def test_a_missing_language_is_explained_by_the_engine_that_can() -> None:
    with pytest.raises(LanguagePackMissing, match="able pack"):
        read(Able("", known=False), codes=["ka"])


def test_an_engine_without_abilities_is_enough() -> None:
    assert read(NullEngine()).languages == ("latin",)


class OfNoScript(NullEngine):
    """Reads next to nothing in lines of any script, as the network does in Arabic."""

    def read_any_script(self, strips: Sequence[Gray]) -> list[Strip]:
        return [Strip(" D  ", 0.6, (0.1, 0.2, 0.5, 0.9), (0.6,) * 4) for _ in strips]


def test_a_script_that_nobody_can_tell_gives_a_warning_and_no_text() -> None:
    recognition = read(OfNoScript())

    assert recognition.lines == ()
    assert recognition.warnings == ("script_not_read",)


def test_a_script_without_any_language_here_is_named() -> None:
    class Khmer(OfNoScript):
        def script_of(self, page: Gray) -> str:
            return "Khmer"

    with pytest.raises(LanguagePackMissing, match="Khmer"):
        read(Khmer())
