"""How the memory of the service's processes grows over many pages, in fast mode on the embedded backends.

    python -m bench.memory [PAGES]

One client sends documents of 100 pages, one after the other, to a worker with one pool process, and takes each result.
The growth is the slope of the straight line with the least squares, from page 500 on.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from bench.figures import Figure, report
from bench.service import Client
from bench.watching import processes_below
from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import SHORT_TIMES, RunningService
from tests.documents.long import long_document

PAGES = 10_000
PAGES_PER_DOCUMENT = 100
WARM_UP_PAGES = 500
TARGET_MB = 1.0
Samples = dict[tuple[str, int], list[tuple[int, float]]]
"""The pages so far and the resident MB, by the role and the id of a process."""


# By the name of a process group, and whether the process is its leader.
ROLES = {
    ("web", True): "web, parent",
    ("web", False): "web",
    ("worker-parse", True): "worker",
    ("worker-parse", False): "pool process",
    ("readers", False): "reader",
}


def sample(service: RunningService, pages: int, samples: Samples) -> None:
    for process in service.processes:
        for found, member in processes_below(process.name, process.popen.pid):
            role = ROLES[member, found.pid == process.popen.pid]
            samples[role, found.pid].append((pages, found.memory_info().rss / 2**20))


def growth(role: str, values: list[tuple[int, float]]) -> list[Figure]:
    pages, megabytes = zip(*values, strict=True)
    slope = statistics.linear_regression(pages, megabytes).slope * 1000
    return [
        Figure(f"{role}: growth for each 1,000 pages", slope, "MB", TARGET_MB),
        Figure(f"{role}: after {pages[0]:,} pages", megabytes[0], "MB"),
        Figure(f"{role}: after {pages[-1]:,} pages", megabytes[-1], "MB"),
    ]


def main(arguments: list[str]) -> None:
    total = int(arguments[0]) if arguments else PAGES
    samples: Samples = defaultdict(list)
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        (folder / "service").mkdir()
        service = RunningService(
            cleanup.enter_context(embedded_backends(folder)),
            folder / "service",
            {**dict.fromkeys(SHORT_TIMES, ""), "PARSE_PROCESSES": "1"},
        )
        cleanup.callback(service.stop)
        service.prepare()
        service.start_web()
        service.start_worker()
        document = folder / "document.pdf"
        client = Client(service, poll_seconds=0.1)
        for pages in range(PAGES_PER_DOCUMENT, total + 1, PAGES_PER_DOCUMENT):
            # A different document each time: nothing that is cached by its content may help.
            document.write_bytes(long_document(PAGES_PER_DOCUMENT) + b"\n%% %d\n" % pages)
            client.parse(document)
            if pages >= WARM_UP_PAGES:
                sample(service, pages, samples)
    figures = [
        Figure("pages", total, "pages"),
        Figure("processes, with those that were replaced", len(samples), "processes", len(ROLES)),
    ]
    for (role, _pid), values in samples.items():
        figures += growth(role, values) if len(values) > 1 else []
    report("memory", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
