"""Counting what has happened, for metrics: each look adds the rows that came since the last one to running totals.

The work itself counts nothing and pays nothing for it. A look costs what is new, and of that a bounded share. One
process looks at a time; the totals are those of the whole installation, whoever tells them. Counting begins with the
first look.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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

ROWS_AT_ONCE = 10_000
JOBS_AT_ONCE = 2_000
PAGES_AT_ONCE = 50_000
# What was begun this long ago has been committed: no transaction of ours is open for so long.
SETTLED = timedelta(seconds=10)
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds in seconds; what took longer falls in one more."""

Totals = Counter[tuple[str, ...]]


def count_news() -> None:
    """Add what is new to the totals; nothing when another process is doing so."""
    with transaction.atomic():
        marks = _marks()
        if not marks:
            return
        news: Totals = Counter()
        _count_attempts(news, marks["attempts"])
        _count_calls(news, marks["calls"])
        _count_jobs(news, marks["jobs"])
        _add(news)
        TallyMark.objects.bulk_update(marks.values(), ["last_id", "last_at", "open_ids"])


def totals() -> dict[tuple[str, ...], float]:
    """Every total by what it counts and its labels."""
    return {tuple(name.split("|")): value for name, value in Tally.objects.values_list("name", "value")}


def bucket_of(seconds: float) -> int:
    """The number of the bucket that a duration falls in."""
    return bisect_left(BUCKETS, seconds)


def _marks() -> dict[str, TallyMark]:
    """The marks, held until the transaction ends; none when another process holds them."""
    if not TallyMark.objects.exists():
        _begin()
    held = TallyMark.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    marks = {mark.kind: mark for mark in held}
    return marks if len(marks) == 3 else {}


def _begin() -> None:
    now = timezone.now()
    newest_attempt = PageAttempt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    newest_call = Usage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    TallyMark.objects.bulk_create(
        [
            TallyMark(kind="attempts", last_id=newest_attempt),
            TallyMark(kind="calls", last_id=newest_call),
            TallyMark(kind="jobs", last_at=now),
        ],
        ignore_conflicts=True,
    )


def _count_attempts(news: Totals, mark: TallyMark) -> None:
    queue = Subquery(Step.objects.filter(pk=OuterRef("step_id")).values("queue"))
    columns = ("pk", "started_at", "outcome", "ended_at", "error_code", "stage", "first_page", "last_page")
    rows = PageAttempt.objects.annotate(queue=queue).values_list(*columns, "queue", named=True)
    oldest = timezone.now() - timedelta(seconds=settings.MAX_JOB_SECONDS)
    for row in _newly_ended(rows, mark, open_since=oldest):
        where = row.queue or row.stage
        news["attempts", where, row.stage, row.outcome] += 1
        if row.error_code:
            news["attempt_errors", where, row.error_code] += 1
        if row.ended_at and row.outcome != AttemptOutcome.LEASE_LOST:
            _count_seconds(news, ("attempt_seconds", where, row.stage), (row.ended_at - row.started_at).total_seconds())


def _count_calls(news: Totals, mark: TallyMark) -> None:
    columns = ("pk", "started_at", "outcome", "provider_name", "page_parser", "error_code", "seconds")
    rows = Usage.objects.values_list(*columns, "input_tokens", "output_tokens", "cost_nanos", named=True)
    for row in _newly_ended(rows, mark, open_since=timezone.now() - ledger.longest_call()):
        provider = _word(row.provider_name)
        news["calls", provider, row.page_parser, row.outcome, row.error_code] += 1
        news["tokens", provider, "input"] += row.input_tokens
        news["tokens", provider, "output"] += row.output_tokens
        news["cost_nanos", provider] += row.cost_nanos or 0
        if row.seconds is not None:
            _count_seconds(news, ("call_seconds", row.page_parser), row.seconds)


def _newly_ended(rows: Any, mark: TallyMark, *, open_since: datetime) -> Iterator[Any]:
    """Rows after the mark that have ended, and those before it that had not; moves the mark.

    What was begun before ``open_since`` is not waited for any longer. Rows that are gone are forgotten.
    """
    settled = rows.filter(started_at__lt=timezone.now() - SETTLED).order_by("-pk").values_list("pk", flat=True).first()
    fresh = rows.filter(pk__gt=mark.last_id, pk__lte=settled or 0).order_by("pk")[:ROWS_AT_ONCE]
    earlier = rows.filter(pk__in=mark.open_ids) if mark.open_ids else ()
    still_open: list[int] = []
    for row in [*earlier, *fresh]:
        mark.last_id = max(mark.last_id, row.pk)
        if row.outcome != CallOutcome.RUNNING:  # attempts spell it alike
            yield row
        elif row.started_at > open_since:
            still_open.append(row.pk)
    mark.open_ids = still_open


def _count_jobs(news: Totals, mark: TallyMark) -> None:
    ended = ParseJob.objects.filter(finished_at__gt=mark.last_at, finished_at__lte=timezone.now() - SETTLED)
    columns = ("pk", "state", "error_code", "created_at", "finished_at", "page_count")
    jobs = list(ended.order_by("finished_at").values_list(*columns, named=True)[:JOBS_AT_ONCE])
    counted: list[str] = []
    pages = 0
    for position, job in enumerate(jobs):
        moment_is_over = position == 0 or jobs[position - 1].finished_at < job.finished_at
        if counted and pages + (job.page_count or 0) > PAGES_AT_ONCE and moment_is_over:
            break
        counted.append(job.pk)
        pages += job.page_count or 0
        mark.last_at = job.finished_at
        news["jobs", job.state] += 1
        if job.error_code:
            news["job_errors", job.error_code] += 1
        if job.finished_at:
            _count_seconds(news, ("job_seconds",), (job.finished_at - job.created_at).total_seconds())
    _count_pages(news, counted)


def _count_pages(news: Totals, job_ids: Sequence[str]) -> None:
    kinds = ("job__mode", "mode", "state", "fallback", "error_code")
    for ids in (job_ids[start : start + 500] for start in range(0, len(job_ids), 500)):
        rows = JobPage.objects.filter(job_id__in=ids).order_by().values_list(*kinds).annotate(Count("pk"))
        for job_mode, mode, state, fallback, error_code, count in rows:
            news["pages", mode or job_mode, state, fallback] += count
            if error_code:
                news["page_errors", error_code] += count


def _count_seconds(news: Totals, name: tuple[str, ...], seconds: float) -> None:
    seconds = max(0.0, seconds)
    news[*name, "bucket", str(bucket_of(seconds))] += 1
    news[*name, "sum"] += seconds  # type: ignore[assignment]


def _add(news: Totals) -> None:
    changed = {"|".join(name): value for name, value in news.items() if value}
    before: dict[str, float] = {}
    for names in _some_at_once(list(changed)):
        before |= dict(Tally.objects.filter(pk__in=names).values_list("name", "value"))
    Tally.objects.bulk_create(
        [Tally(name=name, value=before.get(name, 0) + value) for name, value in changed.items()],
        update_conflicts=True,
        update_fields=["value"],
        unique_fields=["name"],
        batch_size=300,
    )


def _some_at_once(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[start : start + 500] for start in range(0, len(names), 500))


def _word(text: str) -> str:
    """A label that has no bar in it."""
    return text.replace("|", " ")
