"""Outages of the parts that a service needs: what takes a part away, and a service that lives through it."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests import services
from tests.acceptance.running_service import ROOT, Backends, descendants, signal_if_there, wait_for
from tests.chaos.corpus import CorpusDocument, write_corpus
from tests.chaos.proxy import ChaosProxy
from tests.chaos.results import FaultResult, record
from tests.chaos.rig import FAST, Rig
from tests.services import Service
from tests.small_disk import SmallDisk, small_disk

MAX_ANSWER_SECONDS = 6.0  # 2 s by design; the machine of the tests may be busy


@dataclass
class Scene:
    """A running service, and the parts that a test may take away from it."""

    rig: Rig
    documents: list[CorpusDocument]
    disk: SmallDisk | None = None
    proxy: ChaosProxy | None = None
    database: Service | None = None


@dataclass
class Outage:
    """Takes a part away and gives it back."""

    begin: Callable[[], object]
    end: Callable[[], object]
    refused: frozenset[int] = frozenset()  # the statuses of uploads meanwhile, beside 200


@dataclass
class Probes:
    """What clients saw during an outage."""

    uploads: Counter[int] = field(default_factory=Counter)
    ready: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0

    def ask(self, rig: Rig, document: CorpusDocument) -> None:
        content = document.path.read_bytes()
        with rig.service.client() as client:
            for answers, request in (
                (self.ready, client.build_request("GET", "/readyz")),
                (
                    self.uploads,
                    client.build_request(
                        "POST",
                        "/api/v2/parse/upload",
                        data={"configuration": FAST},
                        files={"file": (document.name, content, "application/pdf")},
                    ),
                ),
            ):
                begun = time.monotonic()
                try:
                    answer = client.send(request)
                except httpx.HTTPError:
                    answers[0] += 1
                else:
                    answers[answer.status_code] += 1
                    if answer.status_code == 200 and answers is self.uploads:
                        rig.accepted.jobs[str(answer.json()["id"])] = f"{document.name} fast"
                self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)


def survive(
    scene: Scene,
    outage: Outage,
    *,
    seconds: float,
    fault: str,
    case: str,
    test: str,
    also: Callable[[], Sequence[str]] = tuple,
) -> Probes:
    """Take a part away in the middle of jobs for ``seconds``, and check that every job ends well. Record the result.

    ``also`` returns what did not hold beside the invariants.
    """
    rig = scene.rig
    jobs = [rig.submit(document) for document in scene.documents]
    rig.start_worker("parse")
    attempts = "SELECT count(*) FROM jobs_pageattempt WHERE outcome='running'"
    wait_for(lambda: rig.service.number(attempts) > 0, "the work has begun", seconds=60)
    at_risk = rig.open_jobs()
    assert at_risk > 0, "all jobs had ended before the outage"

    interrupted = rig.steps("running")
    outage.begin()
    begun, probes = time.monotonic(), Probes()
    try:
        while time.monotonic() - begun < seconds:
            probes.ask(rig, scene.documents[0])
            time.sleep(max(0.5, seconds / 60))
    finally:
        outage.end()
    died = [name for name, process in rig.running.items() if process.popen.poll() is not None]
    ended, open_jobs, recover = time.monotonic(), rig.open_jobs(), list[float]()
    resumed_after = 0.0
    interrupted &= rig.steps("pending", "running")  # the others have ended during the outage
    at_end = rig.claims_of(interrupted)
    waiting = set(at_end)
    while (open_jobs or waiting) and time.monotonic() - ended < 180:
        time.sleep(0.2)
        now_open = rig.open_jobs()
        recover += [time.monotonic() - ended] * (open_jobs - now_open)
        open_jobs = now_open
        still = rig.steps("pending", "running")
        claims = rig.claims_of(waiting)
        moved = {step for step in waiting if step not in still or claims[step] != at_end[step]}
        if moved:
            resumed_after = time.monotonic() - ended
        waiting -= moved
    rig.wait_for_all(seconds=30)

    failed = rig.service.number("SELECT count(*) FROM jobs_parsejob WHERE state IN ('failed', 'partial')")
    verdict = rig.check()
    violations = [*verdict.violations, *(f"{name} died" for name in died), *also()]
    violations += [f"{failed} jobs failed"] if failed else []
    record(
        FaultResult(
            fault=fault,
            case=case,
            backend=rig.service.backends.name,
            command=f".venv/bin/python -m pytest -m 'long or not long' {test}",
            jobs=len(rig.accepted.jobs),
            lost=verdict.lost,
            doubled=verdict.doubled,
            recover=recover,
            violations=violations,
            figures={
                "outage_seconds": seconds,
                "open_jobs_at_its_begin": at_risk,
                "steps_interrupted": len(at_end),
                "last_of_them_went_on_after_seconds": round(resumed_after, 1),
                "slowest_answer_seconds": round(probes.slowest_seconds, 2),
                "uploads": str(dict(probes.uploads)),
                "readyz": str(dict(probes.ready)),
            },
        )
    )
    assert len(jobs) == len(scene.documents)
    assert violations == []
    assert set(probes.uploads) <= outage.refused | {200}
    return probes


@contextmanager
def on_a_small_disk(folder: Path, *, documents: int) -> Iterator[Scene]:
    """The embedded service with its storage on a disk of 16 MB."""
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", kilobytes=16 * 1024))
        broker = services.start_valkey(folder)
        stack.callback(broker.close)
        scene = _scene(stack, folder, "embedded", documents, broker, STORAGE_URL=f"file://{disk.path}/storage")
        scene.disk = disk
        yield scene


@contextmanager
def with_a_small_working_folder(folder: Path, *, documents: int) -> Iterator[Scene]:
    """The embedded service whose workers have their temporary files on a disk of 16 MB."""
    with ExitStack() as stack:
        disk = stack.enter_context(_disk_of_many_users(kilobytes=16 * 1024))
        broker = services.start_valkey(folder)
        stack.callback(broker.close)
        scene = _scene(stack, folder, "embedded", documents, broker)
        scene.disk = disk
        scene.rig.service.around_workers = (*disk.within, "env", f"--chdir={ROOT}", f"TMPDIR={disk.mounted_at}")
        yield scene


@contextmanager
def on_s3(folder: Path, *, documents: int) -> Iterator[Scene]:
    """The embedded service with its storage in an S3 server, behind a proxy."""
    with ExitStack() as stack:
        s3 = services.start_s3(folder)
        stack.callback(s3.close)
        port = urlsplit(s3.url).port or 0
        proxy = stack.enter_context(ChaosProxy(port))
        broker = services.start_valkey(folder)
        stack.callback(broker.close)
        url = f"s3://{services.BUCKET}/files?endpoint_url=http://127.0.0.1:{proxy.port}"
        scene = _scene(stack, folder, "embedded", documents, broker, STORAGE_URL=url, **services.S3_KEYS)
        scene.proxy = proxy
        yield scene


@contextmanager
def on_postgres(
    folder: Path, *, documents: int, max_connections: int = 100, proxied: str = "", kilobytes: int = 0
) -> Iterator[Scene]:
    """A service on PostgreSQL and Redis.

    ``proxied``: the variable of the server that workers reach through a proxy. ``kilobytes``: the size of a disk for
    the data of PostgreSQL.
    """
    with ExitStack() as stack:
        disk = stack.enter_context(_disk_of_many_users(kilobytes=kilobytes)) if kilobytes else None
        database, broker = services.start_postgres(folder, disk=disk), services.start_redis(folder)
        stack.callback(database.close)
        stack.callback(broker.close)
        settings = dict[str, str]()
        if max_connections != 100:
            database.stop()
            database.command += ("-c", f"max_connections={max_connections}")
            database.start()
            settings["DATABASE_CONNECTION_SECONDS"] = "0"  # docs/production.md: where connections are few
        scene = _scene(stack, folder, "postgres+redis", documents, broker, DATABASE_URL=database.url, **settings)
        scene.database, scene.disk = database, disk
        if proxied:
            direct = urlsplit(database.url if proxied == "DATABASE_URL" else broker.url)
            scene.proxy = stack.enter_context(ChaosProxy(direct.port or 0))
            # Only processes that are started from now on, the workers, go through the proxy.
            scene.rig.service.settings[proxied] = direct._replace(
                netloc=direct.netloc.replace(f":{direct.port}", f":{scene.proxy.port}")
            ).geturl()
        yield scene


@contextmanager
def _disk_of_many_users(*, kilobytes: int) -> Iterator[SmallDisk]:
    """A small disk that the users of PostgreSQL and of readers can reach. The folders of pytest are closed to them."""
    with tempfile.TemporaryDirectory(prefix="leafmill-disk-") as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "disk", kilobytes=kilobytes, many_users=True) as disk:
            yield disk


def _scene(stack: ExitStack, folder: Path, name: str, documents: int, broker: Service, **settings: str) -> Scene:
    environment = {"CELERY_BROKER_URL": broker.url, "REDIS_URL": broker.url}
    backends = Backends(name, environment, flush=lambda: None, stop_broker=broker.stop, start_broker=lambda: None)
    # On a busy machine a lease of 2 seconds, as other tests have it, is lost by processes that live.
    rig = Rig.make(backends, folder / "service", LEASE_SECONDS="5", **settings)
    stack.callback(rig.close)
    (folder / "corpus").mkdir()
    corpus = write_corpus(folder / "corpus", documents=documents)
    calm = rig.start_worker("calm")
    rig.run_calm(corpus)
    del rig.workers["calm"], rig.running["calm"]
    calm.stop()
    rig.service.processes.remove(calm)
    return Scene(rig, corpus)


def freeze(server: Service) -> None:
    for pid in [server.pid, *descendants(server.pid)]:
        signal_if_there(pid, signal.SIGSTOP)


def thaw(server: Service) -> None:
    for pid in [server.pid, *descendants(server.pid)]:
        signal_if_there(pid, signal.SIGCONT)


def crash_and_restart(server: Service) -> None:
    """Restart PostgreSQL without a clean shutdown (``pg_ctl restart -m immediate``)."""
    os.kill(server.pid, signal.SIGQUIT)
    assert server.popen is not None
    server.popen.wait(30)
    server.start()


def kill_readers(rig: Rig, name: str) -> None:
    """Kill the readers of a worker, so that it must start new ones."""
    for pid in descendants(rig.running[name].popen.pid):
        with suppress(OSError):
            if b"sandbox.server" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def take_open_files(rig: Rig, name: str) -> None:
    """Let a process of the service, and everything below it, open nothing more."""
    for pid in rig.running[name].pids():
        with suppress(OSError):
            opened = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
            limit_open_files(pid, min(set(range(len(opened) + 1)) - opened))


def give_open_files_back(rig: Rig, name: str) -> None:
    for pid in rig.running[name].pids():
        limit_open_files(pid, 1024)


def take_memory(rig: Rig, name: str) -> None:
    """Let the pool processes of a worker, and what is below them, get no more memory than they have."""
    for pid in descendants(rig.running[name].popen.pid):
        with suppress(OSError, StopIteration):
            status = Path(f"/proc/{pid}/status").read_text().splitlines()
            kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmSize:"))
            limit_memory(pid, kilobytes * 1024)


def give_memory_back(rig: Rig, name: str) -> None:
    for pid in descendants(rig.running[name].popen.pid):
        limit_memory(pid, resource.RLIM_INFINITY)


def limit_memory(pid: int, size_bytes: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # processes of another user namespace
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY:  # readers have a limit of their own
            resource.prlimit(pid, resource.RLIMIT_AS, (size_bytes, hard))


def limit_open_files(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, hard))
