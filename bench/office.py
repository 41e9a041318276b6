"""Score office files, web pages and mail beside other programs: ``python -m bench.office [--peers FOLDER]``.

Reads the documents of ../shared/corpus/office that have a Markdown truth, and compares headings (mhs), tables (teds)
and text by ../shared/score/score.py. FOLDER has the programs to compare with: markitdown and pandoc (in an environment
of their own: ``pip install "markitdown[docx,pptx,xlsx]" pypandoc_binary``). Prints a table and writes
bench/results/office.json. Most of the truths are the output of another program that was looked over, not text that
people wrote, so small differences mean little.
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
_ARGUMENTS = {"markitdown": [], "pandoc": ["--to", "gfm"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="the folder with the other programs")
    parser.add_argument("--each", action="store_true", help="print the score of every document")
    arguments = parser.parse_args()
    if not CORPUS.is_dir() or not (SHARED / "score" / "score.py").is_file():
        print("The corpus and score.py are missing: they are expected in ../shared beside this checkout.")
        return 0
    documents = [path for path in sorted(CORPUS.iterdir()) if (CORPUS / "truth" / f"{path.stem}.md").is_file()]
    by_kind = defaultdict(list)
    for document in documents:
        by_kind[document.suffix.lower()].append(document)
    converters: dict[str, Callable[[Path], str]] = {"leafmill": leafmill}
    for name, options in _ARGUMENTS.items():
        if arguments.peers and (arguments.peers / name).exists():
            converters[name] = other_program(arguments.peers / name, options)
    figures = []
    for name, convert in converters.items():
        begun = time.perf_counter()
        found = {document.stem: convert(document) for document in documents}
        seconds = round(time.perf_counter() - begun, 1)
        for kind, of_kind in [*sorted(by_kind.items()), ("all", documents)]:
            scores = scores_of({each.stem: found[each.stem] for each in of_kind}, each=arguments.each and kind == "all")
            figures += [{"what": f"{name} {kind} {metric}", "value": value} for metric, value in scores.items()]
        figures.append({"what": f"{name} seconds for {len(documents)} documents", "value": seconds})
    for figure in figures:
        print(f"{figure['what']:<40}{figure['value']:>9}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def scores_of(found: dict[str, str], *, each: bool) -> dict[str, float]:
    """Return the mean of each metric for the Markdown found in these documents. What is not read counts as empty."""
    with tempfile.TemporaryDirectory(prefix="leafmill-office-") as folder:
        out, truth = Path(folder) / "out", Path(folder) / "truth"
        out.mkdir()
        truth.mkdir()
        for stem, markdown in found.items():
            (out / f"{stem}.md").write_text(markdown)
            (truth / f"{stem}.md").write_bytes((CORPUS / "truth" / f"{stem}.md").read_bytes())
        report = Path(folder) / "score.json"
        command = [sys.executable, str(SHARED / "score" / "score.py"), str(out), str(truth), "--out", str(report)]
        done = subprocess.run([*command, *([] if each else ["--quiet"])], check=True, capture_output=True, text=True)
        if each:
            print(done.stdout)
        means = json.loads(report.read_text())["summary"]["means"]
    return {metric: round(means[metric], 4) for metric in METRICS if isinstance(means.get(metric), float)}


def leafmill(document: Path) -> str:
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


def other_program(program: Path, options: list[str]) -> Callable[[Path], str]:
    """Return a function that converts a document with this program."""

    def convert(document: Path) -> str:
        try:
            done = subprocess.run(
                [str(program), *options, str(document)], capture_output=True, timeout=MAX_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.decode("utf-8", "replace")

    return convert


if __name__ == "__main__":
    sys.exit(main())
