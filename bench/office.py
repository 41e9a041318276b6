"""Score office files, web pages and mail beside other programs: ``python -m bench.office [--peers FOLDER]``.

Compares headings (mhs), tables (teds) and text (nid_text) by ../shared/score/score.py, in two sets of documents:

corpus    those of ../shared/corpus/office with a Markdown truth. The truths are the output of docling that was looked
          over, not text that people wrote, so small differences mean little, and docling itself is not compared.
written   those that bench/office_written.py writes with other libraries (python-docx, openpyxl, python-pptx), whose
          content is known. They are written only with --peers.

FOLDER has the programs to compare with, in an environment of their own (the folder ``bin`` of it):
``pip install "markitdown[docx,pptx,xlsx]" pypandoc_binary docling`` and a link to pandoc. Prints a table and writes
bench/results/office.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from apps.pages.model.errors import ParseError
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.assembly import RenderOptions, assemble
from apps.pages.reading.page_reading import inspect_document, read_pages

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CORPUS = SHARED / "corpus" / "office"
RESULTS = ROOT / "bench" / "results" / "office.json"
MAX_PAGES = 10_000
MAX_SECONDS = 120
METRICS = ("nid_text", "mhs", "teds")
# The metrics that a kind of file has something for: names of sheets are its only headings, and a table has none.
_METRICS_WRITTEN = {".xlsx": ("nid_text", "teds"), ".csv": ("nid_text", "teds")}
_MARKITDOWN = """
import pathlib, sys, markitdown
converter = markitdown.MarkItDown()
for path in map(pathlib.Path, sys.argv[2:]):
    try:
        text = converter.convert(str(path)).text_content
    except Exception as error:
        print(path.name, error, file=sys.stderr)
        continue
    pathlib.Path(sys.argv[1], f"{path.stem}.md").write_text(text)
"""
Converter = Callable[[list[Path]], dict[str, str]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="the folder with the other programs")
    parser.add_argument("--each", action="store_true", help="print the score of every document")
    arguments = parser.parse_args()
    if not CORPUS.is_dir() or not (SHARED / "score" / "score.py").is_file():
        print("The corpus and score.py are missing: they are expected in ../shared beside this checkout.")
        return 0
    converters: dict[str, Converter] = {"leafmill": leafmill}
    if arguments.peers:
        converters["markitdown"] = in_one_process([str(arguments.peers / "python"), "-c", _MARKITDOWN])
        converters["pandoc"] = pandoc(arguments.peers / "pandoc")
    figures = figures_of(converters, CORPUS, "", each=arguments.each)
    if arguments.peers:
        options = ["--to", "md", "--image-export-mode", "placeholder", "--output"]
        converters["docling"] = in_one_process([str(arguments.peers / "docling"), "convert", *options])
        with tempfile.TemporaryDirectory(prefix="leafmill-office-") as folder:
            script = ROOT / "bench" / "office_written.py"
            subprocess.run([str(arguments.peers / "python"), str(script), folder], check=True)
            figures += figures_of(converters, Path(folder), "written ", each=arguments.each)
    for figure in figures:
        print(f"{figure['what']:<48}{figure['value']:>9}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def figures_of(converters: dict[str, Converter], folder: Path, prefix: str, *, each: bool) -> list[dict[str, object]]:
    """Score the documents of a folder that have a truth, by kind of file, and time each program."""
    documents = [path for path in sorted(folder.iterdir()) if (folder / "truth" / f"{path.stem}.md").is_file()]
    by_kind = defaultdict(list)
    for document in documents:
        by_kind[document.suffix.lower()].append(document)
    figures: list[dict[str, object]] = []
    for name, convert in converters.items():
        begun = time.perf_counter()
        found = convert(documents)
        seconds = round(time.perf_counter() - begun, 1)
        for kind, of_kind in [*sorted(by_kind.items()), ("all", documents)]:
            texts = {document.stem: found.get(document.stem, "") for document in of_kind}
            scores = scores_of(texts, folder / "truth", each=each and kind == "all")
            wanted = _METRICS_WRITTEN.get(kind, METRICS) if prefix else METRICS
            figures += [
                {"what": f"{prefix}{name} {kind} {metric}", "value": value}
                for metric, value in scores.items()
                if metric in wanted
            ]
        figures.append({"what": f"{prefix}{name} seconds for {len(documents)} documents", "value": seconds})
    return figures


def scores_of(found: dict[str, str], truths: Path, *, each: bool) -> dict[str, float]:
    """Return the mean of each metric for the Markdown found in these documents. What is not read counts as empty."""
    with tempfile.TemporaryDirectory(prefix="leafmill-office-") as folder:
        out, truth = Path(folder) / "out", Path(folder) / "truth"
        out.mkdir()
        truth.mkdir()
        for stem, markdown in found.items():
            (out / f"{stem}.md").write_text(markdown)
            (truth / f"{stem}.md").write_bytes((truths / f"{stem}.md").read_bytes())
        report = Path(folder) / "score.json"
        command = [sys.executable, str(SHARED / "score" / "score.py"), str(out), str(truth), "--out", str(report)]
        done = subprocess.run([*command, *([] if each else ["--quiet"])], check=True, capture_output=True, text=True)
        if each:
            print(done.stdout)
        means = json.loads(report.read_text())["summary"]["means"]
    return {metric: round(means[metric], 4) for metric in METRICS if isinstance(means.get(metric), float)}


def leafmill(documents: list[Path]) -> dict[str, str]:
    return {document.stem: markdown_of(document) for document in documents}


def markdown_of(document: Path) -> str:
    """Return the Markdown of a document; "" if it is not read."""
    office = OfficeOptions(suffix=document.suffix)
    written: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            facts = inspect_document(str(document), max_pages=MAX_PAGES, office=office)
            numbers = range(1, facts.page_count + 1)
            pages = list(read_pages(str(document), numbers, media_type=facts.media_type, office=office))
        except ParseError as error:
            print(f"{document.name}: {error.code}", file=sys.stderr)
            return ""
        assemble(
            lambda: pages,
            options=RenderOptions(),
            open_output=lambda name: written.setdefault(name, Path(folder) / name).open("wb"),
        )
        return written["markdown.md"].read_text()


def pandoc(program: Path) -> Converter:
    """Return a function that converts documents with pandoc, one in each process."""

    def convert(documents: list[Path]) -> dict[str, str]:
        found = {}
        for document in documents:
            command = [str(program), "--to", "gfm", str(document)]
            try:
                done = subprocess.run(command, capture_output=True, timeout=MAX_SECONDS, check=False)
            except subprocess.TimeoutExpired:
                continue
            found[document.stem] = done.stdout.decode("utf-8", "replace")
        return found

    return convert


def in_one_process(command: list[str]) -> Converter:
    """Return a function that converts documents with a program that takes a folder for the results, and their names.

    Such programs take longer to start than to convert.
    """

    def convert(documents: list[Path]) -> dict[str, str]:
        with tempfile.TemporaryDirectory(prefix="leafmill-office-") as folder:
            subprocess.run([*command, folder, *map(str, documents)], stdout=subprocess.DEVNULL, check=False)
            return {path.stem: path.read_text() for path in Path(folder).glob("*.md")}

    return convert


if __name__ == "__main__":
    sys.exit(main())
