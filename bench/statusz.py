"""How long /api/queue-statusz takes with a million open pages, on SQLite and on PostgreSQL, and on an idle service.

The pages lie in documents of 2,000: in fast mode as the ranges that splitting makes of them, in a mode with models as a
step each. python -m bench.statusz [sqlite|postgres] [PAGES]
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
from tests.acceptance.parts import embedded_parts, redis_parts
from tests.acceptance.stack import Stack

PAGES = 1_000_000
PAGES_OF_A_DOCUMENT = 2000
REQUESTS = 50
TARGET_MS = 50.0
PARTS = {"sqlite": embedded_parts, "postgres": redis_parts}
FILL = """
from django.db import connection
from django.utils import timezone
from apps.accounts.services import default_project
from apps.jobs.models import JobPage, ParseJob, Step
from apps.jobs.services.reading import make_ranges
from apps.jobs.services.routing import _step
now = timezone.now()
for number in range({documents}):
    job = ParseJob.objects.create(
        project=default_project(), document_name="long.pdf", mode="{mode}", tier="fast", version="latest",
        state="running", stage="{stage}", created_at=now, updated_at=now, deadline_at=now + timezone.timedelta(days=1),
    )
    numbers = range(1, {pages} + 1)
    JobPage.objects.bulk_create((JobPage(job=job, number=number) for number in numbers), batch_size=500)
    if "{mode}" == "fast":
        make_ranges(job, numbers)
    else:
        Step.objects.bulk_create((_step(job, "llm", number) for number in numbers), batch_size=500)
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
print(Step.objects.count())
"""
FORGET = """
from django.db import connection
with connection.cursor() as cursor:
    for table in ("jobs_step", "jobs_jobpage", "jobs_parsejob"):
        cursor.execute("DELETE FROM " + table)
if connection.vendor == "postgresql":
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
"""


def milliseconds(stack: Stack, prefix: str, *, messages: int) -> float:
    """The middle one of some requests, over one connection, as an autoscaler makes them."""
    taken = []
    with httpx.Client(base_url=stack.url, verify=False, timeout=60) as client:
        for _ in range(REQUESTS):
            began = time.perf_counter()
            answer = client.get("/api/queue-statusz", params={"queue_prefix": prefix})
            taken.append((time.perf_counter() - began) * 1000)
            assert answer.json()["total_messages"] == messages, answer.text
    return statistics.median(taken)


def python(stack: Stack, code: str) -> str:
    """As Stack.run_python, which does not wait for a million rows."""
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
    done = subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def measure(database: str, pages: int) -> list[Figure]:
    documents = max(1, pages // PAGES_OF_A_DOCUMENT)
    figures = []
    with ExitStack() as ended:
        folder = Path(ended.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        (folder / "service").mkdir()
        stack = Stack(ended.enter_context(PARTS[database](folder)), folder / "service")
        ended.callback(stack.stop)
        stack.prepare()
        stack.start_web()
        figures.append(Figure(f"{database}: no work", milliseconds(stack, "", messages=0), "ms", TARGET_MS))
        for mode, stage, prefix in (("fast", "extract", "parse_raw_file_job"), ("balanced", "model", "llm")):
            filled = FILL.format(documents=documents, pages=PAGES_OF_A_DOCUMENT, mode=mode, stage=stage)
            steps = int(python(stack, filled))
            what = f"{database}: {documents * PAGES_OF_A_DOCUMENT:,} open pages, {mode} mode, {steps:,} steps"
            for asked in (prefix, ""):
                taken = milliseconds(stack, asked, messages=steps)
                figures.append(Figure(f"{what}, prefix {asked or '(none)'}", taken, "ms", TARGET_MS))
            if mode != "fast":
                taken = milliseconds(stack, "parse_raw_file_job", messages=0)
                figures.append(Figure(f"{what}, prefix parse_raw_file_job", taken, "ms", TARGET_MS))
            python(stack, FORGET)
    return figures


def main(arguments: list[str]) -> None:
    databases = [name for name in arguments if name in PARTS] or list(PARTS)
    pages = next((int(word) for word in arguments if word.isdigit()), PAGES)
    report("statusz", [figure for database in databases for figure in measure(database, pages)])


if __name__ == "__main__":
    main(sys.argv[1:])
