"""Pages from scanners and cameras: turned, crooked, dim, in an unnamed language."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from apps.pages.layout.recognized_page import apply_recognition, lay_out
from apps.pages.model.blocks import Page
from apps.pages.model.errors import PageError
from apps.pages.model.page_images.ocr_image import OcrImage, encode_ocr_image
from apps.pages.model.recognition import Recognition, decode_recognition
from apps.pages.reading.page_reading import read_pages, render_for_ocr
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.errors import OcrFailed, OcrTimeout
from tests.documents.scans import DPI, LINES, picture, ruled_table, text_beside_a_picture
from tests.integration.ocr.conftest import process_with

PDF = "application/pdf"
# Runs a command as a user id without a name on this machine.
UNKNOWN_USER = ("unshare", "--user", "--map-user=54321")


def encoded(page: Image.Image) -> bytes:
    return encode_ocr_image(OcrImage(page.width, page.height, float(DPI), page.tobytes()))


def read(engine: EngineProcess, page: Image.Image, *languages: str) -> Recognition:
    return decode_recognition(engine.recognize(encoded(page), OcrRequest(languages)))


def text_of(recognition: Recognition) -> str:
    return " ".join(block.text for block in lay_out(recognition))


@pytest.mark.parametrize(("counterclockwise", "orientation"), [(0, 0), (90, 90), (180, 180), (270, 270)])
def test_a_page_is_turned_upright(engine: EngineProcess, counterclockwise: int, orientation: int) -> None:
    recognition = read(engine, picture().rotate(counterclockwise, expand=True), "en")
    assert recognition.orientation == orientation
    assert text_of(recognition) == " ".join(LINES)


@pytest.mark.parametrize("margin", [0, 40])
def test_a_ruled_table_in_a_picture_below_text_is_read_whole(
    engine: EngineProcess, tmp_path: Path, margin: int
) -> None:
    rows = [("Vessel", "Hull", "Built at Leith"), ("Anna", "120", "1904"), ("Brigid", "60", "1911")]
    path = tmp_path / "table.pdf"
    own = "These words are typeset and long enough to be a text layer of their own."
    path.write_bytes(text_beside_a_picture(own, ruled_table(rows, margin=margin)))
    (page,) = read_pages(str(path), [1], media_type=PDF)
    assert isinstance(page, Page)
    image = encode_ocr_image(render_for_ocr(str(path), 1, media_type=PDF, dpi=200))

    read = apply_recognition(page, decode_recognition(engine.recognize(image, OcrRequest(("en",)))))

    assert [block.text for block in read.blocks if block.text] == [own]
    (table,) = (block for block in read.blocks if block.cells)
    assert [cell.text for cell in table.cells] == [text for row in rows for text in row]


@pytest.mark.parametrize("degrees", [-4.0, 1.5])
def test_a_crooked_page_is_straightened_and_its_boxes_fit_the_original(engine: EngineProcess, degrees: float) -> None:
    page = picture().rotate(-degrees, fillcolor=255, resample=Image.Resampling.BICUBIC)  # clockwise when positive
    recognition = read(engine, page, "en")

    assert recognition.skew == pytest.approx(degrees, abs=0.3)
    assert text_of(recognition) == " ".join(LINES)
    scale, pixels = DPI / 72, np.asarray(page)
    for block in lay_out(recognition):
        for line in block.lines:
            box = line.box
            part = pixels[int(box.top * scale) : int(box.bottom * scale), int(box.x0 * scale) : int(box.x1 * scale)]
            assert part.min() < 100


def test_grey_paper_in_uneven_light_is_read(engine: EngineProcess) -> None:
    pixels = np.asarray(picture(), np.float32)
    shade = np.linspace(0.25, 0.8, pixels.shape[1])[None, :]
    dim = Image.fromarray(((pixels * 0.5 + 90) * shade).astype(np.uint8))
    assert text_of(read(engine, dim, "en")) == " ".join(LINES)


def test_white_letters_on_black_are_read(engine: EngineProcess) -> None:
    page = picture()
    assert text_of(read(engine, Image.eval(page, lambda value: 255 - value), "en")) == " ".join(LINES)


def test_without_a_language_the_script_is_detected(engine: EngineProcess) -> None:
    recognition = read(engine, picture())
    assert recognition.languages == ("latin",)
    assert text_of(recognition) == " ".join(LINES)


def test_the_result_has_engine_version_confidence_and_attempts(engine: EngineProcess) -> None:
    recognition = read(engine, picture(), "en")
    assert recognition.engine == "rapidocr-openvino"
    assert recognition.version.startswith("PP-OCR")
    assert recognition.confidence > 0.9
    assert [(attempt.reason, attempt.languages) for attempt in recognition.attempts] == [("first choice", "en")]
    assert recognition.seconds > 0


def test_a_blank_page_has_an_empty_result(engine: EngineProcess) -> None:
    recognition = read(engine, Image.new("L", (800, 1100), 255), "en")
    assert (recognition.lines, recognition.engine) == ((), "")


def test_noise_is_not_text_and_is_read_quickly(engine: EngineProcess) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (1754, 1240), np.uint8)
    recognition = read(engine, Image.fromarray(noise), "en")
    assert sum(len(line.words) for line in recognition.lines) < 20
    assert recognition.seconds < 30


def test_a_missing_language_pack_names_the_package(engine: EngineProcess) -> None:
    with pytest.raises(PageError, match="apt-get install tesseract-ocr-kat") as raised:
        engine.recognize(encoded(picture()), OcrRequest(("ka",)))
    assert raised.value.code == "language_not_installed"


def test_without_tesseract_the_network_reads_and_other_scripts_are_refused() -> None:
    with process_with("rapidocr-openvino") as alone:
        assert text_of(read(alone, picture(), "en")) == " ".join(LINES)
        with pytest.raises(PageError, match="Only Tesseract reads Russian"):
            alone.recognize(encoded(picture()), OcrRequest(("ru",)))


def test_a_page_that_takes_too_long_is_stopped_and_the_next_one_is_read() -> None:
    with process_with("rapidocr-openvino", page_seconds=60) as engine:
        read(engine, picture(), "en")
        engine.limit_page_seconds(0.05)
        with pytest.raises(OcrTimeout):
            engine.recognize(encoded(picture(LINES * 6, size=14, height=1400)), OcrRequest(("en",)))
        engine.limit_page_seconds(60)
        assert text_of(read(engine, picture(), "en")) == " ".join(LINES)


def test_a_process_that_uses_too_much_memory_is_killed() -> None:
    with process_with("rapidocr-openvino", memory_mb=50) as engine, pytest.raises(OcrFailed, match="OCR_MEMORY_MB"):
        read(engine, picture(LINES * 6, size=14, height=1400), "en")


def test_other_bytes_are_refused_and_the_process_keeps_running(engine: EngineProcess) -> None:
    pid = engine.pid
    with pytest.raises(PageError):
        engine.recognize(b"no image at all", OcrRequest(("en",)))
    assert text_of(read(engine, picture(), "en")) == " ".join(LINES)
    assert engine.pid == pid


def test_pages_are_read_as_a_user_without_an_entry_and_a_home() -> None:
    """A container may run as a user that is only a number."""
    read_one = (
        "import sys; from ocr_worker.engine import OcrRequest\n"
        "from tests.integration.ocr.conftest import process_with\n"
        "with process_with('rapidocr-openvino', 'tesseract') as engine:\n"
        "    sys.stdout.buffer.write(engine.recognize(sys.stdin.buffer.read(), OcrRequest(('en',))))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME")}
    done = subprocess.run(
        [*UNKNOWN_USER, sys.executable, "-B", "-c", read_one],
        cwd=Path(__file__).resolve().parents[3],
        env=environment,
        input=encoded(picture()),
        capture_output=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr.decode()
    assert text_of(decode_recognition(done.stdout)) == " ".join(LINES)


def test_each_picture_of_a_sheet_is_read_on_its_own(engine: EngineProcess) -> None:
    first, second = picture(), picture().rotate(90, expand=True)
    sheet = Image.new("L", (max(first.width, second.width), first.height + second.height), "white")
    sheet.paste(first, (0, 0))
    sheet.paste(second, (0, first.height))
    request = OcrRequest(("en",), parts=((first.width, first.height), (second.width, second.height)))
    image = encoded(sheet)

    recognition = decode_recognition(engine.recognize(image, request))
    assert [part.orientation for part in recognition.parts] == [0, 90]
    for part in recognition.parts:
        assert " ".join(word.text for line in part.lines for word in line.words) == " ".join(LINES)
    assert (recognition.lines, request.pages) == ((), 1)
    with pytest.raises(PageError):
        engine.recognize(image, OcrRequest(parts=((first.width, 2 * sheet.height),)))


def test_check_boxes_of_a_form_are_list_items(engine: EngineProcess) -> None:
    form = Image.new("L", (1200, 700), "white")
    draw = ImageDraw.Draw(form)
    draw.text((80, 60), "Application for membership of the DOQ club", fill="black", font_size=40)
    answers = (("Single", False), ("Married", True), ("Other", False), ("On holiday", True))
    for row, (label, is_checked) in enumerate(answers):
        x, top = 80, 180 + 110 * row
        draw.rectangle((x, top, x + 34, top + 34), outline="black", width=2)
        if is_checked:
            draw.line((x + 4, top + 4, x + 30, top + 30), fill="black", width=4)
            draw.line((x + 30, top + 4, x + 4, top + 30), fill="black", width=4)
        draw.text((x + 60, top - 4), label, fill="black", font_size=36)

    blocks = lay_out(read(engine, form, "en"))
    assert [(block.marker, block.text) for block in blocks[1:]] == [
        ("☑" if is_checked else "☐", label) for label, is_checked in answers
    ]
    assert "DOQ" in blocks[0].text
