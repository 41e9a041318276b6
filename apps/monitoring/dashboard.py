"""The facts of the operations page, from rows, with a bounded number of bounded queries.

Rates use at most the ``NEWEST`` rows. If these do not cover the period, the rate is that of the time they cover.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from apps.accounts.models import ProjectQuota
from apps.jobs import queries
from apps.jobs.admin.display import in_words
from apps.jobs.models import AttemptOutcome, PageAttempt, ParseJob, Pause, Step
from apps.jobs.scheduling.pauses import pausable
from apps.jobs.scheduling.queue_status import queue_status_of_rows
from apps.jobs.states import OPEN_JOBS, JobState, Stage
from apps.jobs.stuck import stuck_jobs
from apps.monitoring.worker_facts import scaling_events, workers_now
from apps.parsing.modes import MODES, PAGE_PARSER_OF_MODE
from apps.providers.calls.shared_gateway import shared_store
from apps.providers.catalog import MICROS_PER_DOLLAR, deployment_quota_key
from apps.providers.ledger import project_quota_key
from apps.providers.models import Deployment, Quota, Usage
from apps.providers.quota.store import QuotaState, QuotaStoreUnavailable

NEWEST = 20_000
SHORT, LONG = timedelta(minutes=5), timedelta(minutes=60)
MAX_STUCK_JOBS = 1000
MAX_QUOTAS = 20
NEAR, FULL = 80, 100  # per cent of a quota


@dataclass(frozen=True)
class Rate:
    """Pages a minute over the last 5 and 60 minutes."""

    what: str
    short: float
    long: float


@dataclass(frozen=True)
class QueueNow:
    """A queue's messages: not sent, sent and not begun, running."""

    name: str
    unsent: int
    sent: int
    running: int
    age: str
    pause: Pause | None


@dataclass(frozen=True)
class Limit:
    """One limit of a quota and what happens when it is reached."""

    whose: str
    what: str
    used: float
    limit: float
    then: str

    @property
    def percent(self) -> int:
        return min(FULL, int(100 * self.used / self.limit)) if self.limit else FULL

    @property
    def kind(self) -> str:
        return "full" if self.percent >= FULL else "near" if self.percent >= NEAR else "good"


def dashboard() -> dict[str, Any]:
    """Return the template context of the page."""
    now = timezone.now()
    pauses = queries.pauses()
    queues = _queues(pauses)
    open_now = ParseJob.objects.filter(state__in=OPEN_JOBS).order_by().values_list("state").annotate(Count("pk"))
    ended = _ended_jobs(now)
    attempts = _attempts(now)
    deployments = list(Deployment.objects.select_related("provider", "quota"))
    quotas = list(ProjectQuota.objects.select_related("project").order_by("project__name"))
    accounts = _accounts(deployments, quotas)
    limits = sorted(_limits(deployments, quotas, accounts), key=lambda limit: -limit.percent)
    return {
        "jobs_now": [(state, dict(open_now).get(state, 0)) for state in (JobState.PENDING, JobState.RUNNING)],
        "jobs_ended": sorted(ended.by_state.items()),
        "rates_of_jobs": [ended.rate_of(mode) for mode in MODES],
        "rates_of_work": attempts.rates(),
        "covers": in_words(attempts.covers),
        "queues": queues,
        "workers": workers_now({queue.name: queue.running for queue in queues}),
        "scaling_events": scaling_events(),
        "job_errors": _shares(ended.by_code, ended.total),
        "attempt_errors": _shares(attempts.by_code, attempts.total),
        "call_errors": _call_errors(now),
        "spent": _spent(deployments, accounts),
        "store_answers": accounts is not None,
        "limits": limits[:MAX_QUOTAS],
        "stuck": stuck_jobs(ParseJob.objects.order_by()).values("pk")[:MAX_STUCK_JOBS].count(),
        "most_stuck": MAX_STUCK_JOBS,
        "pauses": pauses,
        "may_be_paused": [name for name in pausable() if name not in {pause.name for pause in pauses}],
        "not_called": [
            (deployment, _why_not_called(deployment)) for deployment in deployments if _why_not_called(deployment)
        ],
        "moment": now,
    }


# --- jobs ---


@dataclass(frozen=True)
class _Ended:
    by_state: Counter[str]
    by_code: Counter[str]
    short: Counter[str]
    long: Counter[str]
    total: int
    covers: timedelta

    def rate_of(self, mode: str) -> Rate:
        return Rate(mode, *_per_minute(self.short[mode], self.long[mode], self.covers))


def _ended_jobs(now: datetime) -> _Ended:
    newest = ParseJob.objects.filter(finished_at__gte=now - LONG).order_by("-finished_at").values("pk")[:NEWEST]
    jobs: Any = ParseJob.objects  # its rows are grouped below, which the type of a manager does not follow
    rows = (
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
    found = list(rows)
    total: int = sum(row["jobs"] for row in found)
    ended = _Ended(Counter(), Counter(), Counter(), Counter(), total, _covered(now, total, found))
    for row in found:
        ended.by_state[row["state"]] += row["jobs"]
        ended.by_code[row["error_code"]] += row["jobs"]
        ended.long[row["mode"]] += row["pages"] or 0
        ended.short[row["mode"]] += row["lately"] or 0
    return ended


# --- work ---


@dataclass(frozen=True)
class _Attempts:
    by_code: Counter[str]
    short: Counter[str]
    long: Counter[str]
    total: int
    covers: timedelta

    def rates(self) -> list[Rate]:
        names = {"read": "pages read", "ocr": "OCR"} | {
            parser: f"answered by models, {mode}" for mode, parser in PAGE_PARSER_OF_MODE.items()
        }
        return [
            Rate(name, *_per_minute(self.short[kind], self.long[kind], self.covers)) for kind, name in names.items()
        ]


def _attempts(now: datetime) -> _Attempts:
    """The newest attempts that ended in the last hour, by what they did."""
    last = PageAttempt.objects.aggregate(last=Max("pk"))["last"] or 0
    every: Any = PageAttempt.objects
    ended = every.filter(pk__gt=last - NEWEST, ended_at__gte=now - LONG).order_by()
    pages = F("last_page") - F("first_page") + 1
    queue = Subquery(Step.objects.filter(pk=OuterRef("step_id")).values("queue")[:1])
    good = ended.filter(outcome=AttemptOutcome.ACCEPTED, first_page__gt=0)
    sums = {"pages": Sum(pages), "lately": Sum(pages, filter=Q(ended_at__gte=now - SHORT))}
    kinds = [(_KINDS.get(row["stage"]), row) for row in good.values("stage").annotate(**sums)]
    models = good.filter(stage=Stage.MODEL).annotate(kind=queue).values("kind").annotate(**sums)
    kinds += [(row["kind"], row) for row in models]
    outcomes = list(ended.values("error_code").annotate(attempts=Count("pk"), oldest=Min("ended_at")))
    total: int = sum(row["attempts"] for row in outcomes)
    found = _Attempts(Counter(), Counter(), Counter(), total, _covered(now, total, outcomes))
    for row in outcomes:
        found.by_code[row["error_code"]] += row["attempts"]
    for kind, row in kinds:
        if kind is not None:
            found.long[kind] += row["pages"] or 0
            found.short[kind] += row["lately"] or 0
    return found


_KINDS = {Stage.EXTRACT.value: "read", Stage.RECOGNIZE.value: "ocr"}


def _covered(now: datetime, total: int, rows: list[dict[str, Any]]) -> timedelta:
    """How far back the rows reach: an hour, less where there are more of them than were looked at."""
    if total < NEWEST * 0.9:
        return LONG
    oldest: datetime = min(row["oldest"] for row in rows)
    return max(timedelta(seconds=1), now - oldest)


def _per_minute(short: int, long: int, covers: timedelta) -> tuple[float, float]:
    return short / (min(SHORT, covers) / timedelta(minutes=1)), long / (covers / timedelta(minutes=1))


def _queues(pauses: list[Pause]) -> list[QueueNow]:
    paused = {pause.name: pause for pause in pauses}
    return [
        QueueNow(
            name=queue.name,
            unsent=queue.unsent,
            sent=queue.waiting - queue.unsent,
            running=queue.in_flight,
            age="-" if queue.oldest_age_seconds is None else in_words(timedelta(seconds=queue.oldest_age_seconds)),
            pause=paused.get(queue.name),
        )
        for queue in queue_status_of_rows()
        if queue.name in pausable()
    ]


def _call_errors(now: datetime) -> list[tuple[str, int, str]]:
    """By provider and code, of the newest calls of the last hour."""
    last = Usage.objects.aggregate(last=Max("pk"))["last"] or 0
    calls = Usage.objects.filter(pk__gt=last - NEWEST, started_at__gte=now - LONG).order_by()
    rows = list(calls.values_list("provider_name", "error_code").annotate(Count("pk")))
    by_code = Counter({f"{provider}: {code}" if code else "": 0 for provider, code, _ in rows})
    for provider, code, count in rows:
        by_code[f"{provider}: {code}" if code else ""] += count
    return _shares(by_code, sum(by_code.values()))


def _shares(by_code: Mapping[str, int], total: int) -> list[tuple[str, int, str]]:
    """Codes with their numbers and their shares of all, the most frequent first."""
    found = sorted(((code, count) for code, count in by_code.items() if code), key=lambda each: -each[1])
    return [(code, count, f"{100 * count / total:.1f} %") for code, count in found]


# --- quotas and money ---


def _accounts(deployments: list[Deployment], quotas: list[ProjectQuota]) -> dict[str, QuotaState] | None:
    """What the quota store says of all of them; None when it does not answer."""
    keys = [deployment_quota_key(deployment.pk) for deployment in deployments]
    keys += [project_quota_key(quota.project_id) for quota in quotas]
    try:
        return {state.key: state for state in shared_store().state(keys)}
    except QuotaStoreUnavailable:
        return None


def _spent(deployments: list[Deployment], accounts: dict[str, QuotaState] | None) -> list[tuple[str, str, int]]:
    """Dollars and requests of the last day by provider."""
    dollars: dict[str, float] = {}
    requests: Counter[str] = Counter()
    unknown: set[str] = set()
    for deployment in deployments if accounts is not None else []:
        account, name = (accounts or {})[deployment_quota_key(deployment.pk)], deployment.provider.name
        dollars[name] = dollars.get(name, 0.0) + account.money_today / MICROS_PER_DOLLAR
        requests[name] += account.requests_today
        if account.requests_today and not deployment.has_price:
            unknown.add(name)
    return [
        (name, "unknown" if name in unknown else f"${spent:.2f}", requests[name])
        for name, spent in sorted(dollars.items())
    ]


def _limits(
    deployments: list[Deployment], quotas: list[ProjectQuota], accounts: dict[str, QuotaState] | None
) -> Iterator[Limit]:
    for deployment in deployments:
        quota: Quota | None = getattr(deployment, "quota", None)
        if quota is not None and accounts is not None:
            yield from _limits_of(str(deployment), quota, accounts[deployment_quota_key(deployment.pk)])
    yield from _limits_of_projects(quotas, accounts)


def _limits_of(name: str, quota: Quota, account: QuotaState) -> Iterator[Limit]:
    window, day = f"in {quota.window_seconds:g} s", "in 24 hours"
    soon = "its calls wait a moment, or go to the next deployment"
    later = "its calls go to the next deployment, or wait for hours"
    uses: list[tuple[str, float, Any, str]] = [
        (f"requests {window}", account.requests, quota.requests_per_window, soon),
        (f"tokens {window}", account.tokens, quota.tokens_per_window, soon),
        (f"input tokens {window}", account.input_tokens, quota.input_tokens_per_window, soon),
        (f"output tokens {window}", account.output_tokens, quota.output_tokens_per_window, soon),
        ("calls in flight", account.in_flight, quota.calls_in_flight, soon),
        (f"requests {day}", account.requests_today, quota.requests_per_day, later),
        (f"dollars {day}", account.money_today / MICROS_PER_DOLLAR, quota.dollars_per_day, later),
    ]
    for what, used, limit, then in uses:
        if limit is not None:
            yield Limit(f"deployment {name}", what, used, float(limit), then)


def _limits_of_projects(quotas: list[ProjectQuota], accounts: dict[str, QuotaState] | None) -> Iterator[Limit]:
    counted = [quota.project_id for quota in quotas if quota.pages_per_day is not None]
    day = timezone.now() - timedelta(days=1)
    rows = ParseJob.objects.filter(project__in=counted, created_at__gte=day).order_by()
    pages = dict(rows.values_list("project").annotate(Sum("page_count"))) if counted else {}
    limited = [quota.project_id for quota in quotas if quota.concurrent_jobs is not None]
    running = ParseJob.objects.filter(project__in=limited, state=JobState.RUNNING).order_by()
    jobs = dict(running.values_list("project").annotate(Count("pk"))) if limited else {}
    for quota in quotas:
        name, account = f"project {quota.project}", (accounts or {}).get(project_quota_key(quota.project_id))
        if quota.pages_per_day is not None:
            used = pages.get(quota.project_id) or 0
            yield Limit(name, "pages in 24 hours", used, quota.pages_per_day, "its jobs fail with quota_exceeded")
        if quota.concurrent_jobs is not None:
            used = jobs.get(quota.project_id, 0)
            yield Limit(name, "jobs at once", used, quota.concurrent_jobs, "its further jobs wait for their turn")
        if quota.dollars_per_day is not None and account is not None:
            spent = account.money_today / MICROS_PER_DOLLAR
            limit = float(quota.dollars_per_day)
            yield Limit(name, "dollars in 24 hours", spent, limit, "its jobs are refused with quota_exceeded")


def _why_not_called(deployment: Deployment) -> str:
    provider = deployment.provider
    reasons = [
        (provider.trouble_code, f"provider {provider}: {provider.trouble_code}"),
        (deployment.trouble_code, deployment.trouble_code),
        (provider.paused, f"provider {provider} is paused"),
        (deployment.paused, "paused"),
    ]
    return "; ".join(told for holds, told in reasons if holds)
