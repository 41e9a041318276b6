"""Measure how many bar codes and check boxes are found on drawn pages and on scans: ``python -m bench.barcodes``.

Codes of ten kinds, and check boxes with labels, are drawn on pages of 200 dpi, which are then degraded as a scanner and
a camera do it. Codes that are found on documents of the corpus, and check boxes on its scans, are listed to look at.
Pages are read in engine processes as a worker has them. Prints a table and writes bench/results/barcodes.json.
"""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from apps.pages.model.errors import PageError
from apps.pages.model.page_images.ocr_image import OcrImage, encode_ocr_image
from apps.pages.model.recognition import Recognition, decode_recognition
from apps.pages.sandbox.client import Reader
from bench.figures import CORPUS, Figure, report
from bench.ocr_scoring import DPI, engine_pool, manifest, rendered_scans
from ocr_worker.engine import EngineProcess, OcrRequest
from parse_project.env import cores

ENGINES = ("rapidocr-openvino", "tesseract")
WIDTH, HEIGHT = 1654, 2339
KINDS = {
    "QRCode": "https://example.org/parcels/{}",
    "DataMatrix": "Parcel {}",
    "Aztec": "Parcel {}",
    "PDF417": "Parcel {}",
    "EAN13": "400638{}",
    "EAN8": "96{:.5}",
    "Code128": "Parcel {}",
    "Code39": "PARCEL-{}",
    "ITF": "1234{}",
    "Codabar": "A{}B",
}
CODES_OF_KIND, MODULE_PIXELS = 5, (2, 3, 4)
FORMS, BOXES_OF_FORM = 6, 12
MARKS = ("", "cross", "tick", "dot", "")
LABELS = ("Married", "Single", "Student", "Retired", "Employed", "Insured", "Abroad", "Disabled", "Owner", "Tenant")
MAX_PAGES = 2
CHECKED, UNCHECKED = "☑", "☐"


class Level(NamedTuple):
    """``turn``: most degrees; ``blur``: radius in pixels; ``noise``: standard deviation; ``quality``: of JPEG."""

    name: str
    turn: float
    blur: float
    noise: float
    quality: int


LEVELS = (Level("clean", 0, 0, 0, 100), Level("scanned", 1.0, 0.8, 10, 60), Level("photographed", 2.5, 1.4, 22, 30))


def main() -> int:
    if not CORPUS.is_dir():
        print("The corpus is missing: it is expected in ../shared beside this checkout.")
        return 0
    figures: list[Figure] = []
    with engine_pool(ENGINES, cores()) as run:
        for level in LEVELS:
            figures += code_figures(run, level)
        for level in LEVELS:
            figures += checkbox_figures(run, level)
        figures += corpus_figures(run)
    report("barcodes", figures)
    return 0


def recognition_of(image: bytes, process: EngineProcess, request: OcrRequest) -> Recognition:
    return decode_recognition(process.recognize(image, request))


# --- codes ---


def code_figures(run: Any, level: Level) -> list[Figure]:
    """Return how many of the codes are read, how many of another value are, and the time of a page."""
    pages = [code_page(kind, number, level) for kind in KINDS for number in range(CODES_OF_KIND)]
    seconds: list[float] = []

    def read(page: tuple[str, str, bytes], process: EngineProcess) -> list[str]:
        begun = time.perf_counter()
        found = recognition_of(page[2], process, OcrRequest(only_barcodes=True)).barcodes
        seconds.append(time.perf_counter() - begun)
        return [code.value for code in found]

    right: Counter[str] = Counter()
    wrong = 0
    for (kind, value, _), found in zip(pages, run(read, pages), strict=True):
        right[kind] += value in found
        wrong += sum(each != value for each in found)
    figures = [
        Figure(f"{level.name}: {kind} codes read of {CODES_OF_KIND}", float(right[kind]), "codes") for kind in KINDS
    ]
    return [
        *figures,
        Figure(f"{level.name}: codes read of {len(pages)}", float(right.total()), "codes"),
        Figure(f"{level.name}: wrong codes", float(wrong), "codes", 0.0),
        Figure(f"{level.name}: search of a page, median", float(np.median(seconds)) * 1000, "ms"),
    ]


def code_page(kind: str, number: int, level: Level) -> tuple[str, str, bytes]:
    """Return the kind, the value and the image of a page with text and one code."""
    chance = Random(f"{kind} {number}")
    code = zxingcpp.create_barcode(
        KINDS[kind].format(str(chance.randrange(100_000, 1_000_000))), getattr(zxingcpp.BarcodeFormat, kind)
    )
    scale = MODULE_PIXELS[number % len(MODULE_PIXELS)]
    drawn = Image.fromarray(np.array(code.to_image(scale=scale, add_quiet_zones=True)))
    sheet = page_of_text()
    sheet.paste(drawn, (chance.randrange(100, WIDTH - 100 - drawn.width), chance.randrange(300, HEIGHT - 700)))
    return kind, code.text, as_ocr_image(degraded(sheet, level, chance))


# --- check boxes ---


def checkbox_figures(run: Any, level: Level) -> list[Figure]:
    forms = [form(number, level) for number in range(FORMS)]

    def read(page: tuple[list[tuple[str, bool]], bytes], process: EngineProcess) -> list[str]:
        found = recognition_of(page[1], process, OcrRequest(("en",)))
        return ["".join(word.text for word in line.words) for line in found.lines]

    total = right = other = wrong = 0
    for (boxes, _), lines in zip(forms, run(read, forms), strict=True):
        total += len(boxes)
        marks = sum(line.count(CHECKED) + line.count(UNCHECKED) for line in lines)
        of_boxes = 0
        for label, is_checked in boxes:
            line = next((line for line in lines if label in line), "")
            mark = next((letter for letter in line if letter in (CHECKED, UNCHECKED)), "")
            of_boxes += bool(mark)
            right += mark == (CHECKED if is_checked else UNCHECKED)
            wrong += mark == (UNCHECKED if is_checked else CHECKED)
        other += marks - of_boxes
    return [
        Figure(f"{level.name}: check boxes of {total} right", float(right), "boxes"),
        Figure(f"{level.name}: check boxes found in the wrong state", float(wrong), "boxes", 0.0),
        Figure(f"{level.name}: marks where there is no box", float(other), "boxes", 0.0),
    ]


def form(number: int, level: Level) -> tuple[list[tuple[str, bool]], bytes]:
    """Return the labels and states of the boxes of a form, and its image."""
    chance = Random(f"form {number}")
    sheet = page_of_text(rows=8)
    draw = ImageDraw.Draw(sheet)
    boxes = []
    for row in range(BOXES_OF_FORM):
        side, width, mark = chance.choice((24, 30, 36)), chance.choice((2, 3)), chance.choice(MARKS)
        label = f"{LABELS[row % len(LABELS)]} {number}{row:02}"
        x, y = 180, 700 + 110 * row
        draw.rectangle((x, y, x + side, y + side), outline="black", width=width)
        draw_mark(draw, mark, x, y, side)
        draw.text((x + side + 18, y - 4), label, fill="black", font_size=34)
        boxes.append((label.replace(" ", ""), bool(mark)))
    return boxes, as_ocr_image(degraded(sheet, level, chance))


def draw_mark(draw: ImageDraw.ImageDraw, mark: str, x: int, y: int, side: int) -> None:
    if mark == "cross":
        draw.line((x + 4, y + 4, x + side - 4, y + side - 4), fill="black", width=3)
        draw.line((x + side - 4, y + 4, x + 4, y + side - 4), fill="black", width=3)
    elif mark == "tick":
        draw.line((x + 4, y + side // 2, x + side // 2, y + side - 4), fill="black", width=3)
        draw.line((x + side // 2, y + side - 4, x + side + side // 4, y - side // 4), fill="black", width=3)
    elif mark == "dot":
        draw.ellipse((x + side // 4, y + side // 4, x + side - side // 4, y + side - side // 4), fill="black")


# --- drawing ---


def page_of_text(rows: int = 45) -> Image.Image:
    sheet = Image.new("L", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    for row in range(rows):
        draw.text(
            (120, 120 + 48 * row), "The supplier delivers the goods within thirty days.", fill="black", font_size=30
        )
    return sheet


def degraded(sheet: Image.Image, level: Level, chance: Random) -> Image.Image:
    """Return the page turned, blurred, noisy and compressed."""
    if level.quality == 100:
        return sheet
    sheet = sheet.rotate(chance.uniform(-level.turn, level.turn), Image.Resampling.BICUBIC, fillcolor="white")
    pixels = np.asarray(sheet.filter(ImageFilter.GaussianBlur(level.blur)), np.float32)
    noise = np.random.default_rng(chance.randrange(2**32)).normal(0, level.noise, pixels.shape)
    compressed = io.BytesIO()
    noisy = np.clip(pixels * 0.85 + 30 + noise, 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(compressed, "JPEG", quality=level.quality)
    return Image.open(compressed).convert("L")


def as_ocr_image(sheet: Image.Image) -> bytes:
    return encode_ocr_image(OcrImage(sheet.width, sheet.height, DPI, sheet.tobytes()))


# --- the corpus ---


def corpus_figures(run: Any) -> list[Figure]:
    """Return how much is found on documents of the corpus, of which few or none have codes or boxes."""
    pages = list(born_digital_pages())
    found: list[int] = run(lambda page, process: listed(page[0], codes_of(page[1], process)), pages)
    scans = [(sheet.document, sheet.image, sheet.languages) for sheet in rendered_scans("")]
    found += run(lambda page, process: listed(page[0], codes_of(page[1], process)), scans)
    marks: list[int] = run(lambda page, process: listed(page[0], marks_of(page, process)), scans)
    return [
        Figure(f"codes on {len(pages) + len(scans)} pages of the corpus", float(sum(found)), "codes"),
        Figure(f"check boxes on {len(scans)} scans of the corpus", float(sum(marks)), "boxes"),
    ]


def born_digital_pages() -> Iterator[tuple[str, bytes]]:
    """Yield the first pages of documents, rendered as in the service."""
    with Reader() as reader:
        for folder in ("markdown", "tables", "text"):
            for entry in manifest(CORPUS / folder):
                path = CORPUS / folder / entry["file"]
                facts = reader.inspect(path)
                for number in range(1, min(facts.page_count, MAX_PAGES) + 1):
                    image = reader.render(path, number, dpi=DPI, media_type=facts.media_type)
                    yield f"{path.name}, page {number}", image


def codes_of(image: bytes, process: EngineProcess) -> list[str]:
    found = recognition_of(image, process, OcrRequest(only_barcodes=True)).barcodes
    return [f"{code.format}: {code.value}" for code in found]


def marks_of(page: tuple[str, bytes, tuple[str, ...]], process: EngineProcess) -> list[str]:
    try:
        lines = recognition_of(page[1], process, OcrRequest(page[2])).lines
    except PageError as error:  # without the language pack, a page is not read
        print(f"{page[0]}: {error.code}", flush=True)
        return []
    texts = [" ".join(word.text for word in line.words) for line in lines]
    return [text for text in texts for _ in range(text.count(CHECKED) + text.count(UNCHECKED))]


def listed(name: str, found: list[str]) -> int:
    for each in found:
        print(f"{name}: {each}", flush=True)
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
