"""How well and how fast pages are recognised: ``make bench-ocr [ARGS="accuracy steps rasterised speed"]``.

accuracy   every engine over ../shared/corpus/scans, scored by ../shared/score/score.py; languages told and not told
steps      the same with one step of the road left out at a time: what each of them gives
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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple

import psutil

from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model import languages
from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.ocr_image import decode_ocr_image
from apps.pages.model.recognition import decode_recognition, encode_recognition
from apps.pages.output.assembly import RenderOptions, assemble
from apps.pages.sandbox.client import Limits, Reader
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.settings import ENGINES, OcrSettings
from parse_project.env import cores

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
SCANS = SHARED / "corpus" / "scans"
MARKDOWN = SHARED / "corpus" / "markdown"
MAX_RASTERIZED_PAGES = 6
SPEED = SHARED / "corpus" / "speed" / "scan-40p-c.pdf"
RESULTS = ROOT / "bench" / "results"
DPI = 200.0
DEFAULT = "rapidocr-openvino,tesseract"
COMBINATIONS = (DEFAULT, "tesseract", "pytesseract", "rapidocr-openvino", "rapidocr-onnx")
# Documents in more than one language say so with a word; a request names them.
MIXED = ("en", "de", "fr", "it", "es", "pt")
METRICS = ("char_acc", "word_f1", "cer_pooled")


class Sheet(NamedTuple):
    """A page of a scan, rendered."""

    document: str
    page: Page
    image: bytes
    languages: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["accuracy", "rasterised", "speed"], help=" ".join(MEASURES))
    parser.add_argument("--engines", nargs="*", default=COMBINATIONS, help="combinations, the preferred engine first")
    parser.add_argument("--only", default="", help="scans whose names hold this; nothing is recorded")
    parser.add_argument("--each", action="store_true", help="print the score of every document")
    arguments = parser.parse_args()
    if not SCANS.is_dir() or not (SHARED / "score" / "score.py").is_file():
        print("The corpus and score.py are not here: they are expected in ../shared beside this checkout.")
        return 0
    if unknown := set(arguments.what) - set(MEASURES):
        parser.error(f"There is no {', '.join(unknown)}. There are: {', '.join(MEASURES)}.")
    for what in arguments.what:
        MEASURES[what](arguments)
    return 0


# --- accuracy ---


def measure_accuracy(arguments: argparse.Namespace) -> None:
    sheets = list(rendered(arguments.only))
    figures: dict[str, Any] = {}
    for combination in arguments.engines:
        for told in (True, False):
            name = f"{combination}, language {'told' if told else 'not told'}"
            started = time.monotonic()
            pages = recognized(sheets, combination.split(","), told=told)
            seconds = time.monotonic() - started
            figures[name] = {**score(sheets, pages, arguments), "seconds": round(seconds, 1)}
            means = "  ".join(f"{metric} {figures[name][metric]:.3f}" for metric in METRICS)
            print(f"{name:<52}{means}  {seconds:6.1f} s, {cores()} processes", flush=True)
    record("accuracy", figures, arguments)


def rendered(only: str) -> Iterator[Sheet]:
    """Every page of the scans as the service renders it."""
    with Reader() as reader:
        for entry in _entries(SCANS):
            if only not in entry["file"]:
                continue
            path = SCANS / entry["file"]
            codes = MIXED if entry["lang"] == "mixed" else (entry["lang"],)
            facts = reader.inspect(path)
            numbers = range(1, facts.page_count + 1)
            for page in reader.read_range(path, numbers, media_type=facts.media_type):
                assert isinstance(page, Page), page
                image = reader.render(path, page.number, dpi=DPI, media_type=facts.media_type)
                yield Sheet(path.stem, page, image, codes)


def _entries(folder: Path) -> list[dict[str, Any]]:
    manifest = json.loads((folder / "manifest.json").read_text())
    return list(manifest if isinstance(manifest, list) else manifest["files"])


def recognized(sheets: Sequence[Sheet], engines: Sequence[str], *, told: bool) -> list[Page | PageFailure]:
    """The pages with the text that these engines read, as many at once as there are cores."""

    def read(sheet: Sheet, process: EngineProcess) -> Page | PageFailure:
        order = OcrRequest(sheet.languages if told else ())
        try:
            recognition = decode_recognition(process.recognize(sheet.image, order))
        except Exception as error:  # an engine that cannot read a language scores nothing there
            return PageFailure(sheet.page.number, type(error).__name__, str(error))
        wanting = sheet.page if sheet.page.needs_ocr else _without_text(sheet.page)
        return apply_recognition(wanting, recognition)

    with processes(engines, cores()) as run:
        return run(read, sheets)


def _without_text(page: Page) -> Page:
    """A page whose own text layer is not to be used."""
    return Page(number=page.number, width=page.width, height=page.height, needs_ocr="no_text_layer")


@contextmanager
def processes(engines: Sequence[str], count: int) -> Iterator[Callable[..., list[Any]]]:
    """A function that maps (item, engine process) -> result over items, on so many warm engine processes."""
    paths = tuple(ENGINES[name] for name in engines)
    free: SimpleQueue[EngineProcess] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(
                EngineProcess(OcrSettings(engines=paths, processes=count, page_seconds=300.0, memory_mb=8000))
            )
            process.start()
            free.put(process)

        def run(work: Callable[[Any, EngineProcess], Any], items: Sequence[Any]) -> list[Any]:
            def on_free(item: Any) -> Any:
                process = free.get()
                try:
                    return work(item, process)
                finally:
                    free.put(process)

            with ThreadPoolExecutor(count) as pool:
                return list(pool.map(on_free, items))

        yield run


def score(
    sheets: Sequence[Sheet], pages: Sequence[Page | PageFailure], arguments: argparse.Namespace
) -> dict[str, Any]:
    """What score.py says of these pages, put together to documents."""
    documents: dict[str, list[Page | PageFailure]] = {}
    for sheet, page in zip(sheets, pages, strict=True):
        documents.setdefault(sheet.document, []).append(page)
    with tempfile.TemporaryDirectory(prefix="leafmill-ocr-") as name:
        out = Path(name)
        for document, own in documents.items():
            write_output(own, "text.txt", out / f"{document}.txt")
        command = [sys.executable, str(SHARED / "score" / "score.py"), str(out), str(SCANS / "truth"), "--kind", "text"]
        scores = out / "scores.json"
        command += ["--only", arguments.only or ".", "--out", str(scores), "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = json.loads(scores.read_text())
    each = {one["document"]: {m: round(one["scores"][m], 3) for m in METRICS[:2]} for one in found["documents"]}
    if arguments.each:
        for document, own_scores in sorted(each.items()):
            print(f"    {document:<75}{own_scores['char_acc']:.3f} {own_scores['word_f1']:.3f}")
    means = {metric: round(found["summary"]["means"][metric], 4) for metric in METRICS[:2]}
    return {**means, "cer_pooled": round(found["summary"]["cer_pooled"], 4), "documents": each}


def write_output(pages: Sequence[Page | PageFailure], output: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:

        @contextmanager
        def open_output(name: str) -> Iterator[BinaryIO]:
            with (Path(folder) / name).open("wb") as out:
                yield out

        assemble(lambda: pages, options=RenderOptions(), open_output=open_output)
        path.write_bytes((Path(folder) / output).read_bytes())


# --- steps ---


def measure_steps(arguments: argparse.Namespace) -> None:
    """One step left out at a time, in this process's own children: the steps are functions of ours."""
    sheets = list(rendered(arguments.only))
    figures: dict[str, Any] = {}
    for name in ("everything", *WITHOUT):
        with ProcessPoolExecutor(cores(), initializer=_prepare, initargs=(name,)) as pool:
            started = time.monotonic()
            raws = list(pool.map(_read_here, [(sheet.image, sheet.languages) for sheet in sheets]))
            seconds = time.monotonic() - started
        pages = [
            apply_recognition(_without_text(sheet.page), decode_recognition(raw))
            for sheet, raw in zip(sheets, raws, strict=True)
        ]
        figures[name] = {**score(sheets, pages, arguments), "seconds": round(seconds, 1)}
        means = "  ".join(f"{metric} {figures[name][metric]:.3f}" for metric in METRICS)
        print(f"{name:<52}{means}  {seconds:6.1f} s", flush=True)
    record("steps", figures, arguments)


_reader: Any = None


def _prepare(left_out: str) -> None:
    global _reader
    import cv2

    cv2.setNumThreads(1)
    from ocr_worker.engine_process import load

    if left_out in WITHOUT:
        module, name, instead = WITHOUT[left_out]
        setattr(importlib.import_module(module), name, instead)
    _reader = load([ENGINES[name] for name in DEFAULT.split(",")])


def _read_here(sheet: tuple[bytes, tuple[str, ...]]) -> bytes:
    import numpy as np

    from ocr_worker.recognition import Request

    image = decode_ocr_image(sheet[0])
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)
    return encode_recognition(_reader.recognize(pixels, Request(image.dpi, languages.find_all(sheet[1]))))


# What is left out -> the function or figure of ours that is replaced, and by what.
WITHOUT: dict[str, tuple[str, str, Any]] = {
    "without straightening": ("ocr_worker.images.straightening", "skew_of", lambda lines: 0.0),
    "without quarter turns": ("ocr_worker.recognition", "lies_on_its_side", lambda lines: False),
    "without looking for pages upside down": ("ocr_worker.recognition", "QUARTER_TURNS_TO_TRY", ()),
    "without a look for old print": ("ocr_worker.recognition", "may_be_old_print", lambda first: False),
    "without a second attempt": ("ocr_worker.recognition", "is_poor", lambda reading, page: False),
    "without joining marks to their word": ("ocr_worker.punctuation", "joined", lambda line, languages: line),
    "without English beside other scripts": ("ocr_worker.engines.tesseract", "BESIDE_OTHER_SCRIPTS", ()),
    "without cutting the network down to Latin": ("ocr_worker.engines.rapid", "is_latin", lambda character: True),
    "without ruling lines": ("ocr_worker.recognition", "find_rulings", lambda image: []),
    "detector at 960 pixels": ("ocr_worker.recognition", "DETECTION_SIDE", 960),
    "detector at 1600 pixels": ("ocr_worker.recognition", "DETECTION_SIDE", 1600),
}


# --- rasterised ---


def measure_rasterised(arguments: argparse.Namespace) -> None:
    """The Markdown of pages read from their picture, over that of the same pages read from their text layer."""
    documents: dict[str, list[Sheet]] = {}
    with Reader() as reader:
        for entry in _entries(MARKDOWN):
            if entry["pages"] > MAX_RASTERIZED_PAGES or arguments.only not in entry["file"]:
                continue
            path = MARKDOWN / entry["file"]
            for page in reader.read_range(path, range(1, entry["pages"] + 1)):
                if isinstance(page, Page):
                    image = reader.render(path, page.number, dpi=DPI)
                    documents.setdefault(path.stem, []).append(Sheet(path.stem, page, image, (entry["lang"],)))
    sheets = [sheet for own in documents.values() for sheet in own]

    def read(sheet: Sheet, process: EngineProcess) -> Page | PageFailure:
        recognition = decode_recognition(process.recognize(sheet.image, OcrRequest(sheet.languages)))
        return apply_recognition(_without_text(sheet.page), recognition)

    with processes(DEFAULT.split(","), cores()) as run:
        pages = dict(zip(map(id, sheets), run(read, sheets), strict=True))
    figures: dict[str, Any] = {"documents": len(documents), "pages": len(sheets)}
    for name, page_of in (("text layer", lambda sheet: sheet.page), ("picture", lambda sheet: pages[id(sheet)])):
        with tempfile.TemporaryDirectory(prefix="leafmill-ocr-") as folder:
            for document, own in documents.items():
                write_output([page_of(sheet) for sheet in own], "markdown.md", Path(folder) / f"{document}.md")
            figures[name] = _means(Path(folder), documents)
        print(f"{name:<52}nid {figures[name]['nid']:.3f}  nid_text {figures[name]['nid_text']:.3f}", flush=True)
    figures["share"] = round(figures["picture"]["nid"] / figures["text layer"]["nid"], 4)
    print(f"{'picture / text layer, nid':<52}{figures['share']:.3f}   (at least 0.93)")
    record("rasterised", figures, arguments)


def _means(folder: Path, documents: Iterable[str]) -> dict[str, float]:
    only = "^(" + "|".join(re.escape(name) for name in documents) + ")$"
    scores = folder / "scores.json"
    command = [sys.executable, str(SHARED / "score" / "score.py"), str(folder), str(MARKDOWN / "truth")]
    command += ["--only", only, "--out", str(scores), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    means = json.loads(scores.read_text())["summary"]["means"]
    return {metric: round(means[metric], 4) for metric in ("nid", "nid_text")}


# --- speed ---


def measure_speed(arguments: argparse.Namespace) -> None:
    figures: dict[str, Any] = {}
    with Reader() as reader:
        images = {dpi: [_at(reader, number, dpi) for number in range(1, 41)] for dpi in (150.0, 200.0, 300.0)}
    for combination in arguments.engines:
        for count in sorted({1, cores()}):
            for dpi in (150.0, 200.0, 300.0) if combination == DEFAULT else (200.0,):
                name = f"{combination}, {count} processes, {dpi:.0f} dpi"
                figures[name] = _pages_a_minute(combination.split(","), count, images[dpi])
                print(
                    f"{name:<62}{figures[name]['pages_per_minute']:7.1f} pages/min"
                    f"{figures[name]['peak_mb']:7.0f} MB a process",
                    flush=True,
                )
    record("speed", figures, arguments)


def _at(reader: Reader, number: int, dpi: float) -> bytes:
    """The scan at another resolution than its own."""
    import cv2
    import numpy as np

    from apps.pages.model.ocr_image import OcrImage, encode_ocr_image

    image = decode_ocr_image(reader.render(SPEED, number, dpi=dpi, limits=Limits()))
    pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)
    scale = dpi / image.dpi
    scaled = cv2.resize(
        pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    return encode_ocr_image(OcrImage(scaled.shape[1], scaled.shape[0], dpi, scaled.tobytes()))


def _pages_a_minute(engines: Sequence[str], count: int, images: Sequence[bytes]) -> dict[str, float]:
    peak = 0

    def read(image: bytes, process: EngineProcess) -> None:
        nonlocal peak
        process.recognize(image, OcrRequest(("en",)))
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)

    with processes(engines, count) as run:
        run(read, images[:4])  # warm
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
