"""Only the web process waits until commits are on disk, because its response promises that the document is stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests import services

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


CALL = """
import django
django.setup()
import apps.jobs.worker
from django.db import connection
from django.utils import timezone
from apps.jobs.models import LeaderLock
from apps.providers import ledger
from apps.providers.catalog import target_of
from apps.providers.models import Deployment, Provider, Quota, Usage
from apps.providers.quota.store import QuotaDemand
from uuid import uuid4
with connection.schema_editor() as editor:
    for model in (LeaderLock, Provider, Deployment, Quota, Usage):
        editor.create_model(model)
row = Deployment.objects.create(name="d", provider=Provider.objects.create(name="p", family="openai"), model="m")
call_for = ledger.CallFor(uuid4(), "pjb-1", 1, "llm")
ledger.begin_call(call_for, target_of(row), QuotaDemand(input_tokens=10, output_tokens=10), "r")
LeaderLock.objects.create(name="work that is repeated", expires_at=timezone.now())
print("sent", flush=True)
input()
"""


def test_the_ledger_has_a_call_that_was_sent_before_the_database_crashed(tmp_path: Path) -> None:
    """Work that is not paid for may be lost in the same crash, which shows that the test can fail."""
    postgres = services.start_postgres(tmp_path)
    try:
        # The crash comes before PostgreSQL writes asynchronous commits by itself.
        postgres.stop()
        postgres.command += ("-c", "wal_writer_delay=10s")
        postgres.start()
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {
            "DATABASE_URL": postgres.url,
            "LEAFMILL_DATA": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "parse_project.settings",
        }
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [sys.executable, "-c", CALL], env=environment, cwd=ROOT, stdin=pipe, stdout=pipe
        ) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"sent\n"
            os.kill(postgres.pid, signal.SIGQUIT)  # pg_ctl stop -m immediate
            assert postgres.popen is not None
            postgres.popen.wait(30)
            worker.kill()
        postgres.start()
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT job_id, outcome FROM providers_usage").fetchall() == [
                ("pjb-1", "running")
            ]
            assert connection.execute("SELECT count(*) FROM jobs_turn").fetchone() == (0,)
    finally:
        postgres.close()
