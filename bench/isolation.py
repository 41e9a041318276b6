"""The cost of reading in a sandboxed child process, compared with reading in the same process.

    python -m bench.isolation [PDF]

Prints a table and writes bench/results/isolation.json.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from apps.pages.reading import page_reading
from apps.pages.sandbox.client import Limits, Reader
from apps.pages.sandbox.preload import small_pdf
from bench.figures import CORPUS, ROOT, Figure, report

DEFAULT = CORPUS / "speed" / "irs-manual-400p.pdf"
RANGE = 16
ROUNDS = 25


def milliseconds(*actions: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Return the median time of each action. The actions alternate, so that load on the machine affects all of them."""
    times: list[list[float]] = [[] for _ in actions]
    for round_number in range(rounds + 1):
        for action, taken in zip(actions, times, strict=True):
            started = time.perf_counter()
            action()
            if round_number:  # the first round warms up
                taken.append((time.perf_counter() - started) * 1000)
    return [statistics.median(taken) for taken in times]


_numbers = itertools.count(10_000)


def unused_limits() -> Limits:
    """Return limits with which no child was forked before, so that no child is reused."""
    return Limits(max_pages=next(_numbers))


def start_milliseconds(document: Path) -> float:
    """Measure the start of a reader until its first answer."""

    def start() -> None:
        with Reader() as reader:
            reader.inspect(document)

    return milliseconds(start, rounds=5)[0]


def command_milliseconds(document: Path) -> float:
    """Measure ``manage.py parse`` of one page, from process start to exit."""
    arguments = [sys.executable, "manage.py", "parse", "-q", str(document), "-o", os.devnull]
    return milliseconds(lambda: subprocess.run(arguments, cwd=ROOT, check=True), rounds=7)[0]


def figures(document: Path, one_page: Path) -> list[Figure]:
    numbers = range(1, RANGE + 1)

    def in_process(pages: Sequence[int]) -> object:
        return [msgspec.json.encode(page) for page in page_reading.read_pages(str(document), pages)]

    with Reader() as reader, Reader() as other:
        plain, isolated, fresh = milliseconds(
            lambda: in_process(numbers),
            lambda: reader.read_range(document, numbers),
            lambda: other.read_range(document, numbers, limits=unused_limits()),
        )
        plain_one, fresh_one = milliseconds(
            lambda: in_process([1]), lambda: other.read_range(document, [1], limits=unused_limits())
        )
        plain_preflight, preflight, both = milliseconds(
            lambda: page_reading.inspect_document(str(one_page), max_pages=1),
            lambda: other.inspect(one_page),
            lambda: other.inspect_and_read(one_page, page_numbers=lambda _: [1]),
        )
        memory = psutil.Process(reader.pid).memory_full_info()
    return [
        Figure(f"a page in a range of {RANGE}, in process", plain / RANGE, "ms"),
        Figure(f"a page in a range of {RANGE}, isolated", isolated / RANGE, "ms"),
        Figure(f"isolation, a page in a range of {RANGE}", (isolated - plain) / RANGE, "ms", 0.5),
        Figure("the same in a fresh child each time", (fresh - plain) / RANGE, "ms"),
        Figure("isolation, a page alone in a fresh child", fresh_one - plain_one, "ms"),
        Figure("isolation, one pre-flight", preflight - plain_preflight, "ms", 5.0),
        Figure("one-page document: pre-flight and page in one child", both, "ms"),
        Figure("start of a reader to its first answer", start_milliseconds(one_page), "ms"),
        Figure("memory of a warm reader, its own (USS)", memory.uss / 2**20, "MB"),
        Figure("manage.py parse, one page, start to exit", command_milliseconds(one_page), "ms", 500.0),
    ]


def main(arguments: list[str]) -> None:
    document = Path(arguments[0]) if arguments else DEFAULT
    if not document.exists():
        sys.exit(f"{document} does not exist. Pass a PDF of at least {RANGE} pages.")
    os.environ.setdefault("TOKIO_WORKER_THREADS", "1")  # as in a reader, so that both do the same work
    with tempfile.TemporaryDirectory(prefix="leafmill-bench-") as folder:
        one_page = Path(folder) / "one-page.pdf"
        one_page.write_bytes(small_pdf())
        report("isolation", figures(document, one_page))


if __name__ == "__main__":
    main(sys.argv[1:])
