"""The ledger of calls: write a row before each call, update it with the result, and sum up the costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Avg, Count, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone

from apps.core.database_connections import borrowed_connection, durable_transaction
from apps.core.grouped_writes import GroupedWrites
from apps.pages.per_process import PerProcess
from apps.providers.calls.usage import ServiceTier, TokenUsage
from apps.providers.catalog import Target, deployment_quota_key
from apps.providers.errors import CallFailed, Failure
from apps.providers.models import CallOutcome, Usage
from apps.providers.quota.store import PastCall, QuotaDemand

NANOS_PER_MICRO = 1000
DAY = timedelta(days=1)
MAX_CALLS_OF_PAGE = 100
# Failures caused by the page: after TRIES_PER_DEPLOYMENT of them the deployment is not tried again with this page.
PAGE_FAILURES = frozenset(
    {
        Failure.BAD_RESPONSE,
        Failure.TRUNCATED,
        Failure.INCOMPLETE,
        Failure.ALTERED,
        Failure.INVALID,
        Failure.REFUSED,
        Failure.CONTEXT,
        Failure.BAD_REQUEST,
    }
)


@dataclass(frozen=True)
class CallFor:
    """The project, job and page that a call is for."""

    project_id: UUID
    job_id: str
    page_number: int
    page_parser: str


def begin_call(
    call_for: CallFor, target: Target, demand: QuotaDemand, reservation_id: str, *, tier: ServiceTier = ""
) -> Usage:
    """Write the row of a call that is about to be sent, with its maximum of tokens and cost.

    Raise IntegrityError if the deployment was deleted.
    """
    return _begun().write(new_call(call_for, target, demand, reservation_id, tier=tier))


def new_call(
    call_for: CallFor, target: Target, demand: QuotaDemand, reservation_id: str, *, tier: ServiceTier = ""
) -> Usage:
    """Return the row of a call with its maximum of tokens and cost, which the caller saves."""
    most = {"input_tokens": demand.input_tokens, "output_tokens": demand.output_tokens}
    return Usage(
        project_id=call_for.project_id,
        job_id=call_for.job_id,
        page_number=call_for.page_number,
        page_parser=call_for.page_parser,
        deployment_id=target.id,
        provider_name=target.provider,
        model=target.model,
        started_at=timezone.now(),
        **most,
        cost_nanos=target.max_cost_nanos(**most, is_batch=tier == "batch"),
        reservation_id=reservation_id,
        service_tier=tier,
    )


def end_call(
    row: Usage, target: Target, usage: TokenUsage, *, seconds: float, usage_suspect: bool = False
) -> int | None:
    """Write the result of an answered call. Return its cost in billionths of a dollar; None if unknown."""
    row.outcome, row.seconds, row.usage_suspect = CallOutcome.ANSWERED, round(seconds, 3), usage_suspect
    row.cost_nanos = target.cost_nanos(usage)
    _set_usage(row, usage)
    _ended().write(row)
    return row.cost_nanos


def mark_unusable(row: Usage, code: str) -> None:
    """Mark an answered call, which costs money, as one with an unusable response."""
    with borrowed_connection():
        Usage.objects.filter(pk=row.pk).update(error_code=code)


def fail_call(row: Usage, target: Target, failed: CallFailed, *, seconds: float) -> int | None:
    """Write that a call that was sent got no usable response. Return its cost as ``end_call`` does.

    It costs what the provider counted: a refusal is billed like an answer. Without a count it costs nothing.
    """
    usage = failed.usage or TokenUsage(0, 0)
    row.outcome, row.seconds = CallOutcome.FAILED, round(seconds, 3)
    row.error_code, row.http_status = failed.failure, failed.facts.http_status
    row.cost_nanos = target.cost_nanos(usage)
    _set_usage(row, usage)
    _ended().write(row)
    return row.cost_nanos


def _set_usage(row: Usage, usage: TokenUsage) -> None:
    row.input_tokens, row.output_tokens = usage.input_tokens or 0, usage.output_tokens or 0
    row.cached_tokens, row.cache_write_tokens = usage.cached_tokens, usage.cache_write_tokens
    row.reasoning_tokens, row.service_tier = usage.reasoning_tokens, usage.service_tier


_RESULT_COLUMNS = (
    *("outcome", "error_code", "http_status", "seconds", "cost_nanos", "usage_suspect", "service_tier"),
    *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
)


def _write_ended(rows: Sequence[Usage]) -> Sequence[None]:
    """Update the rows of calls that ended. An upsert takes less CPU than an UPDATE with a CASE for each value."""
    if len(rows) > 1:
        Usage.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["id"], update_fields=list(_RESULT_COLUMNS)
        )
    for row in rows if len(rows) == 1 else ():
        Usage.objects.filter(pk=row.pk).update(**{column: getattr(row, column) for column in _RESULT_COLUMNS})
    return [None] * len(rows)


def _write_begun(rows: Sequence[Usage]) -> Sequence[Usage]:
    """Insert the rows, and wait until they are on disk: afterwards the calls are sent, and cost money."""
    with durable_transaction():
        return Usage.objects.bulk_create(rows)


_begun: PerProcess[GroupedWrites[Usage, Usage]] = PerProcess(
    lambda: GroupedWrites("calls-begun", _write_begun, seconds=0.02)
)
# A page whose call has ended occupies no part of the width, so it may wait longer.
_ended: PerProcess[GroupedWrites[Usage, None]] = PerProcess(
    lambda: GroupedWrites("calls-ended", _write_ended, seconds=0.1)
)


def end_batch_call(
    row: Usage, target: Target, usage: TokenUsage, *, failure: str = "", http_status: int | None = None
) -> bool:
    """Write the result of a request that was in a batch. Return False if it has one already."""
    row.outcome = CallOutcome.FAILED if failure else CallOutcome.ANSWERED
    row.seconds = (timezone.now() - row.started_at).total_seconds()
    row.error_code, row.http_status = failure, http_status
    row.cost_nanos = target.cost_nanos(usage)
    _set_usage(row, usage)
    values = {column: getattr(row, column) for column in _RESULT_COLUMNS}
    return Usage.objects.filter(pk=row.pk, outcome=CallOutcome.RUNNING).update(**values) == 1


def forget_call(row: Usage) -> None:
    """Delete the row of a call that was never sent."""
    with borrowed_connection():
        Usage.objects.filter(pk=row.pk).delete()


def exhausted_deployments(*, job_id: str, page_number: int, tries: int, since: datetime) -> set[int]:
    """Return the deployments at which this page failed ``tries`` times because of its content."""
    with borrowed_connection():
        rows = (
            Usage.objects.filter(job_id=job_id, page_number=page_number, started_at__gte=since)
            .filter(error_code__in=PAGE_FAILURES, deployment_id__isnull=False)
            .values_list("deployment_id")
            .annotate(Count("pk"))
            .order_by()
        )
        return {int(deployment) for deployment, count in rows if deployment is not None and count >= tries}


@dataclass(frozen=True)
class Spent:
    """A sum over calls. ``cost_nanos`` is None if the price of any call is unknown; ``known_nanos`` skips those."""

    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_nanos: int | None
    known_nanos: int

    @property
    def dollars(self) -> float | None:
        return None if self.cost_nanos is None else self.cost_nanos / 1e9


_SUMS = {
    "requests": Count("pk"),
    "tokens_in": Sum("input_tokens"),
    "tokens_out": Sum("output_tokens"),
    "cached": Sum("cached_tokens"),
    "reasoning": Sum("reasoning_tokens"),
    "cost": Sum("cost_nanos"),
    "unknown": Count("pk", filter=Q(cost_nanos=None)),
}


def spent(calls: QuerySet[Usage]) -> Spent:
    """Sum up these calls."""
    return _spent_of(calls.aggregate(**_SUMS))


def spent_by_providers() -> dict[str, Spent]:
    """Sum up the last day's calls of each provider with any, by its name."""
    rows = Usage.objects.filter(started_at__gte=Now() - DAY).order_by().values("provider_name").annotate(**_SUMS)
    return {row["provider_name"]: _spent_of(row) for row in rows}


def _spent_of(sums: Mapping[str, Any]) -> Spent:
    cost = None if sums["unknown"] else sums["cost"] or 0
    return Spent(
        requests=sums["requests"],
        input_tokens=sums["tokens_in"] or 0,
        output_tokens=sums["tokens_out"] or 0,
        cached_tokens=sums["cached"] or 0,
        reasoning_tokens=sums["reasoning"] or 0,
        cost_nanos=cost,
        known_nanos=sums["cost"] or 0,
    )


def spent_by_job(job_id: str) -> Spent:
    """Sum up the calls of one job."""
    return spent(Usage.objects.filter(job_id=job_id))


def cost_by_jobs(job_ids: Sequence[str]) -> dict[str, int | None]:
    """Return the cost of each job with calls, in billionths of a dollar (None: unknown), with one query."""
    calls = Usage.objects.filter(job_id__in=job_ids).order_by().values_list("job_id")
    rows = calls.annotate(cost=_SUMS["cost"], unknown=_SUMS["unknown"])
    return {job_id: None if unknown else cost or 0 for job_id, cost, unknown in rows}


def max_call_duration(tier: str = "") -> timedelta:
    """Return the age at which a call counts as ended even if its worker died: its maximum duration and a minute."""
    of_tier = {"flex": settings.PROVIDER_FLEX_SECONDS, "batch": settings.MAX_JOB_SECONDS}
    seconds = of_tier.get(tier, settings.PROVIDER_TOTAL_SECONDS)
    return timedelta(seconds=seconds + 60)


def calls_of_page(*, job_id: str, page_number: int) -> list[Usage]:
    """Return the calls for a page, the newest last, at most ``MAX_CALLS_OF_PAGE``."""
    calls = Usage.objects.filter(job_id=job_id, page_number=page_number)
    return list(calls.order_by("-pk")[:MAX_CALLS_OF_PAGE])[::-1]


def mean_seconds(page_parser: str) -> float | None:
    """Return the mean duration of the newest thousand answered calls of the last day; None if there are none.

    Requests in batches do not count: they take hours.
    """
    answered = Usage.objects.filter(page_parser=page_parser, outcome=CallOutcome.ANSWERED, seconds__isnull=False)
    answered = answered.exclude(service_tier="batch")
    newest = answered.filter(started_at__gte=Now() - DAY).order_by("-started_at")[:1000]
    mean: float | None = newest.aggregate(mean=Avg("seconds"))["mean"]
    return mean


def past_calls() -> Iterator[PastCall]:
    """Yield the last day's calls for each quota that counted them, to fill an empty quota store.

    The ledger contains when a call began and ended, but not when it was sent. The latest possible time is used, so that
    no call leaves the window here before it does at the provider.
    """
    columns = ("deployment_id", "project_id", "job_id", "started_at", "seconds", "input_tokens", "output_tokens")
    with borrowed_connection():
        calls = Usage.objects.filter(started_at__gte=Now() - DAY)
        rows = list(calls.values_list(*columns, "cost_nanos", "reservation_id", "outcome", "service_tier", named=True))
    now = timezone.now()
    for row in rows:
        took = max_call_duration(row.service_tier) if row.seconds is None else timedelta(seconds=row.seconds)
        ended_at = row.started_at + took
        for key in (
            deployment_quota_key(row.deployment_id or 0),
            project_quota_key(row.project_id),
            job_quota_key(row.job_id),
        ):
            yield PastCall(
                key,
                min(now, ended_at).timestamp(),
                row.input_tokens,
                row.output_tokens,
                money=-(-(row.cost_nanos or 0) // NANOS_PER_MICRO),
                id=row.reservation_id,
                in_flight=row.outcome == CallOutcome.RUNNING and ended_at > now,
            )


def project_quota_key(project_id: UUID) -> str:
    """Return the key of the project's quota in the quota store."""
    return f"project:{project_id}"


def job_quota_key(job_id: str) -> str:
    """Return the key of the job's quota in the quota store."""
    return f"job:{job_id}"
