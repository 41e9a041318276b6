"""A part of the service is away in the middle of jobs. No job fails or is parsed twice, and all end after it is back.

The outages last as long as the table of faults says, so only ``make chaos`` runs them. Short ones of each stage are in
tests/integration/jobs/test_outages.py.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.chaos import outages
from tests.chaos.outages import MAX_ANSWER_SECONDS, Outage, survive

FILE = "tests/chaos/test_outages.py"
pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(1200)]


@contextmanager
def while_it_lasts(fault: Callable[[], None]) -> Iterator[Outage]:
    """An outage that does something beside the clients, and ends when that is done."""
    done: list[Future[None]] = []
    with ThreadPoolExecutor(1, thread_name_prefix="fault") as pool:
        yield Outage(lambda: done.append(pool.submit(fault)), lambda: done[0].result(), refused=frozenset({503}))


def test_f21_the_disk_of_the_storage_is_full(tmp_path: Path) -> None:
    with outages.on_a_small_disk(tmp_path, documents=10) as scene:
        assert scene.disk is not None

        outage = Outage(scene.disk.fill, scene.disk.free, refused=frozenset({507}))

        probes = survive(scene, outage, seconds=300, fault="F21", case="disk full", test=FILE)

        assert probes.uploads[507] > 0
        left = [path for path in (scene.disk.path / "storage" / "documents").rglob(".*") if path.is_file()]
        assert left == [], "parts of refused uploads are left"


def test_f22_the_storage_is_read_only(tmp_path: Path) -> None:
    with outages.on_a_small_disk(tmp_path, documents=10) as scene:
        disk = scene.disk
        assert disk is not None
        outage = Outage(lambda: disk.set_read_only(True), lambda: disk.set_read_only(False), refused=frozenset({503}))

        survive(scene, outage, seconds=20, fault="F22", case="read-only storage", test=FILE)


def test_f22_the_working_folder_is_full(tmp_path: Path) -> None:
    with outages.with_a_small_working_folder(tmp_path, documents=5) as scene:
        disk, rig = scene.disk, scene.rig
        assert disk is not None

        def begin() -> None:
            disk.fill()
            outages.kill_readers(rig, "parse")

        survive(scene, Outage(begin, disk.free), seconds=20, fault="F22", case="full working folder", test=FILE)


@pytest.mark.parametrize(("mode", "seconds"), [("refuse", 300), ("stall", 60)])
def test_s3_is_away(tmp_path: Path, mode: str, seconds: float) -> None:
    with outages.on_s3(tmp_path, documents=10) as scene:
        proxy = scene.proxy
        assert proxy is not None

        def begin() -> None:
            proxy.set("reset", bytes=0) if mode == "refuse" else proxy.set("stall")
            if mode == "refuse":
                time.sleep(0.5)  # open connections are reset first
                proxy.set("refuse")

        outage = Outage(begin, lambda: proxy.set("pass"), refused=frozenset({503}))
        survive(scene, outage, seconds=seconds, fault="F21", case=f"S3 away: {mode}", test=FILE)


@pytest.mark.parametrize("seconds", [20, 60])
def test_f18_the_database_is_frozen(tmp_path: Path, seconds: float) -> None:
    with outages.on_postgres(tmp_path, documents=10) as scene:
        database = scene.database
        assert database is not None
        outage = Outage(lambda: outages.freeze(database), lambda: outages.thaw(database), refused=frozenset({503}))

        probes = survive(scene, outage, seconds=seconds, fault="F18", case=f"frozen for {seconds} s", test=FILE)

        assert probes.uploads[503] > 0
        assert probes.ready[503] > 0
        assert probes.ready[0] == 0, "the web process did not answer"
        assert probes.slowest_seconds < MAX_ANSWER_SECONDS


def test_f17_the_database_crashes_ten_times(tmp_path: Path) -> None:
    with outages.on_postgres(tmp_path, documents=10) as scene:
        database = scene.database
        assert database is not None

        def crash() -> None:
            for _ in range(10):
                outages.crash_and_restart(database)
                time.sleep(1)

        with while_it_lasts(crash) as outage:
            survive(scene, outage, seconds=20, fault="F17", case="10 crashes", test=FILE)


def test_f20_transactions_conflict(tmp_path: Path) -> None:
    """A stranger locks the rows of a job in the other order and never gives way, so that ours is the victim."""
    with outages.on_postgres(tmp_path, documents=5) as scene:
        database, rig = scene.database, scene.rig
        assert database is not None

        def conflict() -> None:
            until = time.monotonic() + 20
            with psycopg.connect(database.url, autocommit=True) as stranger:
                stranger.execute("SET deadlock_timeout TO '60s'")
                while time.monotonic() < until:
                    with stranger.transaction():
                        jobs = "SELECT id FROM jobs_parsejob WHERE state IN ('pending', 'running') FOR UPDATE"
                        locked = [row[0] for row in stranger.execute(jobs)]
                        time.sleep(0.5)
                        stranger.execute("SELECT 1 FROM jobs_step WHERE job_id = ANY(%s) FOR UPDATE", [locked])
                    time.sleep(0.3)

        def no_conflict() -> list[str]:
            conflicts = rig.service.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            return [] if conflicts else ["no transactions conflicted"]

        with while_it_lasts(conflict) as outage:
            outage.refused = frozenset()
            survive(scene, outage, seconds=20, fault="F20", case="deadlocks", test=FILE, also=no_conflict)


def test_f23_the_disk_of_the_database_is_full(tmp_path: Path) -> None:
    with outages.on_postgres(tmp_path, documents=5, kilobytes=160 * 1024) as scene:
        database, disk = scene.database, scene.disk
        assert database is not None
        assert disk is not None

        def end() -> None:
            disk.free()
            if not database.is_up():  # a server that cannot write its log ends itself
                database.kill()
                database.start()

        outage = Outage(disk.fill, end, refused=frozenset({503}))
        survive(scene, outage, seconds=30, fault="F23", case="full disk", test=FILE)


@pytest.mark.parametrize("jump", [3600, -3600])
def test_f24_the_clock_of_a_worker_jumps(tmp_path: Path, jump: int) -> None:
    library, shift = tmp_path / "clock.so", tmp_path / "shift"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("clock.c")], check=True)
    shift.write_text("0")
    with outages.on_postgres(tmp_path, documents=20) as scene:
        rig = scene.rig
        # The worker of the test has the clock that jumps. The one that starts at the jump has the right time.
        jumping = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(shift)}
        rig.service.settings |= jumping

        def begin() -> None:
            for name in jumping:
                del rig.service.settings[name]
            rig.start_worker("with-the-right-time")
            shift.write_text(str(jump))

        def problems() -> list[str]:
            lost = rig.service.number("SELECT count(*) FROM jobs_pageattempt WHERE outcome='lease_lost'")
            seen = Path(f"{shift}.{rig.running['parse'].popen.pid}")
            return [
                *([f"{lost} leases were lost"] if lost else []),
                *([] if seen.exists() and seen.read_text() == str(jump) else ["the clock did not jump"]),
            ]

        outage = Outage(begin, lambda: shift.write_text("0"))
        survive(scene, outage, seconds=15, fault="F24", case=f"jump of {jump} s", test=FILE, also=problems)


def test_f19_connections_of_the_database_are_exhausted(tmp_path: Path) -> None:
    with outages.on_postgres(tmp_path, documents=5, max_connections=20) as scene:
        rig = scene.rig
        answers: list[int] = []

        def crowd() -> None:
            def ask(_: int) -> int:
                with rig.service.client() as client:
                    return client.get("/api/v2/parse").status_code

            with ThreadPoolExecutor(40) as clients:
                answers.extend(clients.map(ask, range(400)))

        with while_it_lasts(crowd) as outage:
            survive(scene, outage, seconds=20, fault="F19", case="40 clients", test=FILE)

        assert set(answers) <= {200, 503}


@pytest.mark.parametrize(
    ("fault", "variable", "seconds"), [("F14", "DATABASE_URL", 90), ("F15", "CELERY_BROKER_URL", 30)]
)
def test_f14_f15_workers_are_cut_off(tmp_path: Path, fault: str, variable: str, seconds: float) -> None:
    with outages.on_postgres(tmp_path, documents=10, proxied=variable) as scene:
        proxy = scene.proxy
        assert proxy is not None
        outage = Outage(lambda: proxy.set("stall"), lambda: proxy.set("pass"))

        survive(scene, outage, seconds=seconds, fault=fault, case="network stalls", test=FILE)


def test_f25_no_more_memory_can_be_had(tmp_path: Path) -> None:
    with outages.on_a_small_disk(tmp_path, documents=5) as scene:
        rig = scene.rig

        def had_no_effect() -> list[str]:
            log = rig.running["parse"].log.read_text(errors="replace")
            signs = ("MemoryError", "Cannot allocate memory", "bad_alloc", "exited with")
            return [] if any(sign in log for sign in signs) else ["no allocation failed"]

        outage = Outage(lambda: outages.take_memory(rig, "parse"), lambda: outages.give_memory_back(rig, "parse"))
        survive(scene, outage, seconds=20, fault="F25", case="no more memory", test=FILE, also=had_no_effect)


def test_f26_no_more_files_can_be_opened(tmp_path: Path) -> None:
    with outages.on_a_small_disk(tmp_path, documents=5) as scene:
        rig = scene.rig

        def had_no_effect() -> list[str]:
            log = rig.running["parse"].log.read_text(errors="replace")
            return [] if "Too many open files" in log or "unable to open database file" in log else ["no open failed"]

        outage = Outage(
            lambda: outages.take_open_files(rig, "parse"), lambda: outages.give_open_files_back(rig, "parse")
        )
        survive(scene, outage, seconds=20, fault="F26", case="no more open files", test=FILE, also=had_no_effect)
