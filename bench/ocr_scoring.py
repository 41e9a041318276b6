"""Render the scans of the corpus, recognize them in engine processes, and score the text with score.py."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.output.assembly import RenderOptions, assemble
from apps.pages.sandbox.client import Reader
from bench.figures import ROOT
from ocr_worker.engine import EngineProcess
from ocr_worker.settings import ENGINES, OcrSettings

SHARED = ROOT.parent / "shared"
SCORE = SHARED / "score" / "score.py"
SCANS = SHARED / "corpus" / "scans"
DPI = 200.0
# The manifest marks documents in several languages as "mixed"; a request must name the languages.
MIXED_LANGUAGES = ("en", "de", "fr", "it", "es", "pt")
METRICS = ("char_acc", "word_f1", "cer_pooled")


class Sheet(NamedTuple):
    """A rendered page and the languages of its document."""

    document: str
    page: Page
    image: bytes
    languages: tuple[str, ...]


def manifest(folder: Path) -> list[dict[str, Any]]:
    """Return the entries of a corpus folder's manifest."""
    found = json.loads((folder / "manifest.json").read_text())
    return list(found if isinstance(found, list) else found["files"])


def rendered_scans(only: str) -> Iterator[Sheet]:
    """Yield every page of the scans whose file name contains ``only``, rendered as in the service."""
    with Reader() as reader:
        for entry in manifest(SCANS):
            if only not in entry["file"]:
                continue
            path = SCANS / entry["file"]
            codes = MIXED_LANGUAGES if entry["lang"] == "mixed" else (entry["lang"],)
            facts = reader.inspect(path)
            numbers = range(1, facts.page_count + 1)
            for page in reader.read_range(path, numbers, media_type=facts.media_type):
                assert isinstance(page, Page), page
                image = reader.render(path, page.number, dpi=DPI, media_type=facts.media_type)
                yield Sheet(path.stem, page, image, codes)


def without_text_layer(page: Page) -> Page:
    """Return an empty page of the same size that needs OCR."""
    return Page(number=page.number, width=page.width, height=page.height, needs_ocr="no_text_layer")


@contextmanager
def engine_pool(engines: Sequence[str], count: int) -> Iterator[Callable[..., list[Any]]]:
    """Start ``count`` engine processes and yield a function that maps ``work(item, process)`` over items on them."""
    paths = tuple(ENGINES[name] for name in engines)
    free: SimpleQueue[EngineProcess] = SimpleQueue()
    with ExitStack() as cleanup:
        for _ in range(count):
            settings = OcrSettings(engines=paths, processes=count, page_seconds=300.0, memory_mb=8000)
            process = cleanup.enter_context(EngineProcess(settings))
            process.start()
            free.put(process)

        def run(work: Callable[[Any, EngineProcess], Any], items: Sequence[Any]) -> list[Any]:
            def on_free_process(item: Any) -> Any:
                process = free.get()
                try:
                    return work(item, process)
                finally:
                    free.put(process)

            with ThreadPoolExecutor(count) as pool:
                return list(pool.map(on_free_process, items))

        yield run


def score_text(
    sheets: Sequence[Sheet], pages: Sequence[Page | PageFailure], *, only: str, print_each: bool
) -> dict[str, Any]:
    """Assemble the pages to documents and return their scores: the means, and two metrics of each document."""
    documents: dict[str, list[Page | PageFailure]] = {}
    for sheet, page in zip(sheets, pages, strict=True):
        documents.setdefault(sheet.document, []).append(page)
    with tempfile.TemporaryDirectory(prefix="leafmill-ocr-") as name:
        out = Path(name)
        for document, own_pages in documents.items():
            write_output(own_pages, "text.txt", out / f"{document}.txt")
        found = run_score(out, SCANS / "truth", "--kind", "text", "--only", only or ".")
    each = {one["document"]: {m: round(one["scores"][m], 3) for m in METRICS[:2]} for one in found["documents"]}
    if print_each:
        for document, scores in sorted(each.items()):
            print(f"    {document:<75}{scores['char_acc']:.3f} {scores['word_f1']:.3f}")
    means = {metric: round(found["summary"]["means"][metric], 4) for metric in METRICS[:2]}
    return {**means, "cer_pooled": round(found["summary"]["cer_pooled"], 4), "documents": each}


def run_score(predictions: Path, truth: Path, *options: str) -> dict[str, Any]:
    """Run score.py on a folder of predictions and return its report."""
    scores = predictions / "scores.json"
    command = [sys.executable, str(SCORE), str(predictions), str(truth), *options, "--out", str(scores), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(scores.read_text())
    return found


def write_output(pages: Sequence[Page | PageFailure], output: str, path: Path) -> None:
    """Assemble pages and write one of the outputs, like ``text.txt``, to ``path``."""
    with tempfile.TemporaryDirectory() as folder:

        @contextmanager
        def open_output(name: str) -> Iterator[BinaryIO]:
            with (Path(folder) / name).open("wb") as out:
                yield out

        assemble(lambda: pages, options=RenderOptions(), open_output=open_output)
        path.write_bytes((Path(folder) / output).read_bytes())
