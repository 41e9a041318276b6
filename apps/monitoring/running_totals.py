"""Running totals for the metrics: each update adds the rows that ended since the last one.

The work itself counts nothing, so it has no overhead. An update reads a bounded number of new rows. Only one process
updates at a time; the totals cover the whole installation. Counting starts with the first update.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone

from apps.jobs.models import AttemptOutcome, JobPage, PageAttempt, ParseJob, Step
from apps.monitoring.models import Tally, TallyMark
from apps.providers import ledger
from apps.providers.models import CallOutcome, Usage

MAX_ROWS = 10_000
MAX_JOBS = 2_000
MAX_PAGES = 50_000
KEYS_PER_QUERY = 500
# Rows that started at least this long ago are committed: none of our transactions is open for longer.
MIN_AGE = timedelta(seconds=10)
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds in seconds. One more bucket holds longer durations."""

Totals = Counter[tuple[str, ...]]


def update() -> None:
    """Add newly ended rows to the totals. Do nothing if another process is updating them."""
    with transaction.atomic():
        if not TallyMark.objects.exists():
            now = timezone.now()
            newest_attempt = PageAttempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            newest_call = Usage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
            first_marks = [
                TallyMark(kind="attempts", last_id=newest_attempt),
                TallyMark(kind="calls", last_id=newest_call),
                TallyMark(kind="jobs", last_at=now),
            ]
            TallyMark.objects.bulk_create(first_marks, ignore_conflicts=True)
        locked = TallyMark.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        marks = {mark.kind: mark for mark in locked}
        if len(marks) < 3:  # another process has locked them
            return
        added: Totals = Counter()
        count_attempts(added, marks["attempts"])
        count_calls(added, marks["calls"])
        count_jobs(added, marks["jobs"])
        changed = {"|".join(name): value for name, value in added.items() if value}
        before: dict[str, float] = {}
        for names in _batches(list(changed)):
            before |= dict(Tally.objects.filter(pk__in=names).values_list("name", "value"))
        Tally.objects.bulk_create(
            [Tally(name=name, value=before.get(name, 0) + value) for name, value in changed.items()],
            update_conflicts=True,
            update_fields=["value"],
            unique_fields=["name"],
            batch_size=300,
        )
        TallyMark.objects.bulk_update(marks.values(), ["last_id", "last_at", "open_ids"])


def totals() -> dict[tuple[str, ...], float]:
    """Return each total by the kind it counts and its labels."""
    return {tuple(name.split("|")): value for name, value in Tally.objects.values_list("name", "value")}


def count_attempts(added: Totals, mark: TallyMark) -> None:
    """Count newly ended attempts with their errors and durations, and move the mark."""
    queue = Subquery(Step.objects.filter(pk=OuterRef("step_id")).values("queue"))
    columns = ("pk", "started_at", "outcome", "ended_at", "error_code", "stage", "first_page", "last_page")
    rows = PageAttempt.objects.annotate(queue=queue).values_list(*columns, "queue", named=True)
    oldest = timezone.now() - timedelta(seconds=settings.MAX_JOB_SECONDS)
    for row in _newly_ended(rows, mark, open_since=oldest):
        queue_name = row.queue or row.stage
        added["attempts", queue_name, row.stage, row.outcome] += 1
        if row.error_code:
            added["attempt_errors", queue_name, row.error_code] += 1
        if row.ended_at and row.outcome != AttemptOutcome.LEASE_LOST:
            seconds = (row.ended_at - row.started_at).total_seconds()
            _count_seconds(added, ("attempt_seconds", queue_name, row.stage), seconds)


def count_calls(added: Totals, mark: TallyMark) -> None:
    """Count newly ended provider calls with their tokens, costs and durations, and move the mark."""
    columns = ("pk", "started_at", "outcome", "provider_name", "page_parser", "error_code", "seconds", "service_tier")
    rows = Usage.objects.values_list(*columns, "input_tokens", "output_tokens", "cost_nanos", named=True)
    for row in _newly_ended(rows, mark, open_since=timezone.now() - ledger.max_call_duration("batch")):
        provider = row.provider_name.replace("|", " ")  # the separator in the names of totals
        added["calls", provider, row.page_parser, row.outcome, row.error_code] += 1
        added["tokens", provider, "input"] += row.input_tokens
        added["tokens", provider, "output"] += row.output_tokens
        added["cost_nanos", provider] += row.cost_nanos or 0
        if row.seconds is not None and row.service_tier != "batch":  # hours, which say nothing about the provider
            _count_seconds(added, ("call_seconds", row.page_parser), row.seconds)


def _newly_ended(rows: Any, mark: TallyMark, *, open_since: datetime) -> Iterator[Any]:
    """Yield the rows that ended: those after the mark, and those that were open at the last update. Move the mark.

    Open rows are dropped if they started before ``open_since`` or were deleted.
    """
    settled = rows.filter(started_at__lt=timezone.now() - MIN_AGE).order_by("-pk").values_list("pk", flat=True).first()
    fresh = rows.filter(pk__gt=mark.last_id, pk__lte=settled or 0).order_by("pk")[:MAX_ROWS]
    earlier = rows.filter(pk__in=mark.open_ids) if mark.open_ids else ()
    still_open: list[int] = []
    for row in [*earlier, *fresh]:
        mark.last_id = max(mark.last_id, row.pk)
        if row.outcome != CallOutcome.RUNNING:  # attempts have the same value
            yield row
        elif row.started_at > open_since:
            still_open.append(row.pk)
    mark.open_ids = still_open


def count_jobs(added: Totals, mark: TallyMark) -> None:
    """Count newly ended jobs and their pages, at most about ``MAX_PAGES``, and move the mark.

    Jobs that ended at the same moment are counted together, because the mark is that moment.
    """
    ended = ParseJob.objects.filter(finished_at__gt=mark.last_at, finished_at__lte=timezone.now() - MIN_AGE)
    columns = ("pk", "state", "error_code", "created_at", "finished_at", "page_count")
    jobs = list(ended.order_by("finished_at").values_list(*columns, named=True)[:MAX_JOBS])
    counted: list[str] = []
    pages = 0
    for position, job in enumerate(jobs):
        is_later = position == 0 or jobs[position - 1].finished_at < job.finished_at
        if counted and pages + (job.page_count or 0) > MAX_PAGES and is_later:
            break
        counted.append(job.pk)
        pages += job.page_count or 0
        mark.last_at = job.finished_at
        added["jobs", job.state] += 1
        if job.error_code:
            added["job_errors", job.error_code] += 1
        if job.finished_at:
            _count_seconds(added, ("job_seconds",), (job.finished_at - job.created_at).total_seconds())
    kinds = ("job__mode", "mode", "state", "fallback", "error_code")
    for ids in _batches(counted):
        rows = JobPage.objects.filter(job_id__in=ids).order_by().values_list(*kinds).annotate(Count("pk"))
        for job_mode, mode, state, fallback, error_code, count in rows:
            added["pages", mode or job_mode, state, fallback] += count
            if error_code:
                added["page_errors", error_code] += count


def _count_seconds(added: Totals, name: tuple[str, ...], seconds: float) -> None:
    seconds = max(0.0, seconds)
    added[*name, "bucket", str(bisect_left(BUCKETS, seconds))] += 1
    added[*name, "sum"] += seconds  # type: ignore[assignment]


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + KEYS_PER_QUERY] for start in range(0, len(keys), KEYS_PER_QUERY))
