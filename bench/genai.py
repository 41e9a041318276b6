"""Pages with models: throughput by width and latency, use of quotas, and the delay of an outage.

"share of width/latency" is that of the middle of the job; the figures of the whole job, from upload to result, follow.

    python -m bench.genai [widths] [widths-2] [requests] [requests-4] [tokens] [tokens-4] [fallback]

The provider is the fake server of the tests, on the same machine; service and load share its cores. Prints tables and
writes bench/results/genai-NAME.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from bench.figures import CORPUS, Figure, report
from bench.watching import Watch
from tests.acceptance.backends import BACKENDS
from tests.acceptance.running_service import SHORT_TIMES, Process, RunningService, wait_for
from tests.fakes.provider import FakeProvider

LATENCY_SECONDS = 4.0
# mode, queue, width, pages, target in pages a minute. The fake model does not see images, so in multimodal mode each
# page is requested twice and then gets its fallback text.
MODES = (
    ("balanced", "llm", 250, 1969, 2500),
    ("multimodal", "lvm", 50, 400, None),
    ("agentic", "agent", 25, 160, 130),
)
TIER = {"balanced": "cost_effective", "multimodal": "multimodal", "agentic": "agentic"}
# The text in pictures is not read: this measures the path of a page to the model, not OCR.
_NO_OCR = {"ocr_parameters": {"disable_ocr": True}}


class Bench:
    """A service whose pages go to a fake provider."""

    def __init__(self, service: RunningService, provider: FakeProvider) -> None:
        self.service = service
        self.provider = provider
        self.document = CORPUS / "speed" / "mixed-1969p.pdf"

    def deploy(self, *, family: str = "openai", name: str = "openai", order: int = 1, **quota: Any) -> None:
        self.service.run_python(
            "from tests.fakes.deployments import deploy\n"
            "from tests.fakes.provider import FakeProvider\n"
            f"server = FakeProvider.at({self.provider.url!r})\n"
            f"deploy(server, {family!r}, name={name!r}, order={order}, quota={quota or None!r})"
        )

    def start_models(self, queue: str, processes: int) -> None:
        def is_ready(worker: Process) -> bool:
            return b" ready." in worker.log.read_bytes()

        for _ in range(processes):
            before = len(self.service.processes)
            worker = self.service.start(
                "models",
                *(sys.executable, "manage.py", "work", queue, "--share", str(processes), "--name", f"{queue}{before}"),
            )
            wait_for(partial(is_ready, worker), "the worker is ready", seconds=30)
        time.sleep(6)  # litellm is imported in the background

    def parse(self, mode: str, pages: int, **options: Any) -> str:
        configuration = {
            "tier": TIER[mode],
            "version": "latest",
            "page_ranges": {"target_pages": f"1-{pages}"},
            "processing_options": _NO_OCR,
            "disable_cache": True,
            **options,
        }
        return self.service.upload(self.document, configuration=json.dumps(configuration))

    def first_arrival(self) -> float:
        wait_for(lambda: bool(self.arrivals()), "the first request", seconds=180)
        return self.arrivals()[0]

    def arrivals(self) -> list[float]:
        return sorted(entry["arrived_at"] for entry in self.provider.requests())


def steady_rate(arrivals: Sequence[float], *, skip_seconds: float) -> float:
    """Return requests a second without the ramp at the start and the end, when fewer pages than the width are left."""
    begin, end = arrivals[0] + skip_seconds, arrivals[-1] - 1.0
    inside = [moment for moment in arrivals if begin <= moment < end]
    return len(inside) / (end - begin)


def widths(processes: int, wanted: Sequence[str] = ()) -> Iterator[Figure]:
    for mode, queue, width, pages, target in MODES:
        if wanted and mode not in wanted:
            continue
        with running_service() as bench:
            bench.provider.set_latency(LATENCY_SECONDS)
            bench.deploy()
            bench.start_models(queue, processes)
            workers = [process.popen.pid for process in bench.service.processes if process.name == "models"]
            members = {process.name: process.popen.pid for process in bench.service.processes}
            members |= bench.service.backends.pids() | {"provider": bench.provider.pid}
            threads = 0
            with Watch(members | {f"models {pid}": pid for pid in workers}) as watch:
                uploaded = time.monotonic()
                job = bench.parse(mode, pages)
                while bench.service.job(job)["job"]["status"] in ("PENDING", "RUNNING"):
                    time.sleep(0.5)
                    threads = max(threads, *(psutil.Process(pid).num_threads() for pid in workers))
                whole_seconds = time.monotonic() - uploaded
            arrivals = bench.arrivals()
            rate = steady_rate(arrivals, skip_seconds=2 * LATENCY_SECONDS)
            ideal = processes * -(-width // processes) / LATENCY_SECONDS  # shares are rounded up
            calls = len(arrivals)
            used = watch.cpu_seconds
            yield Figure(f"{mode}, {width} wide: pages a minute", rate * pages / calls * 60, "pages/min", target)
            yield Figure(f"{mode}: share of width/latency", rate / ideal, "", 0.95)
            yield Figure(f"{mode}, upload to result: pages a minute", pages / whole_seconds * 60, "pages/min")
            yield Figure(f"{mode}, upload to result: share of width/latency", calls / whole_seconds / ideal, "", 0.95)
            yield Figure(f"{mode}: requests a page", calls / pages, "")
            models = sum(seconds for name, seconds in used.items() if name.startswith("models "))
            yield Figure(f"{mode}: CPU a call, model workers", models / calls * 1000, "ms")
            ours = {name: seconds for name, seconds in used.items() if name not in ("models", "provider")}
            target_ms = 25 if mode == "balanced" else None
            yield Figure(
                f"{mode}: CPU a page, all processes of the service", sum(ours.values()) / pages * 1000, "ms", target_ms
            )
            for name, seconds in ours.items():
                if not name.startswith("models "):
                    yield Figure(f"{mode}: CPU a page, {name}", seconds / pages * 1000, "ms")
            memory = max(mb for name, mb in watch.peak_mb.items() if name.startswith("models "))
            yield Figure(f"{mode}: peak memory of a model worker", memory, "MB")
            yield Figure(f"{mode}: threads of a model worker", threads, "")


def quota(unit: str, limit: int, processes: int) -> Iterator[Figure]:
    """Measure how much of a limit is used, and how many requests a strict provider counts above it."""
    with running_service() as bench:
        bench.provider.set_latency(1.0)
        limits: dict[str, Any] = {unit: limit}
        bench.provider.limit(**limits, retry_after=5)
        quota: dict[str, Any] = {f"{unit}_per_window": limit}
        bench.deploy(**quota)
        bench.start_models("llm", processes)
        bench.parse("balanced", 1969)
        began = bench.first_arrival()
        time.sleep(max(0.0, began + 122 - time.time()))
        requests = [entry for entry in bench.provider.requests() if entry["arrived_at"] < began + 120]
        counts = {
            "requests": len(requests),
            "tokens": sum(entry["input_tokens"] + entry["output_tokens"] for entry in requests),
        }
        stats = bench.provider.stats()
        share = counts[unit] / (2 * limit)
        name = f"{limit:,} {unit}/min, {processes} process{'es' if processes > 1 else ''}"
        yield Figure(f"{name}: reached over two minutes", share, "of the limit", 0.98)
        yield Figure(f"{name}: requests above the limit", sum(one["over_limit"] for one in stats.values()), "", 0)
        yield Figure(f"{name}: most in any 60 s", max(one["busiest_window"] for one in stats.values()), "requests")


def arrivals_since(provider: FakeProvider, moment: float) -> list[float]:
    return sorted(entry["arrived_at"] for entry in provider.requests() if entry["arrived_at"] > moment)


def fallback() -> Iterator[Figure]:
    """Measure the delays when the first of two providers stops under load and comes back."""
    with running_service() as bench, FakeProvider() as first:
        bench.provider.set_latency(1.0)
        first.set_latency(1.0)
        second, bench.provider = bench.provider, first
        bench.deploy(name="first", order=1)
        bench.provider = second
        bench.deploy(family="anthropic", name="second", order=2)
        bench.start_models("llm", 1)
        bench.parse("balanced", 1969)
        wait_for(lambda: len(first.requests()) > 300, "pages go to the first provider", seconds=120)
        stopped = time.time()
        first.stop()
        time.sleep(15)
        arrivals = [stopped, *arrivals_since(second, stopped)]
        yield Figure("first provider dies: until the second has a page", arrivals[1] - stopped, "s", 5)
        gaps = [late - early for early, late in pairwise(arrivals)]
        yield Figure("longest time without a page after that", max(gaps), "s", 5)
        back = time.time()
        first.start()
        wait_for(lambda: bool(arrivals_since(first, back)), "the first provider is asked again", seconds=90)
        again = arrivals_since(first, back)[0]
        yield Figure("first provider comes back: until it has a page", again - back, "s", 60)


@contextmanager
def running_service() -> Iterator[Bench]:
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        for name in ("backends", "data"):
            (folder / name).mkdir()
        folder.chmod(0o755)  # the database server runs as another user and must reach its folder below
        backends = cleanup.enter_context(BACKENDS["postgres+redis"](folder / "backends"))
        provider = cleanup.enter_context(FakeProvider())
        service = RunningService(backends, folder / "data", settings=dict.fromkeys(SHORT_TIMES, ""))
        cleanup.callback(service.stop)
        service.prepare()
        service.start_web()
        service.start_worker()
        yield Bench(service, provider)


def main(arguments: Sequence[str]) -> None:
    if not CORPUS.exists():
        sys.exit("This benchmark reads ../shared/corpus, which is missing.")
    benchmarks: dict[str, Callable[[], Iterator[Figure]]] = {
        "widths": lambda: widths(1),
        "widths-2": lambda: widths(2),
        "requests-4": lambda: quota("requests", 600, 4),
        "requests": lambda: quota("requests", 600, 1),
        "tokens-4": lambda: quota("tokens", 900_000, 4),
        "tokens": lambda: quota("tokens", 900_000, 1),
        "fallback": fallback,
    }
    for name in arguments or list(benchmarks):
        print(f"--- {name}", flush=True)
        report(f"genai-{name}", list(benchmarks[name]()))


if __name__ == "__main__":
    main(sys.argv[1:])
