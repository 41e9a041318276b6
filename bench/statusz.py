"""Response time of /api/queue-statusz with a million open pages and without work, on SQLite and on PostgreSQL.

    python -m bench.statusz [sqlite|postgres] [PAGES]

In fast mode the pages are ranges of split documents of 2,000 pages. In balanced mode they wait for a window to open, in
documents of 2,000 and of 10 pages.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench.figures import ROOT, Figure, report
from tests.acceptance.backends import embedded_backends, redis_backends
from tests.acceptance.running_service import RunningService

PAGES = 1_000_000
LONG, SHORT = 2000, 10  # pages of a document
REQUESTS = 50
TARGET_MS = 50.0
BACKENDS = {"sqlite": embedded_backends, "postgres": redis_backends}
FILL = """
from django.db import connection
from django.utils import timezone
from apps.accounts.services import default_project
from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.stages.extract import make_ranges
from apps.jobs.scheduling.dispatch import make_page_steps
now, numbers = timezone.now(), range(1, {pages} + 1)
jobs = [
    ParseJob(
        project=default_project(), document_name="long.pdf", mode="{mode}", tier="fast", version="latest",
        state="running", stage="{stage}", created_at=now, updated_at=now, deadline_at=now + timezone.timedelta(days=1),
    )
    for _ in range({documents})
]
ParseJob.objects.bulk_create(jobs, batch_size=500)
for job in jobs if {pages} > 100 else []:
    JobPage.objects.bulk_create((JobPage(job=job, number=number) for number in numbers), batch_size=500)
for job in jobs if "{mode}" == "fast" else []:
    make_ranges(job, numbers)
if "{mode}" != "fast":
    runs = (run for job in jobs for run in make_page_steps(job=job, stage="model", queue="llm", numbers=numbers))
    Step.objects.bulk_create(runs, batch_size=500)
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
print(Step.objects.count())
"""
DELETE_WORK = """
from django.db import connection
with connection.cursor() as cursor:
    for table in ("jobs_step", "jobs_jobpage", "jobs_parsejob"):
        cursor.execute("DELETE FROM " + table)
if connection.vendor == "postgresql":
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
"""


def milliseconds(service: RunningService, prefix: str, *, messages: int) -> float:
    """Return the median of several requests over one connection, as an autoscaler makes them."""
    taken = []
    with httpx.Client(base_url=service.url, verify=False, timeout=60) as client:
        for _ in range(REQUESTS):
            started = time.perf_counter()
            answer = client.get("/api/queue-statusz", params={"queue_prefix": prefix})
            taken.append((time.perf_counter() - started) * 1000)
            assert answer.json()["total_messages"] == messages, answer.text
    return statistics.median(taken)


def python(service: RunningService, code: str) -> str:
    """Run code as RunningService.run_python does, without its timeout, which is too short for a million rows."""
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
    done = subprocess.run(command, env=service.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def measure(database: str, pages: int) -> list[Figure]:
    figures = []
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        (folder / "service").mkdir()
        service = RunningService(cleanup.enter_context(BACKENDS[database](folder)), folder / "service")
        cleanup.callback(service.stop)
        service.prepare()
        service.start_web()
        figures.append(Figure(f"{database}: no work", milliseconds(service, "", messages=0), "ms", TARGET_MS))
        for mode, stage, prefix, each in (
            ("fast", "extract", "parse_raw_file_job", LONG),
            ("balanced", "model", "llm", LONG),
            ("balanced", "model", "llm", SHORT),
        ):
            documents = max(1, pages // each)
            rows = int(python(service, FILL.format(documents=documents, pages=each, mode=mode, stage=stage)))
            what = f"{database}: {documents:,} documents of {each:,} pages, {mode} mode, {rows:,} rows"
            for queue_prefix in (prefix, ""):
                taken = milliseconds(service, queue_prefix, messages=rows if mode == "fast" else documents * each)
                figures.append(Figure(f"{what}, prefix {queue_prefix or '(none)'}", taken, "ms", TARGET_MS))
            python(service, DELETE_WORK)
    return figures


def main(arguments: list[str]) -> None:
    databases = [name for name in arguments if name in BACKENDS] or list(BACKENDS)
    pages = next((int(word) for word in arguments if word.isdigit()), PAGES)
    report("statusz", [figure for database in databases for figure in measure(database, pages)])


if __name__ == "__main__":
    main(sys.argv[1:])
