"""Pages in many scripts, born digital and scanned, whose language is named or not."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from PIL import Image

from apps.pages.layout.recognized_page import lay_out
from apps.pages.model.blocks import Page
from apps.pages.model.errors import PageError
from apps.pages.model.page_images.ocr_image import OcrImage, encode_ocr_image
from apps.pages.model.recognition import Recognition, decode_recognition
from apps.pages.reading.page_reading import read_pages
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.language_packs import installed_packs
from tests.documents.scans import LINES, picture
from tests.documents.scripts import DPI, SAMPLES, born_digital, scan, vertical_scan
from tests.integration.ocr.conftest import process_with

# Tesseract confuses a few letters of drawn words.
MIN_LIKENESS = 0.85


@pytest.mark.parametrize("name", SAMPLES)
def test_born_digital_text_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    (page,) = read_pages(str(born_digital(name, tmp_path)), [1])

    assert isinstance(page, Page)
    assert " ".join(block.text for block in page.blocks) == SAMPLES[name].text


@pytest.mark.parametrize("name", ["arabic", "persian", "thai", "japanese", "chinese"])
def test_a_scan_is_read_in_its_own_script(engine: EngineProcess, name: str) -> None:
    recognition = read(engine, name)

    assert likeness(recognition, name) > MIN_LIKENESS
    assert recognition.warnings == ()


@pytest.mark.parametrize("name", ["japanese", "chinese"])
def test_a_scan_in_columns_is_read_from_the_right(engine: EngineProcess, name: str) -> None:
    assert likeness(read_page(engine, vertical_scan(name)), name) > MIN_LIKENESS


@pytest.mark.parametrize(("name", "code"), [("arabic", "ar"), ("thai", "th"), ("japanese", "ja"), ("chinese", "zh")])
def test_a_scan_is_read_in_the_language_that_is_named(engine: EngineProcess, name: str, code: str) -> None:
    assert likeness(read(engine, name, code), name) > MIN_LIKENESS


@pytest.mark.parametrize(("name", "packs"), [("hebrew", {"heb"}), ("hindi", {"hin"}), ("korean", {"kor"})])
def test_a_scan_without_its_language_pack_is_an_error(engine: EngineProcess, name: str, packs: set[str]) -> None:
    if packs & installed_packs():
        pytest.skip("this machine has the pack")

    with pytest.raises(PageError) as failure:
        read(engine, name)

    assert failure.value.code == "language_not_installed"


@pytest.mark.parametrize(("name", "code"), [("hebrew", "he"), ("hindi", "hi"), ("korean", "ko")])
def test_a_language_without_its_pack_is_an_error(engine: EngineProcess, name: str, code: str) -> None:
    if {"he": "heb", "hi": "hin", "ko": "kor"}[code] in installed_packs():
        pytest.skip("this machine has the pack")

    with pytest.raises(PageError) as failure:
        read(engine, name, code)

    assert failure.value.code == "language_not_installed"


@pytest.mark.parametrize("name", ["arabic", "hebrew", "hindi", "thai", "korean"])
def test_without_tesseract_a_scan_in_another_script_has_a_warning_and_no_garbage(name: str) -> None:
    with process_with("rapidocr-openvino") as alone:
        recognition = read(alone, name)

    assert recognition.lines == ()
    assert recognition.warnings == ("script_not_read",)


def below_english(name: str) -> Image.Image:
    """Return a page of English lines with the scan of a sample below them."""
    page = Image.new("L", (1654, 1400), 255)
    page.paste(picture(LINES, size=40, width=1654, height=480), (0, 0))
    page.paste(scan(name).crop((0, 0, 1654, 900)), (0, 480))
    return page


def test_lines_in_another_script_below_english_are_read(engine: EngineProcess) -> None:
    recognition = read_page(engine, below_english("thai"))

    text = "".join("".join(block.text.split()) for block in lay_out(recognition))
    assert "".join(" ".join(LINES).split()) in text
    assert difflib.SequenceMatcher(None, text, "".join(SAMPLES["thai"].text.split()), autojunk=False).ratio() > 0.5
    assert recognition.warnings == ()


def test_lines_in_a_script_without_its_pack_below_english_are_no_garbage(engine: EngineProcess) -> None:
    if {"heb", "script/Hebrew"} & installed_packs():
        pytest.skip("this machine has the pack")

    recognition = read_page(engine, below_english("hebrew"))

    assert " ".join(block.text for block in lay_out(recognition)) == " ".join(LINES)
    assert recognition.warnings == ("script_not_read",)


def read(engine: EngineProcess, name: str, *languages: str) -> Recognition:
    return read_page(engine, scan(name), *languages)


def read_page(engine: EngineProcess, page: Image.Image, *languages: str) -> Recognition:
    image = encode_ocr_image(OcrImage(page.width, page.height, float(DPI), page.tobytes()))
    return decode_recognition(engine.recognize(image, OcrRequest(languages)))


def likeness(recognition: Recognition, name: str) -> float:
    text = "".join("".join(block.text.split()) for block in lay_out(recognition))
    return difflib.SequenceMatcher(None, text, "".join(SAMPLES[name].text.split()), autojunk=False).ratio()
