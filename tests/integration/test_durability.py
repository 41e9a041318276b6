"""Only the web process waits until commits are on disk, because its response promises that the document is stored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOW = """
import parse_project.wsgi
{import_it}
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW synchronous_commit")
    print(cursor.fetchone()[0])
"""


@pytest.mark.parametrize(
    ("import_it", "waits"), [("", "on"), ("import apps.jobs.worker", "off")], ids=["web", "worker"]
)
def test_web_waits_for_the_disk_and_a_worker_does_not(
    postgres_url: str, tmp_path: Path, import_it: str, waits: str
) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"DATABASE_URL": postgres_url, "LEAFMILL_DATA": str(tmp_path / "data")}
    (tmp_path / "data").mkdir()

    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(import_it=import_it)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.strip() == waits, done.stderr
