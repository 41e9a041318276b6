"""F2: the kill storm. Something dies every 0.5 to 3 seconds while 300 jobs arrive and the broker is emptied 20 times.

``python -m tests.chaos.storm BACKENDS [--minutes 10] [--jobs 300] [--flushes 20] [--seed N]`` prints what was lost and
doubled, and appends it to the results. Exit code 1: something did not hold.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import amqp
import redis

from tests.acceptance.backends import BACKENDS
from tests.acceptance.running_service import PARSE_QUEUES, RunningService, children, descendants, signal_if_there
from tests.chaos.corpus import DOCUMENTS, CorpusDocument, write_corpus
from tests.chaos.results import FaultResult, record
from tests.chaos.rig import Rig
from tests.services import ServerMissing, Service

WEIGHTS = {"pool process": 10, "worker": 1, "web": 1, "broker": 2, "database": 2, "redis": 1}
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 3.0
PARSE_WORKERS = ("parse-a", "parse-b")
UPLOADS_AT_ONCE = 8
# The storm takes so much CPU that a lease of 2 seconds, as other tests have it, is lost by processes that live.
# Hardly any work is done during the storm, so the jobs get more time than usual.
SETTINGS = {
    "CHAOS_MAX_STARTS": "10",
    "LEASE_SECONDS": "10",
    "LEASE_RENEWAL_SECONDS": "1",
    "JOB_BASE_SECONDS": "3600",
}
CALM_DOCUMENTS = 10
END_SECONDS = 900.0
REPORT_SECONDS = 60.0
# The last moments of a storm have no flush, so that a broker that was just killed can be up for the last one.
FLUSHES_BETWEEN = (0.02, 0.95)
THREADS = 8  # one keeps the processes alive, one restarts a server, the others empty the broker
IS_DOWN = (OSError, redis.RedisError, amqp.AMQPError)


@dataclass(frozen=True)
class Kill:
    """What was killed. ``at``: seconds since the epoch; ``pids``: the processes that died."""

    what: str
    at: float
    pids: frozenset[int]


@dataclass
class Storm:
    """Kills parts of a rig at random, starts them again, and empties the broker. ``errors``: what the storm could not
    do, which makes its result worthless.
    """

    rig: Rig
    chance: random.Random
    say: Callable[[str], object]
    kills: list[Kill] = field(default_factory=list)
    flushes: int = 0
    errors: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    restarting: threading.Lock = field(default_factory=threading.Lock)

    def blow(self, *, seconds: float, flushes: int) -> None:
        """Kill until the time is over, and empty the broker so many times meanwhile."""
        began = time.monotonic()
        flush_at = sorted(began + self.chance.uniform(*FLUSHES_BETWEEN) * seconds for _ in range(flushes))
        report_at = began + REPORT_SECONDS
        with ThreadPoolExecutor(THREADS, thread_name_prefix="storm") as pool:
            running = [pool.submit(self._keep_alive)]
            while time.monotonic() < began + seconds:
                time.sleep(self.chance.uniform(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS))
                while flush_at and time.monotonic() > flush_at[0]:
                    flush_at.pop(0)
                    running.append(pool.submit(self._flush))
                running += self._kill_something(pool)
                if time.monotonic() > report_at:
                    report_at += REPORT_SECONDS
                    accepted = len(self.rig.accepted.jobs)
                    self.say(f"{len(self.kills)} kills, {self.flushes} flushes, {accepted} jobs accepted")
            self.over.set()
        self.errors += [f"The storm: {each.exception()!r}" for each in running if each.exception()]
        if self.flushes < flushes:
            self.errors.append(f"The storm: the broker was emptied {self.flushes} times, not {flushes}")

    def _keep_alive(self) -> None:
        while not self.over.wait(0.2):
            self.rig.heal()

    def _flush(self) -> None:
        """Empty the broker. While it is down, its messages are not in question: wait until it is back."""
        while not self.over.wait(0.2):
            with suppress(*IS_DOWN):
                self.rig.service.backends.flush()
                self.flushes += 1
                return

    def _kill_something(self, pool: ThreadPoolExecutor) -> list[Future[None]]:
        """Kill one part. Return what starts it again, if the rig does not."""
        restarts = []
        servers = self.rig.service.backends.servers
        possible = [what for what in WEIGHTS if what in servers or what not in ("broker", "database", "redis")]
        [what] = self.chance.choices(possible, [WEIGHTS[each] for each in possible])
        if what in ("pool process", "worker"):
            worker = self.rig.running[self.chance.choice(PARSE_WORKERS)]
            victims = descendants(worker.popen.pid) if what == "pool process" else []
            victims = [self.chance.choice(victims)] if victims else worker.pids()
        elif what == "web":
            victims = self.rig.running["web"].pids()
        elif what == "database":
            sessions = [pid for pid in children(servers[what].pid) if is_session(pid)]
            victims = [self.chance.choice(sessions)] if sessions else []
        else:
            if not self.restarting.acquire(blocking=False):
                return []  # a server is being started
            victims = [servers[what].pid]
            restarts = [pool.submit(self._restart, servers[what])]
        for pid in victims:
            signal_if_there(pid, signal.SIGKILL)
        self.kills.append(Kill(what, time.time(), frozenset(victims)))
        return restarts

    def _restart(self, server: Service) -> None:
        try:
            restart(server)
        finally:
            self.restarting.release()


def is_session(pid: int) -> bool:
    """Return whether a process of PostgreSQL serves a client."""
    with suppress(OSError):
        return b"leafmill 127.0.0.1" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def restart(server: Service, *, tries: int = 3) -> None:
    """Kill what the server's group has left, and start it again. A killed server may still hold its port."""
    for left in reversed(range(tries)):
        with suppress(ProcessLookupError):
            server.kill()
        try:
            server.start()
        except ServerMissing:
            if not left:
                raise
            time.sleep(1)
        else:
            return


def restart_servers(rig: Rig) -> None:
    """Start the servers that the storm killed once more: a server ends with the thread that started it."""
    for name, server in rig.service.backends.servers.items():
        if name != "database":
            restart(server)


def upload_over(rig: Rig, documents: list[CorpusDocument], *, jobs: int, seconds: float, chance: random.Random) -> None:
    """Submit jobs at random moments spread over the time. Return when the last one is accepted."""
    began = time.monotonic()
    moments = sorted(chance.uniform(0, seconds) for _ in range(jobs))
    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="uploads") as pool:
        accepted = []
        for number, moment in enumerate(moments):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            accepted.append(pool.submit(rig.submit, documents[number % len(documents)]))
        for each in accepted:
            each.result()


def recoveries(service: RunningService, kills: Sequence[Kill]) -> list[float]:
    """Return for each piece of work that a kill interrupted the seconds until it was claimed again.

    An attempt names its process. Its work is claimed again when another attempt at its first page or its job begins.
    """
    attempts = service.rows(
        "SELECT job_id, stage, first_page, last_page, worker, started_at, outcome FROM jobs_pageattempt ORDER BY id"
    )
    seconds = []
    for job, stage, first, _, worker, started_at, outcome in attempts:
        pid, began = int(worker.rpartition(":")[2] or 0), epoch(started_at)
        killed = [kill.at for kill in kills if pid in kill.pids and kill.at >= began]
        if outcome != "lease_lost" or not killed:
            continue
        later = [
            epoch(other[5])
            for other in attempts
            if other[:2] == (job, stage) and other[2] <= first <= other[3] and epoch(other[5]) > began
        ]
        if later:
            seconds.append(max(0.0, min(later) - min(killed)))
    return seconds


def epoch(moment: Any) -> float:
    """Return a moment of the database, which SQLite stores as text, in seconds since the epoch."""
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def job_seconds(rig: Rig) -> list[float]:
    rows = rig.service.rows("SELECT created_at, finished_at FROM jobs_parsejob WHERE finished_at IS NOT NULL")
    return sorted(epoch(finished) - epoch(created) for created, finished in rows)


def run(
    backend: str, *, minutes: float, jobs: int, flushes: int, seed: int, say: Callable[[str], object]
) -> FaultResult:
    """Run one storm and return its result."""
    size = f"--minutes {minutes:g} --jobs {jobs} --flushes {flushes} --seed {seed}"
    folder = Path(tempfile.mkdtemp(prefix="leafmill-storm-"))
    with ExitStack() as parts:
        backends = parts.enter_context(BACKENDS[backend](folder))
        rig = Rig.make(backends, folder / "service", **SETTINGS)
        parts.callback(rig.close)
        for name in PARSE_WORKERS:
            rig.start_worker(name, *PARSE_QUEUES)
        documents = write_corpus(folder, documents=min(DOCUMENTS, jobs))
        for document in documents[:CALM_DOCUMENTS]:  # one by one, so that none waits for another
            rig.run_calm([document])
        calm = job_seconds(rig)
        rig.run_calm(documents[CALM_DOCUMENTS:])
        say(f"{backend}: calm run done, median {median(calm):.2f} s a job; seed {seed}")
        rig.waits, rig.patience = False, END_SECONDS
        storm = Storm(rig, random.Random(seed), say)
        began = time.monotonic()
        with ThreadPoolExecutor(1) as uploads:
            sent = uploads.submit(
                upload_over, rig, documents, jobs=jobs, seconds=60 * minutes, chance=random.Random(seed + 1)
            )
            storm.blow(seconds=60 * minutes, flushes=flushes)
            calm_again_at = time.monotonic()
            restart_servers(rig)
            sent.result()
        try:
            rig.wait_for_all(seconds=END_SECONDS)
        except AssertionError as error:  # the check below names the jobs
            say(str(error))
        makespan = time.monotonic() - began
        stormy = job_seconds(rig)
        verdict, recovered = rig.check(), recoveries(rig.service, storm.kills)
        violations = [*storm.errors, *verdict.violations, *rig.close()]
    for violation in violations:
        say(violation)
    return FaultResult(
        "F2",
        f"{minutes:g} minutes",
        backend,
        f"python -m tests.chaos.storm {backend} {size}",
        seed=seed,
        jobs=len(rig.accepted.jobs) - len(documents),
        lost=verdict.lost,
        doubled=verdict.doubled,
        recover=recovered,
        violations=violations,
        figures={
            "kills": len(storm.kills),
            **{f"kills of {what}": count for what, count in Counter(kill.what for kill in storm.kills).items()},
            "flushes": storm.flushes,
            "makespan_ratio": round(makespan / (60 * minutes + calm[-1]), 2),
            "end_after_storm_seconds": round(makespan - (calm_again_at - began), 1),
            "calm_job_seconds_p50": round(median(calm), 2),
            "job_seconds_p50": round(median(stormy), 2),
            "job_seconds_max": round(stormy[-1], 2),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backends", nargs="+", choices=list(BACKENDS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--flushes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    options = vars(parser.parse_args())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")  # names the queues that are emptied
    failed = False
    for backend in options.pop("backends"):
        result = run(backend, **options, say=lambda text: print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True))
        record(result)
        print(result.line(), flush=True)
        failed = failed or bool(result.violations)
    sys.exit(failed)


if __name__ == "__main__":
    main()
