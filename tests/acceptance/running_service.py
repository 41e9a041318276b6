"""The whole service as real processes on one set of backends, with the methods that tests use on them.

Every process leads its own process group and is ended by pid. Leases and intervals are short, so that a recovery
that takes a minute in production takes seconds here; the code is the same.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.services import Service, free_port

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 2.0
SHORT_TIMES = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "LEASE_RENEWAL_SECONDS": "0.5",
    "RESCUE_SECONDS": "0.5",
    "RESEND_SECONDS": "1.5",
    "PROVIDERS_REREAD_SECONDS": "1",
}
USUAL_LOOP_SECONDS = 0.03  # of a core, for a million rounds of nothing
START_SECONDS = 90.0  # much less on a machine with nothing else to do
MANAGE = (sys.executable, str(ROOT / "manage.py"))


@dataclass(frozen=True)
class Backends:
    """The database, broker and Redis that the service uses.

    ``flush`` empties the broker and the chord counters; ``servers``: "broker", "redis" if
    that is another, and "database" if there is a server for it.
    """

    name: str
    environment: dict[str, str]
    flush: Callable[[], None]
    stop_broker: Callable[[], None]
    start_broker: Callable[[], None]
    servers: Mapping[str, Service] = field(default_factory=dict)

    def pids(self) -> dict[str, int]:
        """Return the process ids of the servers by the names of their programs."""
        return {server.name: server.pid for server in self.servers.values()}


@dataclass
class Process:
    """A process group of the service and its log file."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def pids(self) -> list[int]:
        """Return the leader and all its descendants; readers have own sessions."""
        return [self.popen.pid, *descendants(self.popen.pid)]

    def signal_all(self, number: signal.Signals) -> None:
        """Signal the leader, so that it replaces no child, and then all descendants."""
        for pid in self.pids():
            signal_if_there(pid, number)

    def kill(self) -> None:
        self.signal_all(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(8)
            except subprocess.TimeoutExpired:
                self.kill()


PARSE_QUEUES = ("parse_raw_file_job", "parse_raw_file_job_pages")
PREPARE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("create_api_key", "acceptance")
"""


@dataclass
class RunningService:
    backends: Backends
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    url: str = ""
    key: str = ""
    around_workers: tuple[str, ...] = ()  # the beginning of the command that starts a worker

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return inherited | {
            "LEAFMILL_DATA": str(self.folder),
            "PARSE_PROCESSES": "2",
            **SHORT_TIMES,
            **self.backends.environment,
            **self.settings,
        }

    def prepare(self) -> None:
        """Migrate the database and create an API key, in one process: starting Django takes seconds."""
        self.key = self.run_python(PREPARE).strip()

    def manage(self, *arguments: str) -> str:
        limit = 60 * slowness()
        done = subprocess.run(
            [*MANAGE, *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=limit
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_python(self, code: str) -> str:
        """Run code in a process with the service's settings and return its output."""
        return self.manage("shell", "--verbosity", "0", "--command", code)

    # --- processes ---

    def start(self, name: str, *command: str) -> Process:
        log = self.folder / f"{name}-{len(self.processes)}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=out, stderr=out, start_new_session=True
            )
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def start_web(self, *, wait: bool = True) -> Process:
        """Start a web process on a new port. ``wait``: until it answers."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        web = self.start(
            "web",
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--http", "1", "--http1-buffer-size", "32768", "--workers", "1", "--no-ws"),
            "parse_project.asgi:application",
        )
        if wait:
            wait_for(self._answers, "the web process answers", seconds=START_SECONDS)
        return web

    def start_worker(self, name: str = "parse", *queues: str, wait: bool = True) -> Process:
        """Start a worker for these queues. ``wait``: until it has connected to the broker."""
        before = len(self.processes)
        worker = self.start(
            f"worker-{name}",
            *(*self.around_workers, *MANAGE),
            *("work", *(queues or PARSE_QUEUES), "--name", f"{name}{before}"),
        )
        if wait:
            wait_for(lambda: b" ready." in worker.log.read_bytes(), "the worker is ready", seconds=START_SECONDS)
        return worker

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.signal_all(signal.SIGCONT)
            process.stop()
        self.processes.clear()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    # --- HTTP ---

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        # There is no TLS here, and loading the CA certificates takes longer than the request.
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def upload(self, document: Path, *, configuration: str = '{"tier":"fast","version":"latest"}') -> str:
        """Upload a document and return the id of the accepted job."""
        with self.client() as client:
            answer = client.post(
                "/api/v2/parse/upload",
                data={"configuration": configuration},
                files={"file": (document.name, document.read_bytes(), "application/pdf")},
            )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str, *expand: str) -> dict[str, Any]:
        with self.client() as client:
            answer = client.get(f"/api/v2/parse/{job_id}", params={"expand": list(expand)})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(self, job_id: str, *, seconds: float = 180, pause: float = 0.02) -> str:
        """Wait until a job ends and return its status; ``pause`` is the polling interval in seconds."""

        def status() -> str:
            return str(self.job(job_id)["job"]["status"])

        try:
            wait_for(lambda: status() not in ("PENDING", "RUNNING"), f"{job_id} ends", seconds=seconds, pause=pause)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.open_work(job_id)}") from None
        return status()

    def open_work(self, job_id: str) -> str:
        """Describe what an unfinished job waits for: its open steps, and the end of the log of every process."""
        moments = "sent_at, begun_at, not_before, lease_expires_at"
        steps = self.rows(
            f"SELECT stage, state, first_page, last_page, fence, starts, {moments} FROM jobs_step"
            f" WHERE job_id='{job_id}' AND state IN ('pending', 'running') ORDER BY id LIMIT 20"
        )
        job = self.rows(f"SELECT stage, state FROM jobs_parsejob WHERE id='{job_id}'")
        lines = [f"The job is in {job}; its open steps ({moments} at the end):"]
        lines += [f"  {step}" for step in steps]
        for process in self.processes:
            ended = "runs" if process.popen.poll() is None else f"has ended with {process.popen.returncode}"
            lines.append(f"--- {process.name} (pid {process.popen.pid}) {ended}. The end of its log:")
            lines += process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        return "\n".join(lines)

    def result(self, job_id: str) -> dict[str, Any]:
        """Return text, Markdown and items of every page."""
        answer = self.job(job_id, "text", "text_full", "markdown", "markdown_full", "items")
        return {name: answer[name] for name in ("text", "text_full", "markdown", "markdown_full", "items")}

    # --- database ---

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        url = self.environment.get("DATABASE_URL", "")
        if url.startswith("postgres"):
            with connect_when_one_is_free(url) as connection:
                return list(connection.execute(statement.encode()))
        with sqlite3.connect(self.folder / "leafmill.sqlite3", timeout=30) as connection:
            return connection.execute(statement).fetchall()

    def is_in_a_transaction(self) -> bool:
        """Return whether a process of the service has an open write transaction."""
        if self.environment.get("DATABASE_URL", "").startswith("postgres"):
            idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            return self.number(idle) > 0
        with sqlite3.connect(self.folder / "leafmill.sqlite3", timeout=0.2, isolation_level=None) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False

    def number(self, statement: str) -> int:
        return int(self.rows(statement)[0][0] or 0)

    def pages_in(self, job_id: str, *states: str) -> int:
        named = ",".join(f"'{state}'" for state in states)
        return self.number(f"SELECT count(*) FROM jobs_jobpage WHERE job_id='{job_id}' AND state IN ({named})")

    def attempts(self, job_id: str, outcome: str) -> int:
        return self.number(f"SELECT count(*) FROM jobs_pageattempt WHERE job_id='{job_id}' AND outcome='{outcome}'")


def connect_when_one_is_free(url: str, *, seconds: float = 60) -> psycopg.Connection[Any]:
    """Connect to PostgreSQL. If the service has all connections, wait until it gives one back."""
    until = time.monotonic() + seconds
    while True:
        try:
            return psycopg.connect(url)
        except psycopg.OperationalError as error:
            if "too many clients" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.2)


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below a process, youngest generation first."""
    found: list[int] = []
    for child in children(pid):
        found += [*descendants(child), child]
    return found


def children(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def signal_if_there(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float, pause: float = 0.02) -> None:
    """Wait ``seconds``, or longer on a machine that is slow now: the limit is against what never happens."""
    limit = seconds * slowness()
    until = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < until, f"Waited {limit:.0f} s in vain until {what}"
        time.sleep(pause)


def slowness() -> float:
    """Return how many times longer than usual programs take on this machine now, from 1 to 6."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(6.0, max(1.0, _slowness_of_a_core()) * max(1.0, waiting))


@cache
def _slowness_of_a_core() -> float:
    begun = time.process_time()
    for _ in range(1_000_000):
        pass
    return (time.process_time() - begun) / USUAL_LOOP_SECONDS
