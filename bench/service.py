"""Fast mode over HTTP, from upload to result, on the embedded backends and on those of production.

    python -m bench.service [embedded] [postgres+redis]

Service and load share the machine. Prints a table for each set of backends and writes its figures to
bench/results/service-BACKENDS.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from threading import local
from typing import cast

import httpx

from bench.figures import CORPUS, Figure, report
from bench.watching import Watch
from tests.acceptance.backends import BACKENDS
from tests.acceptance.running_service import SHORT_TIMES, RunningService

CLIENTS = 8
ONE_PAGE_DOCUMENTS = 300
MEDIUM_ROUNDS = 6
LATENCY_SAMPLES = 60
POLL_GROWTH, MAX_POLL_SECONDS = 1.5, 0.5  # the official clients wait a second first, then longer each time
TARGETS = {"embedded": 8_000, "postgres+redis": 12_000}


def documents() -> list[Path]:
    """Return the born-digital documents of the corpus, long ones first so that none runs alone at the end."""
    names = [*CORPUS.glob("speed/[im]*.pdf"), *CORPUS.glob("markdown/*.pdf"), *CORPUS.glob("text/*.pdf")]
    return sorted(names, key=lambda path: -path.stat().st_size)


def medium_documents() -> list[Path]:
    """Return the documents of 20 to 500 pages, repeated for a longer measurement; the target applies to these."""
    import pikepdf

    def pages(path: Path) -> int:
        with pikepdf.open(path) as pdf:
            return len(pdf.pages)

    return [path for path in documents() if 20 <= pages(path) <= 500] * MEDIUM_ROUNDS


def one_page_documents(folder: Path, count: int) -> list[Path]:
    """Write single pages of the corpus, evenly over its documents, and return their paths."""
    import pikepdf

    def cuts() -> Iterator[Path]:
        for path in documents():
            with pikepdf.open(path) as source:
                for number in range(0, len(source.pages), max(1, len(source.pages) // 8)):
                    target = folder / f"{path.stem}-{number + 1}.pdf"
                    with pikepdf.new() as single:
                        single.pages.append(source.pages[number])
                        single.save(target)
                    yield target

    return list(islice(cuts(), count))


# This benchmark measures reading text layers; bench.ocr measures OCR.
_CONFIGURATION = json.dumps(
    {"tier": "fast", "version": "latest", "processing_options": {"ocr_parameters": {"disable_ocr": True}}}
)


class Client:
    """A client of the API that uploads documents and waits for their Markdown."""

    def __init__(self, service: RunningService, *, poll_seconds: float) -> None:
        self._service = service
        self._poll_seconds = poll_seconds
        self._own = local()

    def parse(self, document: Path) -> tuple[float, int]:
        """Return the seconds from upload to downloaded result, and the job's number of pages."""
        http = self._connection()
        started = time.perf_counter()
        files = {"file": (document.name, document.read_bytes(), "application/pdf")}
        configuration = {"configuration": _CONFIGURATION}
        answer = http.post("/api/v2/parse/upload", data=configuration, files=files)
        job = self._checked(answer).json()
        pause = self._poll_seconds
        while job["status"] in ("PENDING", "RUNNING"):
            time.sleep(pause)
            pause = min(pause * POLL_GROWTH, max(MAX_POLL_SECONDS, self._poll_seconds))
            job = self._checked(http.get(f"/api/v2/parse/{job['id']}")).json()["job"]
        if job["status"] != "COMPLETED":
            raise SystemExit(f"{document.name}: {job}")
        result = self._checked(http.get(f"/api/v2/parse/{job['id']}", params={"expand": "markdown"})).json()
        return time.perf_counter() - started, len(result["markdown"]["pages"])

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code} {answer.text[:500]}")
        return answer

    def _connection(self) -> httpx.Client:
        """Return this thread's connection, which stays open."""
        if not hasattr(self._own, "http"):
            self._own.http = self._service.client()
        return cast("httpx.Client", self._own.http)


def load(parse: Callable[[Path], tuple[float, int]], paths: Sequence[Path], clients: int) -> tuple[float, int]:
    """Parse all documents with a number of clients; return the seconds and the pages."""
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        pages = sum(count for _, count in pool.map(parse, paths))
    return time.perf_counter() - started, pages


def measure(service: RunningService, name: str, folder: Path) -> list[Figure]:
    singles = one_page_documents(folder, ONE_PAGE_DOCUMENTS)
    load(Client(service, poll_seconds=0.05).parse, singles[:20], CLIENTS)  # warms up
    members = {process.name: process.popen.pid for process in service.processes} | service.backends.pids()
    with Watch(members) as watch:
        seconds, pages = load(Client(service, poll_seconds=0.1).parse, documents(), CLIENTS)
        words = service.number("SELECT sum(CAST(result_facts ->> 'words' AS bigint)) FROM jobs_parsejob")
    figures = [
        Figure("all documents of the corpus: pages a minute", pages / seconds * 60, "pages/min"),
        Figure("the same in words", words / seconds, "words/s"),
        *(Figure(f"CPU, {who}", used / pages * 1000, "ms/page") for who, used in sorted(watch.cpu_seconds.items())),
        *(Figure(f"peak memory of a process, {who}", mb, "MB") for who, mb in sorted(watch.peak_mb.items())),
    ]
    seconds, pages = load(Client(service, poll_seconds=0.1).parse, medium_documents(), CLIENTS)
    rate = pages / seconds * 60
    figures.insert(0, Figure("documents of 20 to 500 pages: pages a minute", rate, "pages/min", TARGETS.get(name)))
    seconds, pages = load(Client(service, poll_seconds=0.02).parse, singles, 8)
    figures.append(Figure("one-page documents, 8 clients", pages / seconds * 60, "documents/min"))
    client = Client(service, poll_seconds=0.005)
    latencies = sorted(client.parse(path)[0] * 1000 for path in singles[:LATENCY_SAMPLES])
    figures += [
        Figure("one-page document alone, upload to result, p50", statistics.median(latencies), "ms", 200),
        Figure("one-page document alone, upload to result, p95", latencies[int(len(latencies) * 0.95)], "ms"),
    ]
    return figures


@contextmanager
def running_service(name: str) -> Iterator[tuple[RunningService, Path]]:
    """Start the service with its defaults on one set of backends, in a temporary folder."""
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        for subfolder in ("backends", "data", "documents"):
            (folder / subfolder).mkdir()
        folder.chmod(0o755)  # the database server runs as another user and must reach its folder below
        backends = cleanup.enter_context(BACKENDS[name](folder / "backends"))
        service = RunningService(backends, folder / "data", settings=dict.fromkeys(SHORT_TIMES, ""))
        cleanup.callback(service.stop)
        service.prepare()
        service.start_web()
        service.start_worker()
        yield service, folder / "documents"


def main(arguments: Sequence[str]) -> None:
    if not CORPUS.exists():
        sys.exit("This benchmark reads ../shared/corpus, which is missing.")
    for name in arguments or list(TARGETS):
        print(f"--- {name}")
        with running_service(name) as (service, folder):
            report(f"service-{name}", measure(service, name, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
