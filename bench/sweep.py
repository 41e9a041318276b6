"""Read every PDF below a folder and report lost text: ``make sweep DIR=... [ARGS="--pages 10 --worst 20"]``.

For each file the characters and words of the blocks are compared with what pdftotext (of Debian's poppler-utils, if it
is installed) and PDFium's own text have, both read in the sandbox's way: one process for each. Recall is the share of
these that the blocks have too, counted without order; the better of both comparisons counts, since each has errors of
its own. pdftotext reads the visible part of each page only, as PDFium does. Prints the means, how many files fail with
which code, and the worst files with their warnings.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import ParseError
from apps.pages.sandbox.client import Limits, Reader

MIN_CHARACTERS = 20
LOW_RECALL = 0.7
MAX_PAGES = 10
WORST = 20
_PDFTOTEXT_SECONDS = 60.0
_LIMITS = Limits(wall_seconds=30.0, cpu_seconds=30)
_LINE_END_HYPHEN = re.compile("(?<=[^\\W\\d_])[-\u2010\xad]\\s*\n\\s*(?=[^\\W\\d_])")
_IGNORED = re.compile("[\\W_\ufffd\ue000-\uf8ff]+")
# Scripts without blanks between words: each letter counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
# Both programs give the letters of a ligature of Arabic in the order of display.
_LEFTWARD_WORD = re.compile("[\u0590-\u08ff]{2,}")
# What pdfinfo says of a page.
_PAGE_FACT = re.compile(
    r"^Page +(\d+) (?:size: +([\d.]+) x ([\d.]+) pts.*|rot: +(\d+)|(MediaBox|CropBox): +(.*))$", re.MULTILINE
)


class Result(msgspec.Struct, frozen=True):
    """What one file gave. Recalls are 0.0-1.0, None without text to compare with. ``error``: the code of a file that
    cannot be read; ``failed``: how many of its pages cannot."""

    name: str
    pages: int = 0
    failed: int = 0
    characters: int = 0
    character_recall: float | None = None
    word_recall: float | None = None
    against: str = ""
    seconds: float = 0.0
    warnings: dict[str, int] = {}
    needs_ocr: dict[str, int] = {}
    error: str = ""


class Sweeper:
    """Reads files one after the other with a sandboxed reader of ours and one that gives PDFium's text."""

    def __init__(self, root: Path, max_pages: int) -> None:
        self._root = root
        self._max_pages = max_pages
        self._reader = Reader()
        self._plain_reader = Reader(work="bench.raw_text")

    def result_of(self, path: Path) -> Result:
        """Read a file and compare it."""
        name = str(path.relative_to(self._root))
        started = time.monotonic()
        try:
            facts = self._reader.inspect(path, limits=_LIMITS)
            numbers = range(1, min(facts.page_count, self._max_pages) + 1)
            entries = self._reader.read_range(path, numbers, limits=_LIMITS)
        except (ParseError, OSError) as error:
            return Result(name, error=getattr(error, "code", type(error).__name__))
        seconds = time.monotonic() - started
        pages = [entry for entry in entries if isinstance(entry, Page)]
        own = "\n".join(text_of(page) for page in pages)
        references = {"PDFium": self._plain_text(path, numbers), "pdftotext": pdftotext(path, len(numbers))}
        compared = {
            name: (recall(characters_of(own), characters_of(text)), recall(words_of(own), words_of(text)))
            for name, text in references.items()
            if characters_of(text).total() >= MIN_CHARACTERS
        }
        against = max(compared, key=lambda name: compared[name], default="")
        return Result(
            name,
            pages=len(entries),
            failed=len(entries) - len(pages),
            characters=characters_of(own).total(),
            character_recall=max((characters for characters, _ in compared.values()), default=None),
            word_recall=max((words for _, words in compared.values()), default=None),
            against=against,
            seconds=round(seconds, 2),
            warnings=dict(Counter(code for page in pages for code in page.warnings)),
            needs_ocr=dict(Counter(page.needs_ocr for page in pages if page.needs_ocr)),
        )

    def _plain_text(self, path: Path, numbers: Sequence[int]) -> str:
        try:
            entries = self._plain_reader.read_range(path, numbers, limits=_LIMITS)
        except (ParseError, OSError):
            return ""
        return "\n".join(text_of(entry) for entry in entries if not isinstance(entry, PageFailure))

    def close(self) -> None:
        self._reader.close()
        self._plain_reader.close()


def text_of(page: Page) -> str:
    """Return all text of a page, running lines and hidden text included."""
    parts = list(page.hidden)
    for block in page.blocks:
        parts.append(f"{block.marker} {block.text}")
        parts += [cell.text for cell in block.cells]
    return "\n".join(parts)


def pdftotext(path: Path, pages: int) -> str:
    """Return poppler's text of the visible part of the first pages; "" without the program, or where it fails."""
    cropped = cropped_pages(_output("pdfinfo", "-box", "-f", "1", "-l", str(pages), str(path)))
    if not cropped:
        return _output("pdftotext", "-q", "-enc", "UTF-8", "-l", str(pages), str(path), "-")
    texts = []
    for number in range(1, pages + 1):
        part: list[str] = []
        if number in cropped:
            width, height = cropped[number]
            part = ["-cropbox", "-x", "0", "-y", "0", "-W", str(width), "-H", str(height)]
        only = ["-f", str(number), "-l", str(number)]
        texts.append(_output("pdftotext", "-q", "-enc", "UTF-8", *only, *part, str(path), "-"))
    return "".join(texts)


def cropped_pages(facts: str) -> dict[int, tuple[int, int]]:
    """Return width and height in points, as displayed, of the pages that pdfinfo says are part of a larger sheet."""
    sizes: dict[int, tuple[int, int]] = {}
    boxes: dict[int, set[str]] = {}
    for page, width, height, turned, _name, box in _PAGE_FACT.findall(facts):
        number = int(page)
        if width:
            sizes[number] = math.ceil(float(width)), math.ceil(float(height))
        elif turned in ("90", "270"):
            sizes[number] = sizes[number][::-1]
        elif box:
            boxes.setdefault(number, set()).add(" ".join(box.split()))
    return {number: sizes[number] for number, found in boxes.items() if len(found) > 1 and number in sizes}


def _output(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    if found is None:
        return ""
    try:
        run = subprocess.run([found, *arguments], capture_output=True, check=False, timeout=_PDFTOTEXT_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    return run.stdout.decode("utf-8", "replace")


def characters_of(text: str) -> Counter[str]:
    """Count the letters and digits of a text; signs and blanks are written in too many ways to compare."""
    return Counter(_IGNORED.sub("", unicodedata.normalize("NFKC", text)).casefold())


def words_of(text: str) -> Counter[str]:
    """Count the words of a text; words hyphenated at a line end are joined, those written to the left have no order."""
    joined = _LINE_END_HYPHEN.sub("", unicodedata.normalize("NFKC", text))
    unordered = _LEFTWARD_WORD.sub(lambda word: "".join(sorted(word[0])), joined)
    return Counter(_WORD.findall(unordered.casefold()))


def recall(own: Counter[str], wanted: Counter[str]) -> float:
    """Return the share of ``wanted`` that is in ``own`` too."""
    total = wanted.total()
    return (own & wanted).total() / total if total else 1.0


def sweep(root: Path, *, max_pages: int, processes: int) -> list[Result]:
    """Read all PDFs below ``root``, in the order of their names."""
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() == ".pdf" and path.is_file())
    shares = [files[start::processes] for start in range(processes)]

    def read(share: Sequence[Path]) -> list[Result]:
        sweeper = Sweeper(root, max_pages)
        try:
            return [sweeper.result_of(path) for path in share]
        finally:
            sweeper.close()

    with ThreadPoolExecutor(processes) as pool:
        return sorted((result for results in pool.map(read, shares) for result in results), key=lambda r: r.name)


def report(results: Sequence[Result], worst: int) -> Iterable[str]:
    """Yield the lines of the report."""
    compared = sorted(
        (result for result in results if result.character_recall is not None and not result.error),
        key=lambda result: (result.character_recall or 0.0, result.word_recall or 0.0),
    )
    yield f"{len(results)} files, {sum(result.pages for result in results)} pages, {len(compared)} files with text"
    for label, codes in (
        ("files not read", Counter(result.error for result in results if result.error)),
        ("pages with", sum((Counter(result.warnings) for result in results), Counter())),
        ("pages for OCR", sum((Counter(result.needs_ocr) for result in results), Counter())),
    ):
        yield f"{label}: " + (", ".join(f"{code} {count}" for code, count in codes.most_common()) or "none")
    yield f"pages failed: {sum(result.failed for result in results)}"
    if not compared:
        return
    for label, values in (
        ("character recall", [result.character_recall or 0.0 for result in compared]),
        ("word recall", [result.word_recall or 0.0 for result in compared]),
    ):
        low = sum(1 for value in values if value < LOW_RECALL)
        yield f"{label}: {sum(values) / len(values):.4f}, {low} files below {LOW_RECALL}"
    yield f"worst {min(worst, len(compared))}: characters, words, against, seconds, file"
    for result in compared[:worst]:
        facts = ", ".join([*result.needs_ocr, *result.warnings])
        yield (
            f"  {result.character_recall:.3f} {result.word_recall:.3f} {result.against:9} {result.seconds:6.2f} "
            f"{result.name}{f'  ({facts})' if facts else ''}"
        )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=MAX_PAGES, help=f"pages of each file (default: {MAX_PAGES})")
    parser.add_argument("--worst", type=int, default=WORST, help=f"files listed (default: {WORST})")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write every file's figures here")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        print(f"{options.folder} is not a folder.", file=sys.stderr)
        return 2
    results = sweep(options.folder, max_pages=options.pages, processes=max(1, options.processes))
    for line in report(results, options.worst):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(results), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
