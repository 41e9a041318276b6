"""Backup and restore as in docs/production.md: jobs and results come back, and open jobs continue."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.backends import BACKENDS, EMBEDDED, REDIS
from tests.acceptance.running_service import ROOT, RunningService
from tests.documents.long import long_document

REPORT = ROOT / "examples" / "report.pdf"
LONG_PAGES = 60


@pytest.fixture(params=[EMBEDDED, REDIS])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningService]:
    (tmp_path / "backends").mkdir()
    (tmp_path / "data").mkdir()
    tmp_path.chmod(0o755)  # PostgreSQL runs as another user
    with BACKENDS[request.param](tmp_path / "backends") as backends:
        service = RunningService(backends, tmp_path / "data")
        try:
            service.prepare()
            yield service
        finally:
            service.stop()


def test_a_restore_brings_back_results_and_continues_open_jobs(service: RunningService, tmp_path: Path) -> None:
    service.start_web()
    worker = service.start_worker()
    done = service.upload(REPORT)
    assert service.wait(done) == "COMPLETED"
    before = service.result(done)
    worker.stop()
    document = tmp_path / "long.pdf"
    document.write_bytes(long_document(LONG_PAGES))
    still_open = service.upload(document)

    restore = backup(service, tmp_path / "backup")
    later = service.upload(REPORT)
    service.stop()
    wipe(service)
    restore()
    service.backends.flush()
    service.start_web()
    service.start_worker()

    assert service.result(done) == before
    assert service.wait(still_open) == "COMPLETED"
    assert service.pages_in(still_open, "succeeded") == LONG_PAGES
    with service.client() as client:
        assert client.get(f"/api/v2/parse/{later}").status_code == 404, "it was accepted after the backup"


def backup(service: RunningService, folder: Path) -> Callable[[], None]:
    """Copy the database, then the storage folder; return a function that restores both."""
    folder.mkdir()
    storage = service.folder / "storage"
    url = service.backends.environment.get("DATABASE_URL")
    if url is None:
        database, copy = service.folder / "leafmill.sqlite3", folder / "leafmill.sqlite3"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", [str(copy)])

        def restore_database() -> None:
            shutil.copy(copy, database)

    else:
        dump = folder / "leafmill.dump"
        run("pg_dump", "--format=custom", f"--file={dump}", url)

        def restore_database() -> None:
            run("pg_restore", "--exit-on-error", f"--dbname={url}", str(dump))

    shutil.copytree(storage, folder / "storage")

    def restore() -> None:
        restore_database()
        shutil.copytree(folder / "storage", storage)

    return restore


def wipe(service: RunningService) -> None:
    shutil.rmtree(service.folder / "storage")
    url = service.backends.environment.get("DATABASE_URL")
    if url is None:
        for name in ("leafmill.sqlite3", "leafmill.sqlite3-wal", "leafmill.sqlite3-shm"):
            (service.folder / name).unlink(missing_ok=True)
    else:
        run("psql", "--quiet", f"--dbname={url}", "--command=DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
