"""The contract of every engine. A new engine is a file, an entry here and one in ocr_worker/settings.py."""

from __future__ import annotations

import importlib
from functools import cache

import numpy as np
import pytest

from apps.pages.model.text import languages
from ocr_worker.engines.base import FoundLine, OcrEngine
from ocr_worker.networks import openvino_runtime
from ocr_worker.networks.ppocr import Detector
from ocr_worker.settings import ENGINES
from tests.documents.scans import LINES, picture, typeset

READERS = ["rapidocr-openvino", "rapidocr-onnx", "tesseract", "pytesseract"]
ENGLISH = languages.find_all(["en"])


@cache
def engine_called(name: str) -> OcrEngine:
    module, _, function = ENGINES[name].partition(":")
    engine: OcrEngine = getattr(importlib.import_module(module), function)()
    return engine


@cache
def detector() -> Detector:
    return openvino_runtime.detector()


def read(name: str, page: np.ndarray, codes: tuple[str, ...] = ("en",)) -> list[FoundLine]:
    return engine_called(name).recognize(page, detector().find(page), languages.find_all(codes))


@pytest.mark.parametrize("name", READERS)
def test_it_reads_a_clean_page_word_for_word(name: str) -> None:
    lines = sorted(read(name, np.asarray(picture())), key=lambda line: line.words[0].top)
    assert [line.text for line in lines] == list(LINES)


@pytest.mark.parametrize("name", READERS)
def test_the_boxes_of_words_are_where_the_page_shows_them(name: str) -> None:
    page = np.asarray(picture())
    words = [word for line in read(name, page) for word in line.words]
    for word in words:
        assert 0 <= word.x0 < word.x1 <= page.shape[1]
        assert 0 <= word.top < word.bottom <= page.shape[0]
        assert 0.5 < word.confidence <= 1.0
        assert page[int(word.top) : int(word.bottom) + 1, int(word.x0) : int(word.x1) + 1].min() < 128  # there is ink
    mill, stands = words[1], words[2]
    assert (mill.text, stands.text) == ("mill", "stands")
    assert 80 < mill.x0 < mill.x1 <= stands.x0 + 5


@pytest.mark.parametrize("name", [*READERS, "null"])
def test_it_finds_nothing_on_a_blank_page(name: str) -> None:
    assert read(name, np.full((700, 500), 255, np.uint8)) == []


@pytest.mark.parametrize("name", [*READERS, "null"])
def test_it_has_a_name_a_version_and_languages(name: str) -> None:
    engine = engine_called(name)
    assert engine.name == name
    assert engine.version
    assert engine.knows(ENGLISH)


@pytest.mark.parametrize("name", ["rapidocr-openvino", "tesseract"])
def test_letters_with_marks_are_read(name: str) -> None:
    text = "Über die Mühle schläft der Häusler"
    (line,) = read(name, np.asarray(typeset(text)), ("de",))
    assert line.text == text


def test_the_network_leaves_other_scripts_to_tesseract() -> None:
    rapid, tesseract = engine_called("rapidocr-openvino"), engine_called("tesseract")
    for code in ("ru", "el", "ar", "he", "hi", "vi"):
        assert not rapid.knows(languages.find_all([code]))
    for code in ("ja", "ch_sim", "fr"):
        assert rapid.knows(languages.find_all([code]))
    assert tesseract.knows(languages.find_all(["en", "de"]))
