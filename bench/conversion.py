"""Time and memory of a conversion by LibreOffice, from the start of its keeper to the end of all processes.

    python -m bench.conversion

Needs LibreOffice on this machine. Prints a table and writes bench/results/conversion.json.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from apps.pages.conversion import converter
from apps.pages.model.conversions import CONVERSIONS, Conversion
from bench.figures import ROOT, Figure, report

OLDER = ROOT / "tests" / "documents" / "older"
RUNS = 5
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


def measure(document: Path, conversion: Conversion, program: Path) -> tuple[float, int]:
    """Return the seconds and the peak bytes of one conversion."""
    started = time.perf_counter()
    with (
        PeakMemory() as peak,
        converter.converted(document, conversion, program=program, limits=converter.ConverterLimits()),
    ):
        seconds = time.perf_counter() - started
    return seconds, peak.bytes


def main() -> None:
    program = converter.find_program(converter.AUTO)
    if program is None:
        sys.exit("LibreOffice is not on this machine. Install it (docs/formats.md) and run this again.")
    figures = []
    with tempfile.TemporaryDirectory(prefix="leafmill-bench-") as folder:
        slides = Path(folder) / "slides.ppt"
        slides.write_bytes(gzip.decompress((OLDER / "slides.ppt.gz").read_bytes()))
        for document, media_type in (
            (OLDER / "letter.doc", "application/msword"),
            (slides, "application/vnd.ms-powerpoint"),
        ):
            runs = [measure(document, CONVERSIONS[media_type], program) for _ in range(RUNS)]
            seconds, peaks = zip(*runs, strict=True)
            figures += [
                Figure(f"{document.name}: median of {RUNS}", statistics.median(seconds), "s"),
                Figure(f"{document.name}: slowest", max(seconds), "s"),
                Figure(f"{document.name}: peak memory, all processes", max(peaks) / 2**20, "MB"),
            ]
    report("conversion", figures)


if __name__ == "__main__":
    main()
