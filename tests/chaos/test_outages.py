"""A part of the service is away in the middle of jobs. No job fails or is parsed twice, and all end after it is back.

The outages last as long as the table of faults says, so only ``make chaos`` runs them. Short ones of each stage are in
tests/integration/jobs/test_outages.py.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.chaos import outages
from tests.chaos.outages import MAX_ANSWER_SECONDS, Outage, survive

FILE = "tests/chaos/test_outages.py"
pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(1200)]


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
    with outages.on_postgres(tmp_path, documents=20) as scene:
        database = scene.database
        assert database is not None

        def crash() -> None:
            for _ in range(10):
                outages.crash_and_restart(database)
                time.sleep(1)

        survive(
            scene, Outage(crash, lambda: None, frozenset({503})), seconds=1, fault="F17", case="10 crashes", test=FILE
        )


def test_f19_connections_of_the_database_are_exhausted(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with outages.on_postgres(tmp_path, documents=10, max_connections=20) as scene:
        rig = scene.rig
        answers: list[int] = []

        def crowd() -> None:
            def ask(_: int) -> int:
                with rig.service.client() as client:
                    return client.get("/api/v2/parse").status_code

            with ThreadPoolExecutor(40) as clients:
                answers.extend(clients.map(ask, range(400)))

        survive(
            scene, Outage(crowd, lambda: None, frozenset({503})), seconds=1, fault="F19", case="40 clients", test=FILE
        )

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


def test_f26_no_more_files_can_be_opened(tmp_path: Path) -> None:
    with outages.on_a_small_disk(tmp_path, documents=10) as scene:
        rig = scene.rig
        outage = Outage(
            lambda: outages.limit_open_files(rig, "parse", 16), lambda: outages.limit_open_files(rig, "parse", 65536)
        )

        survive(scene, outage, seconds=10, fault="F26", case="16 open files", test=FILE)
