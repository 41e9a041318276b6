"""Score the Markdown, text and items of the corpus: ``python -m bench.quality``.

Reads the PDFs of ../shared/corpus in this process, writes the outputs to a temporary folder and compares them with the
ground truth by ../shared/score/score.py. Prints each mean beside its value in the last commit, the best other program
and the goal, and writes bench/results/quality.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from apps.pages.model.blocks import Block, Cell, Line, Page, PageFailure
from apps.pages.model.errors import ParseError
from apps.pages.output.assembly import RenderOptions, assemble
from apps.pages.reading.page_reading import inspect_document, read_pages

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
RESULTS = ROOT / "bench" / "results" / "quality.json"
FOLDERS = ("markdown", "text", "tables", "facts")
# This version must not score lower.
FLOORS = {"markdown nid_text": 0.97, "markdown mhs": 0.85, "text nid_text": 0.96}
GOALS = {
    "markdown nid_text": 0.985,
    "markdown nid": 0.975,
    "markdown teds": 0.80,
    "markdown mhs": 0.92,
    "tables teds": 0.90,
    "tables box_iou50": 0.90,
    "text nid_text": 0.988,
    "text char_acc": 0.975,
    "facts facts": 0.85,
}
# The best of the programs without a network in docs/quality-and-speed.md.
PEERS = {
    "markdown nid_text": 0.974,
    "markdown nid": 0.902,
    "markdown teds": 0.328,
    "markdown mhs": 0.725,
    "tables teds": 0.615,
    "text nid_text": 0.980,
    "text char_acc": 0.962,
    "facts facts": 0.652,
}
MAX_PAGES = 3_000

OCR_DPI = 200.0
# Pictures need OCR.
IMAGES_AND_PDF = (".pdf", ".png", ".jpg", ".tif")

Figure = dict[str, Any]
Recognize = Callable[[Path, Page], Page]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", default=list(FOLDERS))
    parser.add_argument("--out", type=Path, help="keep the predictions here")
    parser.add_argument("--only", default="", help="only documents whose names contain this; nothing is recorded")
    parser.add_argument(
        "--ocr", action="store_true", help="recognise pages and pictures without text; nothing is recorded"
    )
    parser.add_argument("--each", action="store_true", help="print the score of every document")
    arguments = parser.parse_args()
    if not (SHARED / "score" / "score.py").is_file() or not (SHARED / "corpus").is_dir():
        print("The corpus and score.py are missing: they are expected in ../shared beside this checkout.")
        return 0
    with tempfile.TemporaryDirectory(prefix="leafmill-quality-") as name:
        out = arguments.out or Path(name)
        figures = [figure for folder in arguments.folders for figure in measure_folder(folder, out / folder, arguments)]
    print_figures(figures)
    if not arguments.only and not arguments.ocr:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if any(figure["target"] is not None and figure["value"] < figure["target"] for figure in figures) else 0


def print_figures(figures: list[Figure]) -> None:
    """Print each figure, its change since the last commit, the best other program and the goal."""
    shown = subprocess.run(
        ["git", "show", f"HEAD:{RESULTS.relative_to(ROOT)}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    before = {figure["what"]: figure["value"] for figure in json.loads(shown.stdout)} if shown.stdout else {}
    print(f"{'':<34}{'now':>9}{'change':>9}{'peer':>8}{'goal':>8}{'floor':>8}")
    for figure in figures:
        what, value = figure["what"], figure["value"]
        change = f"{value - before[what]:+9.4f}" if what in before else " " * 9
        others = (PEERS.get(what, ""), GOALS.get(what, ""), figure["target"] or "")
        print(f"{what:<34}{value:>9}{change}{others[0]:>8}{others[1]:>8}{others[2]:>8}")


def measure_folder(folder: str, out: Path, arguments: argparse.Namespace) -> list[Figure]:
    """Write the outputs of a corpus folder's documents to ``out``, score them and return the figures."""
    out.mkdir(parents=True, exist_ok=True)
    empty, pages, seconds = 0, 0, 0.0
    recognize = page_recognizer() if arguments.ocr else None
    kinds = IMAGES_AND_PDF if arguments.ocr else (".pdf",)
    for document in sorted((SHARED / "corpus" / folder).iterdir()):
        if document.suffix not in kinds or arguments.only not in document.name:
            continue
        started = time.process_time()
        pages += predict(document, out, recognize=recognize)
        seconds += time.process_time() - started
        empty += not (out / f"{document.stem}.txt").stat().st_size
    report = out / "score.json"
    command = [sys.executable, str(SHARED / "score" / "score.py"), str(out), str(SHARED / "corpus" / folder / "truth")]
    command += ["--jobs", "2", "--out", str(report)]
    if arguments.only:
        command += ["--only", arguments.only]
    if not arguments.each:
        command.append("--quiet")
    subprocess.run(command, check=True, stdout=None if arguments.each else subprocess.DEVNULL)
    summary = json.loads(report.read_text())["summary"]
    report.unlink()
    figures: list[Figure] = [
        {
            "what": f"{folder} {metric}",
            "value": round(value, 4),
            "unit": "share",
            "target": FLOORS.get(f"{folder} {metric}"),
        }
        for metric, value in summary["means"].items()
        if isinstance(value, float)
    ]
    figures.append({"what": f"{folder} documents without text", "value": empty, "unit": "documents", "target": None})
    cost = round(1000 * seconds / max(1, pages), 2)
    figures.append({"what": f"{folder} CPU", "value": cost, "unit": "ms a page", "target": None})
    return figures


def page_recognizer() -> Recognize:
    """Return a function that reads a page without usable text by OCR, as a job does. It loads the engines at once."""
    from apps.pages.layout.recognized_page import apply_recognition
    from apps.pages.model.page_images.ocr_image import encode_ocr_image
    from apps.pages.model.recognition import decode_recognition
    from apps.pages.reading.page_reading import render_for_ocr
    from ocr_worker.engine import EngineProcess, OcrRequest
    from ocr_worker.settings import settings

    engine = EngineProcess(settings())

    def recognize(document: Path, page: Page) -> Page:
        media_type = inspect_document(str(document), max_pages=MAX_PAGES).media_type
        image = encode_ocr_image(render_for_ocr(str(document), page.number, media_type=media_type, dpi=OCR_DPI))
        return apply_recognition(page, decode_recognition(engine.recognize(image, OcrRequest((), False))))

    return recognize


def predict(document: Path, out: Path, *, recognize: Recognize | None = None) -> int:
    """Write NAME.md, NAME.txt and NAME.json (texts with boxes) of one document; return its number of pages."""
    names = {"markdown.md": ".md", "text.txt": ".txt"}

    @contextmanager
    def open_output(name: str) -> Iterator[BinaryIO]:
        target = out / f"{document.stem}{names[name]}" if name in names else Path("/dev/null")
        with target.open("wb") as file:
            yield file

    results: list[Page | PageFailure] = []
    try:
        facts = inspect_document(str(document), max_pages=MAX_PAGES)
        results = list(read_pages(str(document), range(1, facts.page_count + 1), media_type=facts.media_type))
        if recognize is not None:
            results = [
                recognize(document, page) if isinstance(page, Page) and page.needs_ocr else page for page in results
            ]
    except ParseError as error:
        print(f"{document.name}: {error.code}", file=sys.stderr)
    assemble(lambda: results, options=RenderOptions(), open_output=open_output)
    boxes = [boxes_of(page) for page in results if isinstance(page, Page)]
    (out / f"{document.stem}.json").write_text(json.dumps(boxes))
    return len(results)


def boxes_of(page: Page) -> dict[str, Any]:
    """Return every block, line and cell with its box, in the format of score.py."""
    parts: list[Block | Line | Cell] = []
    for block in page.blocks:
        parts += [block, *block.lines, *block.cells]
    found = [
        {"text": part.text, "bbox": [part.box.x0, part.box.top, part.box.x1, part.box.bottom]}
        for part in parts
        if part.text and part.box is not None
    ]
    return {"page": page.number, "width": page.width, "height": page.height, "boxes": found}


if __name__ == "__main__":
    sys.exit(main())
