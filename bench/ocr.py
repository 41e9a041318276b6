"""Measure how well and how fast pages are recognized: ``make bench-ocr [ARGS="accuracy steps rasterised speed"]``.

accuracy   every engine over ../shared/corpus/scans, scored by ../shared/score/score.py; languages given and not given
steps      the same with one step of recognition omitted at a time, which shows what the step gains
rasterised born-digital pages of ../shared/corpus/markdown as pictures at 200 dpi, against their own text layer
speed      pages a minute and memory over ../shared/corpus/speed/scan-40p-c.pdf, by engine, processes and resolution

Pages are rendered and laid out as in the service; recognition runs in engine processes as a worker has them. Figures go
to bench/results/ocr-*.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.page_images.ocr_image import OcrImage, decode_ocr_image, encode_ocr_image
from apps.pages.model.recognition import decode_recognition, encode_recognition
from apps.pages.model.text import languages
from apps.pages.sandbox.client import Limits, Reader
from bench.figures import RESULTS
from bench.ocr_scoring import (
    DPI,
    METRICS,
    SCANS,
    SCORE,
    SHARED,
    Sheet,
    engine_pool,
    manifest,
    rendered_scans,
    run_score,
    score_text,
    without_text_layer,
    write_output,
)
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.settings import ENGINES
from parse_project.env import cores

MARKDOWN = SHARED / "corpus" / "markdown"
MAX_RASTERIZED_PAGES = 6
SPEED = SHARED / "corpus" / "speed" / "scan-40p-c.pdf"
DEFAULT = "rapidocr-openvino,tesseract"
COMBINATIONS = (DEFAULT, "tesseract", "pytesseract", "rapidocr-openvino", "rapidocr-onnx")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measures", nargs="*", default=["accuracy", "rasterised", "speed"], help=" ".join(MEASURES))
    parser.add_argument("--engines", nargs="*", default=COMBINATIONS, help="combinations, the preferred engine first")
    parser.add_argument("--only", default="", help="only scans whose names contain this; nothing is recorded")
    parser.add_argument("--each", action="store_true", help="print the score of every document")
    arguments = parser.parse_args()
    if not SCANS.is_dir() or not SCORE.is_file():
        print("The corpus and score.py are missing: they are expected in ../shared beside this checkout.")
        return 0
    if unknown := set(arguments.measures) - set(MEASURES):
        parser.error(f"Unknown measures: {', '.join(unknown)}. Choose from: {', '.join(MEASURES)}.")
    for name in arguments.measures:
        MEASURES[name](arguments)
    return 0


# --- accuracy ---


def measure_accuracy(arguments: argparse.Namespace) -> None:
    sheets = list(rendered_scans(arguments.only))
    figures: dict[str, Any] = {}
    for combination in arguments.engines:
        for with_language in (True, False):
            name = f"{combination}, language {'given' if with_language else 'not given'}"
            started = time.monotonic()
            pages = recognized(sheets, combination.split(","), with_language=with_language)
            seconds = time.monotonic() - started
            scores = score_text(sheets, pages, only=arguments.only, print_each=arguments.each)
            figures[name] = {**scores, "seconds": round(seconds, 1)}
            means = "  ".join(f"{metric} {scores[metric]:.3f}" for metric in METRICS)
            print(f"{name:<52}{means}  {seconds:6.1f} s, {cores()} processes", flush=True)
    record("accuracy", figures, arguments)


def recognized(sheets: Sequence[Sheet], engines: Sequence[str], *, with_language: bool) -> list[Page | PageFailure]:
    """Return the pages with the text that these engines read, with one process per core."""

    def read(sheet: Sheet, process: EngineProcess) -> Page | PageFailure:
        request = OcrRequest(sheet.languages if with_language else ())
        try:
            recognition = decode_recognition(process.recognize(sheet.image, request))
        except Exception as error:  # an engine that does not support a language scores 0 there
            return PageFailure(sheet.page.number, type(error).__name__, str(error))
        page = sheet.page if sheet.page.needs_ocr else without_text_layer(sheet.page)
        return apply_recognition(page, recognition)

    with engine_pool(engines, cores()) as run:
        return run(read, sheets)


# --- steps ---


def measure_steps(arguments: argparse.Namespace) -> None:
    """Omit one step at a time. Recognition runs in children of this process, where functions can be replaced."""
    sheets = list(rendered_scans(arguments.only))
    figures: dict[str, Any] = {}
    for name in ("everything", *WITHOUT):
        with ProcessPoolExecutor(cores(), initializer=load_without_step, initargs=(name,)) as pool:
            started = time.monotonic()
            raws = list(pool.map(recognize_in_this_process, [(sheet.image, sheet.languages) for sheet in sheets]))
            seconds = time.monotonic() - started
        pages = [
            apply_recognition(without_text_layer(sheet.page), decode_recognition(raw))
            for sheet, raw in zip(sheets, raws, strict=True)
        ]
        scores = score_text(sheets, pages, only=arguments.only, print_each=arguments.each)
        figures[name] = {**scores, "seconds": round(seconds, 1)}
        means = "  ".join(f"{metric} {scores[metric]:.3f}" for metric in METRICS)
        print(f"{name:<52}{means}  {seconds:6.1f} s", flush=True)
    record("steps", figures, arguments)


_reader: Any = None


def load_without_step(omitted: str) -> None:
    """Replace the function or constant of one step in this process, then load the default engines."""
    global _reader
    import cv2

    cv2.setNumThreads(1)
    from ocr_worker.engine_process import load

    if omitted in WITHOUT:
        module_name, name, replacement = WITHOUT[omitted]
        module = importlib.import_module(module_name)
        getattr(module, name)  # fails here if the step was renamed; setattr alone would measure nothing
        setattr(module, name, replacement)
    _reader = load([ENGINES[name] for name in DEFAULT.split(",")])


def recognize_in_this_process(sheet: tuple[bytes, tuple[str, ...]]) -> bytes:
    import numpy as np

    from ocr_worker.recognition import Request

    image = decode_ocr_image(sheet[0])
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)
    return encode_recognition(_reader.recognize(pixels, Request(image.dpi, languages.find_all(sheet[1]))))


# For each omitted step: the module, the function or constant in it that is replaced, and the replacement.
WITHOUT: dict[str, tuple[str, str, Any]] = {
    "without straightening": ("ocr_worker.images.straightening", "skew_of", lambda lines: 0.0),
    "without quarter turns": ("ocr_worker.recognition", "lies_on_its_side", lambda lines: False),
    "without the check for pages upside down": ("ocr_worker.recognition", "QUARTER_TURNS_TO_TRY", ()),
    "without the check for old print": ("ocr_worker.recognition", "may_be_old_print", lambda first: False),
    "without a second attempt": ("ocr_worker.recognition", "is_poor", lambda reading, page: False),
    "without joining punctuation to its word": ("ocr_worker.lines.punctuation", "joined", lambda line, languages: line),
    "without English beside other scripts": ("ocr_worker.engines.tesseract", "BESIDE_OTHER_SCRIPTS", ()),
    "without limiting the network to Latin": ("ocr_worker.engines.rapid", "is_latin", lambda character: True),
    "without ruling lines": ("ocr_worker.recognition", "find_rulings", lambda image: []),
    "detector at 960 pixels": ("ocr_worker.recognition", "DETECTION_SIDE", 960),
    "detector at 1600 pixels": ("ocr_worker.recognition", "DETECTION_SIDE", 1600),
}


# --- rasterised ---


def measure_rasterised(arguments: argparse.Namespace) -> None:
    """Compare the Markdown of pages that are read from their picture with that from their text layer."""
    documents: dict[str, list[Sheet]] = {}
    with Reader() as reader:
        for entry in manifest(MARKDOWN):
            if entry["pages"] > MAX_RASTERIZED_PAGES or arguments.only not in entry["file"]:
                continue
            path = MARKDOWN / entry["file"]
            for page in reader.read_range(path, range(1, entry["pages"] + 1)):
                if isinstance(page, Page):
                    image = reader.render(path, page.number, dpi=DPI)
                    documents.setdefault(path.stem, []).append(Sheet(path.stem, page, image, (entry["lang"],)))
    sheets = [sheet for own_sheets in documents.values() for sheet in own_sheets]

    def read(sheet: Sheet, process: EngineProcess) -> Page | PageFailure:
        recognition = decode_recognition(process.recognize(sheet.image, OcrRequest(sheet.languages)))
        return apply_recognition(without_text_layer(sheet.page), recognition)

    with engine_pool(DEFAULT.split(","), cores()) as run:
        pages = dict(zip(map(id, sheets), run(read, sheets), strict=True))
    only = "^(" + "|".join(re.escape(name) for name in documents) + ")$"
    figures: dict[str, Any] = {"documents": len(documents), "pages": len(sheets)}
    for name, page_of in (("text layer", lambda sheet: sheet.page), ("picture", lambda sheet: pages[id(sheet)])):
        with tempfile.TemporaryDirectory(prefix="leafmill-ocr-") as folder:
            for document, own_sheets in documents.items():
                path = Path(folder) / f"{document}.md"
                write_output([page_of(sheet) for sheet in own_sheets], "markdown.md", path)
            means = run_score(Path(folder), MARKDOWN / "truth", "--only", only)["summary"]["means"]
        figures[name] = {metric: round(means[metric], 4) for metric in ("nid", "nid_text")}
        print(f"{name:<52}nid {figures[name]['nid']:.3f}  nid_text {figures[name]['nid_text']:.3f}", flush=True)
    figures["share"] = round(figures["picture"]["nid"] / figures["text layer"]["nid"], 4)
    print(f"{'picture / text layer, nid':<52}{figures['share']:.3f}   (at least 0.93)")
    record("rasterised", figures, arguments)


# --- speed ---


def measure_speed(arguments: argparse.Namespace) -> None:
    figures: dict[str, Any] = {}
    with Reader() as reader:
        images = {dpi: [scan_at(reader, number, dpi) for number in range(1, 41)] for dpi in (150.0, 200.0, 300.0)}
    for combination in arguments.engines:
        for count in sorted({1, cores()}):
            for dpi in (150.0, 200.0, 300.0) if combination == DEFAULT else (200.0,):
                name = f"{combination}, {count} processes, {dpi:.0f} dpi"
                figures[name] = speed_and_memory(combination.split(","), count, images[dpi])
                print(
                    f"{name:<62}{figures[name]['pages_per_minute']:7.1f} pages/min"
                    f"{figures[name]['peak_mb']:7.0f} MB a process",
                    flush=True,
                )
    record("speed", figures, arguments)


def scan_at(reader: Reader, number: int, dpi: float) -> bytes:
    """Return a page of the scan, resampled to a resolution."""
    import cv2
    import numpy as np

    image = decode_ocr_image(reader.render(SPEED, number, dpi=dpi, limits=Limits()))
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)
    scale = dpi / image.dpi
    scaled = cv2.resize(
        pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    return encode_ocr_image(OcrImage(scaled.shape[1], scaled.shape[0], dpi, scaled.tobytes()))


def speed_and_memory(engines: Sequence[str], count: int, images: Sequence[bytes]) -> dict[str, float]:
    """Return pages a minute of ``count`` processes and the peak memory of one."""
    peak = 0

    def read(image: bytes, process: EngineProcess) -> None:
        nonlocal peak
        process.recognize(image, OcrRequest(("en",)))
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)

    with engine_pool(engines, count) as run:
        run(read, images[:4])  # warms up
        started = time.monotonic()
        run(read, images)
        seconds = time.monotonic() - started
    return {"pages_per_minute": round(len(images) / seconds * 60, 1), "peak_mb": round(peak / 2**20)}


MEASURES = {
    "accuracy": measure_accuracy,
    "steps": measure_steps,
    "rasterised": measure_rasterised,
    "speed": measure_speed,
}


def record(name: str, figures: dict[str, Any], arguments: argparse.Namespace) -> None:
    if not arguments.only:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"ocr-{name}.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
