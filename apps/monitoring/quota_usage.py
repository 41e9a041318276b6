"""The use of quotas and the money spent, from the quota store and from job rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from apps.accounts.models import ProjectQuota
from apps.jobs.models import ParseJob
from apps.jobs.states import JobState
from apps.providers.calls.process_gateway import configured_quota_store
from apps.providers.catalog import MICROS_PER_DOLLAR, deployment_quota_key
from apps.providers.ledger import project_quota_key
from apps.providers.models import Deployment, Quota
from apps.providers.quota.store import QuotaState, QuotaStoreUnavailable

NEAR_PERCENT, FULL_PERCENT = 80, 100
QuotaStates = Mapping[str, QuotaState]


@dataclass(frozen=True)
class Limit:
    """One limit of a quota and the consequence when it is reached."""

    whose: str
    what: str
    used: float
    limit: float
    then: str

    @property
    def percent(self) -> int:
        return min(FULL_PERCENT, int(100 * self.used / self.limit)) if self.limit else FULL_PERCENT

    @property
    def kind(self) -> str:
        return "full" if self.percent >= FULL_PERCENT else "near" if self.percent >= NEAR_PERCENT else "good"


def quota_states(deployments: Sequence[Deployment], quotas: Sequence[ProjectQuota]) -> QuotaStates | None:
    """Return the quota states of deployments and projects by key, or None if the quota store does not respond."""
    keys = [deployment_quota_key(deployment.pk) for deployment in deployments]
    keys += [project_quota_key(quota.project_id) for quota in quotas]
    try:
        return {state.key: state for state in configured_quota_store().state(keys)}
    except QuotaStoreUnavailable:
        return None


def spent_today(deployments: Sequence[Deployment], states: QuotaStates) -> list[tuple[str, str, int]]:
    """Return the dollars and requests of the last 24 hours by provider; "unknown" if a price is missing."""
    dollars: defaultdict[str, float] = defaultdict(float)
    requests: Counter[str] = Counter()
    unknown: set[str] = set()
    for deployment in deployments:
        state, name = states[deployment_quota_key(deployment.pk)], deployment.provider.name
        dollars[name] += state.money_today / MICROS_PER_DOLLAR
        requests[name] += state.requests_today
        if state.requests_today and not deployment.has_price:
            unknown.add(name)
    return [
        (name, "unknown" if name in unknown else f"${spent:.2f}", requests[name])
        for name, spent in sorted(dollars.items())
    ]


def deployment_limits(deployments: Sequence[Deployment], states: QuotaStates) -> Iterator[Limit]:
    """Yield the limits that are set for the deployments."""
    soon = "its calls wait a moment, or go to the next deployment"
    later = "its calls go to the next deployment, or wait for hours"
    for deployment in deployments:
        quota: Quota | None = getattr(deployment, "quota", None)
        if quota is None:
            continue
        state = states[deployment_quota_key(deployment.pk)]
        window, day = f"in {quota.window_seconds:g} s", "in 24 hours"
        uses: list[tuple[str, float, Any, str]] = [
            (f"requests {window}", state.requests, quota.requests_per_window, soon),
            (f"tokens {window}", state.tokens, quota.tokens_per_window, soon),
            (f"input tokens {window}", state.input_tokens, quota.input_tokens_per_window, soon),
            (f"output tokens {window}", state.output_tokens, quota.output_tokens_per_window, soon),
            ("calls in flight", state.in_flight, quota.calls_in_flight, soon),
            (f"requests {day}", state.requests_today, quota.requests_per_day, later),
            (f"dollars {day}", state.money_today / MICROS_PER_DOLLAR, quota.dollars_per_day, later),
        ]
        for what, used, limit, then in uses:
            if limit is not None:
                yield Limit(f"deployment {deployment}", what, used, float(limit), then)


def project_limits(quotas: Sequence[ProjectQuota], states: QuotaStates) -> Iterator[Limit]:
    """Yield the limits that are set for projects; those in dollars only if the quota store responds."""
    with_pages = [quota.project_id for quota in quotas if quota.pages_per_day is not None]
    day = timezone.now() - timedelta(days=1)
    rows = ParseJob.objects.filter(project__in=with_pages, created_at__gte=day).order_by()
    pages = dict(rows.values_list("project").annotate(Sum("page_count"))) if with_pages else {}
    with_jobs = [quota.project_id for quota in quotas if quota.concurrent_jobs is not None]
    running = ParseJob.objects.filter(project__in=with_jobs, state=JobState.RUNNING).order_by()
    jobs = dict(running.values_list("project").annotate(Count("pk"))) if with_jobs else {}
    for quota in quotas:
        name, state = f"project {quota.project}", states.get(project_quota_key(quota.project_id))
        if quota.pages_per_day is not None:
            used = pages.get(quota.project_id) or 0
            yield Limit(name, "pages in 24 hours", used, quota.pages_per_day, "its jobs fail with quota_exceeded")
        if quota.concurrent_jobs is not None:
            used = jobs.get(quota.project_id, 0)
            yield Limit(name, "concurrent jobs", used, quota.concurrent_jobs, "its further jobs wait until one ends")
        if quota.dollars_per_day is not None and state is not None:
            spent = state.money_today / MICROS_PER_DOLLAR
            limit = float(quota.dollars_per_day)
            yield Limit(name, "dollars in 24 hours", spent, limit, "its jobs are refused with quota_exceeded")
