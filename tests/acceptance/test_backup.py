"""What docs/production.md says of backup and restore: jobs and results come back, and what was open goes on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.parts import EMBEDDED, PARTS, REDIS
from tests.acceptance.stack import ROOT, Stack
from tests.documents.long import long_document

REPORT = ROOT / "examples" / "report.pdf"
LONG_PAGES = 60


@pytest.fixture(params=[EMBEDDED, REDIS])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "parts").mkdir()
    (tmp_path / "data").mkdir()
    tmp_path.chmod(0o755)  # PostgreSQL runs as a user of its own
    with PARTS[request.param](tmp_path / "parts") as parts:
        stack = Stack(parts, tmp_path / "data")
        try:
            stack.prepare()
            yield stack
        finally:
            stack.stop()


def test_jobs_and_results_are_back_and_open_work_goes_on(stack: Stack, tmp_path: Path) -> None:
    stack.start_web()
    worker = stack.start_worker()
    done = stack.upload(REPORT)
    assert stack.wait(done) == "COMPLETED"
    before = stack.result(done)
    worker.stop()
    document = tmp_path / "long.pdf"
    document.write_bytes(long_document(LONG_PAGES))
    still_open = stack.upload(document)

    restore = backup(stack, tmp_path / "backup")
    later = stack.upload(REPORT)
    stack.stop()
    wipe(stack)
    restore()
    stack.parts.flush()
    stack.start_web()
    stack.start_worker()

    assert stack.result(done) == before
    assert stack.wait(still_open) == "COMPLETED"
    assert stack.pages_in(still_open, "succeeded") == LONG_PAGES
    with stack.client() as client:
        assert client.get(f"/api/v2/parse/{later}").status_code == 404, "it was accepted after the backup"


def backup(stack: Stack, folder: Path) -> Callable[[], None]:
    """Database first, storage after it; returns what puts both back."""
    folder.mkdir()
    storage = stack.folder / "storage"
    url = stack.parts.environment.get("DATABASE_URL")
    if url is None:
        database, copy = stack.folder / "leafmill.sqlite3", folder / "leafmill.sqlite3"
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


def wipe(stack: Stack) -> None:
    shutil.rmtree(stack.folder / "storage")
    url = stack.parts.environment.get("DATABASE_URL")
    if url is None:
        for name in ("leafmill.sqlite3", "leafmill.sqlite3-wal", "leafmill.sqlite3-shm"):
            (stack.folder / name).unlink(missing_ok=True)
    else:
        run("psql", "--quiet", f"--dbname={url}", "--command=DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
