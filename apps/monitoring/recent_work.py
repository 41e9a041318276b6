"""Rates and errors of the last hour, from the newest jobs, attempts and provider calls.

At most the newest ``MAX_ROWS`` rows are read. If these do not cover the hour, rates use the time that they cover.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery, Sum

from apps.jobs.models import AttemptOutcome, PageAttempt, ParseJob, Step
from apps.jobs.states import Stage
from apps.parsing.modes import PAGE_PARSER_OF_MODE
from apps.providers.models import Usage

MAX_ROWS = 20_000
SHORT, LONG = timedelta(minutes=5), timedelta(minutes=60)
_KIND_OF_STAGE = {Stage.EXTRACT.value: "read", Stage.RECOGNIZE.value: "ocr"}


@dataclass(frozen=True)
class Rate:
    """Pages a minute over the last 5 and 60 minutes."""

    what: str
    short: float
    long: float


@dataclass(frozen=True)
class RecentWork:
    """Rows that ended in the last hour: their pages by kind of work, and their error codes.

    ``covered`` is the time that the rows reach back: an hour, or less if ``MAX_ROWS`` was reached.
    """

    total: int
    covered: timedelta
    short: Counter[str] = field(default_factory=Counter)
    long: Counter[str] = field(default_factory=Counter)
    by_code: Counter[str] = field(default_factory=Counter)
    by_state: Counter[str] = field(default_factory=Counter)

    def rate(self, kind: str, name: str) -> Rate:
        minute = timedelta(minutes=1)
        short = self.short[kind] / (min(SHORT, self.covered) / minute)
        return Rate(name, short, self.long[kind] / (self.covered / minute))


def ended_jobs(now: datetime) -> RecentWork:
    """Return the jobs that ended in the last hour; the kinds of work are modes."""
    newest = ParseJob.objects.filter(finished_at__gte=now - LONG).order_by("-finished_at").values("pk")[:MAX_ROWS]
    jobs: Any = ParseJob.objects  # its rows are grouped below, which the type of a manager does not follow
    rows = list(
        jobs.filter(pk__in=newest)
        .order_by()
        .values("state", "mode", "error_code")
        .annotate(
            jobs=Count("pk"),
            pages=Sum("page_count"),
            lately=Sum("page_count", filter=Q(finished_at__gte=now - SHORT)),
            oldest=Min("finished_at"),
        )
    )
    total: int = sum(row["jobs"] for row in rows)
    ended = RecentWork(total, _covered(now, total, rows))
    for row in rows:
        ended.by_state[row["state"]] += row["jobs"]
        ended.by_code[row["error_code"]] += row["jobs"]
        ended.long[row["mode"]] += row["pages"] or 0
        ended.short[row["mode"]] += row["lately"] or 0
    return ended


def ended_attempts(now: datetime) -> RecentWork:
    """Return the attempts that ended in the last hour; the kinds of work are ``read``, ``ocr`` and page parsers."""
    last = PageAttempt.objects.aggregate(last=Max("pk"))["last"] or 0
    attempts: Any = PageAttempt.objects
    ended = attempts.filter(pk__gt=last - MAX_ROWS, ended_at__gte=now - LONG).order_by()
    pages = F("last_page") - F("first_page") + 1
    sums = {"pages": Sum(pages), "lately": Sum(pages, filter=Q(ended_at__gte=now - SHORT))}
    accepted = ended.filter(outcome=AttemptOutcome.ACCEPTED, first_page__gt=0)
    queue = Subquery(Step.objects.filter(pk=OuterRef("step_id")).values("queue")[:1])
    by_model = accepted.filter(stage=Stage.MODEL).annotate(kind=queue).values("kind").annotate(**sums)
    by_stage = accepted.values("stage").annotate(**sums)
    kinds = [(_KIND_OF_STAGE.get(row["stage"]), row) for row in by_stage] + [(row["kind"], row) for row in by_model]
    outcomes = list(ended.values("error_code").annotate(attempts=Count("pk"), oldest=Min("ended_at")))
    total: int = sum(row["attempts"] for row in outcomes)
    found = RecentWork(total, _covered(now, total, outcomes))
    for row in outcomes:
        found.by_code[row["error_code"]] += row["attempts"]
    for kind, row in kinds:
        if kind is not None:
            found.long[kind] += row["pages"] or 0
            found.short[kind] += row["lately"] or 0
    return found


def rates_of_work(attempts: RecentWork) -> list[Rate]:
    """Return the rates of reading, OCR and each page parser."""
    names = {"read": "pages read", "ocr": "OCR"} | {
        parser: f"answered by models, {mode}" for mode, parser in PAGE_PARSER_OF_MODE.items()
    }
    return [attempts.rate(kind, name) for kind, name in names.items()]


def call_errors(now: datetime) -> list[tuple[str, int, str]]:
    """Return the errors of the newest provider calls of the last hour, by provider and code."""
    last = Usage.objects.aggregate(last=Max("pk"))["last"] or 0
    calls = Usage.objects.filter(pk__gt=last - MAX_ROWS, started_at__gte=now - LONG).order_by()
    by_code: Counter[str] = Counter()
    for provider, code, count in calls.values_list("provider_name", "error_code").annotate(Count("pk")):
        by_code[f"{provider}: {code}" if code else ""] += count
    return error_shares(by_code, sum(by_code.values()))


def error_shares(by_code: Mapping[str, int], total: int) -> list[tuple[str, int, str]]:
    """Return codes with their count and their share of ``total``, the most frequent first. "" means no error."""
    found = sorted(((code, count) for code, count in by_code.items() if code), key=lambda each: -each[1])
    return [(code, count, f"{100 * count / total:.1f} %") for code, count in found]


def _covered(now: datetime, total: int, rows: list[dict[str, Any]]) -> timedelta:
    """Return how far back the rows reach: an hour, or less if there are about ``MAX_ROWS`` of them."""
    if total < MAX_ROWS * 0.9:
        return LONG
    oldest: datetime = min(row["oldest"] for row in rows)
    return max(timedelta(seconds=1), now - oldest)
