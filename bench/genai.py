"""Pages with models: throughput by width and latency, use of quotas, and the delay of an outage.

"share of width/latency" is that of the middle of the job; the figures of the whole job, from upload to result, follow.
CPU depends on what else the machine does, so that of a reference loop is printed beside it.

    python -m bench.genai [widths] [widths-2] [wide-2] [requests] [requests-4] [tokens] [tokens-4] [fallback]

The provider is the fake server of the tests, on the same machine; service and load share its cores. Prints tables and
writes bench/results/genai-NAME.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from apps.pages.model.blocks import Page
from apps.pages.output.assembly import RenderOptions, finished_pages
from apps.pages.output.render import page_markdown
from apps.pages.reading.page_reading import read_pages, render_for_vision
from apps.parsing.page_pictures import page_resolution
from bench.figures import CORPUS, Figure, report
from bench.watching import Watch
from tests.acceptance.backends import BACKENDS
from tests.acceptance.running_service import SHORT_TIMES, Process, RunningService, wait_for
from tests.fakes.provider import FakeProvider

LATENCY_SECONDS = 4.0
BUSY_PERCENT = 20
PROVIDER = "provider"
MIN_RUNS = 5
LOOP_STEPS = 200_000


@dataclass(frozen=True)
class Job:
    """A document in one mode: its queue, its calls in flight, the provider's latency, pages, and a target of pages/min.

    There are enough pages that the middle of the job lasts for several latencies. Models that are sent a picture answer
    with the Markdown that fast mode gives for its page.
    """

    mode: str
    queue: str
    width: int
    latency_seconds: float
    pages: int
    target: float | None = None


JOBS = (
    Job("balanced", "llm", 250, LATENCY_SECONDS, 1500, 2500),
    Job("multimodal", "lvm", 50, LATENCY_SECONDS, 250),
    Job("agentic", "agent", 25, LATENCY_SECONDS, 120, 130),
)
# Models that look at pictures take longer: as many calls wait as in balanced mode.
WIDE_JOBS = (Job("multimodal", "lvm", 250, 20.0, 1250), Job("agentic", "agent", 250, 20.0, 500))
WIDTHS = {
    "llm": "ACCURATE_MODE_LLM_CONCURRENCY",
    "lvm": "MULTIMODAL_MODEL_CONCURRENCY",
    "agent": "PREMIUM_MODE_MODEL_CONCURRENCY",
}
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
        self.wait_until_idle(queue)

    def wait_until_idle(self, queue: str) -> None:
        """Wait until the model workers have imported litellm, which they do in the background."""

        def is_idle(worker: psutil.Process) -> bool:
            return worker.cpu_percent(interval=1.0) < BUSY_PERCENT

        for process in self.service.processes:
            if process.name == "models":
                worker = psutil.Process(process.popen.pid)
                wait_for(partial(is_idle, worker), f"{queue} is idle", seconds=90)

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

    def show_pages(self, pages: int) -> None:
        """Let the provider know what the pictures of the first pages show."""
        path, numbers = str(self.document), range(1, pages + 1)
        read = list(read_pages(path, numbers))
        markdown: dict[bytes, str] = {}
        for page in finished_pages(lambda: iter(read)):
            assert isinstance(page, Page), page
            dpi, max_pixels = page_resolution(page, 0)
            picture = render_for_vision(path, page.number, dpi=dpi, max_pixels=max_pixels)
            markdown[picture] = page_markdown(page.blocks, RenderOptions())
        self.provider.show(markdown)

    def first_arrival(self) -> float:
        wait_for(lambda: bool(self.arrivals()), "the first request", seconds=180)
        return self.arrivals()[0]

    def arrivals(self) -> list[float]:
        return sorted(moment for moment, _ in self.provider.arrivals())


def steady_rate(arrivals: Sequence[float], *, latency_seconds: float) -> float:
    """Return requests a second in the middle: without two latencies at the start, and before the last page was sent.

    Calls that began together end together, so whole latencies are counted.
    """
    begin = arrivals[0] + 2 * latency_seconds
    latencies = int((arrivals[-1] - begin) / latency_seconds)
    if latencies < 1:
        sys.exit("The job ended before its middle: it needs more pages.")
    end = begin + latencies * latency_seconds
    return sum(begin <= moment < end for moment in arrivals) / (end - begin)


def reference_loop_ms() -> float:
    """Return the CPU time of a fixed loop, smallest of several: other work on the machine slows down everything."""

    def once() -> float:
        begun = time.process_time()
        sum(step * step % 7 for step in range(LOOP_STEPS))
        return (time.process_time() - begun) * 1000

    return min(once() for _ in range(MIN_RUNS))


def widths(processes: int, jobs: Sequence[Job] = JOBS) -> Iterator[Figure]:
    for job in jobs:
        with running_service({WIDTHS[job.queue]: str(job.width)}) as bench:
            bench.provider.set_latency(job.latency_seconds)
            if job.mode == "multimodal":
                bench.show_pages(job.pages)
            bench.deploy()
            bench.start_models(job.queue, processes)
            yield from run_job(bench, job, processes)


def run_job(bench: Bench, job: Job, processes: int) -> Iterator[Figure]:
    """Parse the document and measure the middle of the job, the whole job, and the CPU of each process."""
    loop_ms = reference_loop_ms()
    workers = [process.popen.pid for process in bench.service.processes if process.name == "models"]
    members = {process.name: process.popen.pid for process in bench.service.processes if process.name != "models"}
    members |= bench.service.backends.pids() | {PROVIDER: bench.provider.pid}
    threads = 0
    with Watch(members | {f"models {pid}": pid for pid in workers}) as watch:
        uploaded = time.monotonic()
        job_id = bench.parse(job.mode, job.pages)
        while bench.service.job(job_id)["job"]["status"] in ("PENDING", "RUNNING"):
            time.sleep(1.0)
            threads = max(threads, *(psutil.Process(pid).num_threads() for pid in workers))
        seconds = time.monotonic() - uploaded
    arrivals = bench.arrivals()
    calls, ideal = len(arrivals), job.width / job.latency_seconds
    rate = steady_rate(arrivals, latency_seconds=job.latency_seconds)
    mode = job.mode if job in JOBS else f"{job.mode} {job.width} wide"
    print(f"{mode}: {rate / ideal:.2f} of width/latency in {seconds:.0f} s", flush=True)
    yield Figure(
        f"{job.mode}, {job.width} wide: pages a minute", rate * job.pages / calls * 60, "pages/min", job.target
    )
    yield Figure(f"{mode}: share of width/latency", rate / ideal, "", 0.95)
    yield Figure(f"{mode}, upload to result: pages a minute", job.pages / seconds * 60, "pages/min")
    yield Figure(f"{mode}, upload to result: share of width/latency", calls / seconds / ideal, "")
    yield Figure(f"{mode}: requests a page", calls / job.pages, "")
    used: dict[str, float] = {}
    for name, cpu in watch.cpu_seconds.items():
        used[name.split()[0]] = used.get(name.split()[0], 0.0) + cpu / job.pages * 1000
    provider_ms = used.pop(PROVIDER)
    target = 25 if job.mode == "balanced" else None
    yield Figure(f"{mode}: CPU a page, all processes of the service", sum(used.values()), "ms", target)
    for name, page_ms in used.items():
        yield Figure(f"{mode}: CPU a page, {name}", page_ms, "ms")
    yield Figure(f"{mode}: CPU a page of the fake provider, not included", provider_ms, "ms")
    yield Figure(f"{mode}: CPU of the reference loop", (loop_ms + reference_loop_ms()) / 2, "ms")
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
        tokens = [tokens for moment, tokens in bench.provider.arrivals() if moment < began + 120]
        counts = {"requests": len(tokens), "tokens": sum(tokens)}
        stats = bench.provider.stats()
        share = counts[unit] / (2 * limit)
        name = f"{limit:,} {unit}/min, {processes} process{'es' if processes > 1 else ''}"
        yield Figure(f"{name}: reached over two minutes", share, "of the limit", 0.98)
        yield Figure(f"{name}: requests above the limit", sum(one["over_limit"] for one in stats.values()), "", 0)
        yield Figure(f"{name}: most in any 60 s", max(one["busiest_window"] for one in stats.values()), "requests")


def arrivals_since(provider: FakeProvider, moment: float) -> list[float]:
    return sorted(arrived for arrived, _ in provider.arrivals() if arrived > moment)


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
        wait_for(lambda: len(first.arrivals()) > 300, "pages go to the first provider", seconds=120)
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
def running_service(settings: Mapping[str, str] | None = None) -> Iterator[Bench]:
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        for name in ("backends", "data"):
            (folder / name).mkdir()
        folder.chmod(0o755)  # the database server runs as another user and must reach its folder below
        backends = cleanup.enter_context(BACKENDS["postgres+redis"](folder / "backends"))
        provider = cleanup.enter_context(FakeProvider())
        service = RunningService(
            backends, folder / "data", settings={**dict.fromkeys(SHORT_TIMES, ""), **(settings or {})}
        )
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
        "wide-2": lambda: widths(2, WIDE_JOBS),
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
