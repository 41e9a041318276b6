"""Seconds and memory of conversions by LibreOffice, from the start of the keeper to the end of all processes.

    python -m bench.conversion

Needs LibreOffice on this machine. Prints a table and writes bench/results/conversion.json.
"""

from __future__ import annotations

import gzip
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from apps.pages.conversion import converter
from apps.pages.model.conversions import CONVERSIONS, DOCX, PPTX, PRINTS, Conversion
from bench import office_speed
from bench.figures import ROOT, Figure, report

OLDER = ROOT / "tests" / "documents" / "older"
RUNS = 5
ROWS, COLUMNS = 300, 12
WATCH_SECONDS = 0.02


class PeakMemory:
    """The largest resident memory of all descendants of this process together, in bytes, sampled in a thread."""

    def __init__(self) -> None:
        self.bytes = 0
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()

    def _watch(self) -> None:
        this = psutil.Process()
        while not self._is_done.wait(WATCH_SECONDS):
            self.bytes = max(self.bytes, sum(_resident_bytes(child) for child in this.children(recursive=True)))


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def measure(document: Path, conversion: Conversion, program: Path) -> tuple[float, float, int]:
    """Return the seconds, the CPU seconds of all processes and their peak bytes of one conversion."""
    started, cpu_before = time.perf_counter(), cpu_seconds_of_children()
    with (
        PeakMemory() as peak,
        converter.converted(document, conversion, program=program, limits=converter.ConverterLimits()),
    ):
        seconds = time.perf_counter() - started
    return seconds, cpu_seconds_of_children() - cpu_before, peak.bytes


def cpu_seconds_of_children() -> float:
    """Return the CPU seconds of the processes that ended below this one."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    program = converter.find_program(converter.AUTO)
    if program is None:
        sys.exit("LibreOffice is not on this machine. Install it (docs/formats.md) and run this again.")
    figures = []
    with tempfile.TemporaryDirectory(prefix="leafmill-bench-") as folder:
        for document, media_type in short_documents(Path(folder)):
            runs = [measure(document, CONVERSIONS[media_type], program) for _ in range(RUNS)]
            seconds, cpu_seconds, peaks = zip(*runs, strict=True)
            figures += [
                Figure(f"{document.name}: median of {RUNS}", statistics.median(seconds), "s"),
                Figure(f"{document.name}: slowest", max(seconds), "s"),
                Figure(f"{document.name}: CPU, median", statistics.median(cpu_seconds), "s"),
                Figure(f"{document.name}: peak memory, all processes", max(peaks) / 2**20, "MB"),
            ]
        for document, media_type in long_documents(Path(folder)):
            taken, cpu, peak = measure(document, PRINTS[media_type], program)
            figures += [
                Figure(f"{document.name}, printed to PDF: once", taken, "s"),
                Figure(f"{document.name}, printed to PDF: CPU", cpu, "s"),
                Figure(f"{document.name}, printed to PDF: peak memory, all processes", peak / 2**20, "MB"),
            ]
    report("conversion", figures)


def short_documents(folder: Path) -> list[tuple[Path, str]]:
    """Return one document of each kind that is converted, with its media type."""
    slides, workbook = folder / "slides.ppt", folder / "workbook.fods"
    slides.write_bytes(gzip.decompress((OLDER / "slides.ppt.gz").read_bytes()))
    workbook.write_text(flat_workbook())
    return [
        (OLDER / "letter.doc", "application/msword"),
        (workbook, "application/vnd.oasis.opendocument.spreadsheet-flat-xml"),
        (slides, "application/vnd.ms-powerpoint"),
        (OLDER / "drawing.fodg", "application/vnd.oasis.opendocument.graphics-flat-xml"),
    ]


def flat_workbook() -> str:
    """Return a flat OpenDocument workbook of one sheet."""
    cells = "".join(
        f'<table:table-cell office:value-type="float" office:value="{column}"><text:p>{column}</text:p>'
        "</table:table-cell>"
        for column in range(COLUMNS)
    )
    oasis = "urn:oasis:names:tc:opendocument:xmlns:"
    names = "".join(f' xmlns:{name}="{oasis}{name}:1.0"' for name in ("office", "table", "text"))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document{names} office:version="1.2" '
        'office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:body><office:spreadsheet>'
        f'<table:table table:name="Sheet">{f"<table:table-row>{cells}</table:table-row>" * ROWS}</table:table>'
        "</office:spreadsheet></office:body></office:document>"
    )


def long_documents(folder: Path) -> list[tuple[Path, str]]:
    """Return the long documents of bench.office_speed, with their media types."""
    text, slides = folder / "text.docx", folder / "slides.pptx"
    office_speed.write_text(text)
    office_speed.write_slides(slides)
    return [(text, DOCX), (slides, PPTX)]


if __name__ == "__main__":
    main()
