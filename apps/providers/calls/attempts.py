"""The attempts at one page: a call in flight with its reservation, and the deployments that are left to try."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.utils import timezone

from apps.providers import ledger
from apps.providers.calls.client import CompletionRequest
from apps.providers.calls.usage import ServiceTier
from apps.providers.catalog import ProviderRules, Target, flex_quota_key
from apps.providers.errors import (
    BREAKER_FAILURES,
    RETRYABLE_FAILURES,
    AllProvidersFailed,
    Failure,
    ProviderError,
    ProvidersUnavailable,
)
from apps.providers.ledger import CallFor, job_quota_key, project_quota_key
from apps.providers.models import Usage
from apps.providers.quota.store import QuotaDemand, QuotaLimits, Reservation
from apps.providers.requests.request_parameters import max_output_tokens, output_limit

RequestFor = Callable[[Target], CompletionRequest]
TRIES_PER_DEPLOYMENT = 2
BATCHED_PARSERS = frozenset({"llm", "lvm"})
MIN_BATCH_TIME = timedelta(minutes=15)
"""Most batches take longer than this, so a page with less time is asked for at once."""
FLEX_FAILURES = BREAKER_FAILURES | {Failure.BAD_REQUEST}
"""Failures of a call in the flex tier after which the same deployment is called in the usual tier."""
# A page is tried again after at most this time, and at least half of it, if its providers are down.
OUTAGE_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class CallScope:
    """The page that a call is for, and its limits. Money in millionths of a US dollar.

    ``exhausted``: deployments that already used all their attempts at this page. ``has_instructions``: the sender has
    wishes, which a model with a dialect of its own cannot follow. ``can_wait``: slow answers are welcome if they are
    cheaper. ``batch_until``: until when answers may come from a batch; None: the job has none, and never had.
    """

    call_for: CallFor
    rules: ProviderRules = field(default_factory=ProviderRules)
    project_money_per_day: int | None = None
    job_money: int | None = None
    exhausted: frozenset[int] = frozenset()
    has_instructions: bool = False
    can_wait: bool = False
    batch_until: datetime | None = None
    should_stop: Callable[[], bool] = field(default=lambda: False, repr=False)


class CallInFlight:
    """A call until it is settled: its target, reservation and ledger row."""

    def __init__(self, target: Target, reservation: Reservation, row: Usage, tier: ServiceTier = "") -> None:
        self.target = target
        self.tier = tier
        self.reservation = reservation
        self.row = row
        self.begun_at = self.ended_at = timezone.now()
        self._since = time.monotonic()

    @property
    def target_in_tier(self) -> Target:
        """The deployment with the call's service tier in its parameters."""
        tier = {"service_tier": self.tier} if self.tier else {}
        return replace(self.target, parameters={**self.target.parameters, **tier})

    @property
    def health_key(self) -> str:
        """The quota that keeps Retry-After and circuit breaker: a lack of flex capacity stops no other calls."""
        return flex_quota_key(self.target) if self.tier == "flex" else self.target.limits.key

    @property
    def limit(self) -> int:
        """The limit of the answer, thinking included: as much was reserved."""
        return self.reservation.demand.output_tokens

    def end(self) -> None:
        """Note the time at which the response or the failure arrived."""
        self.ended_at = timezone.now()

    @property
    def seconds(self) -> float:
        """Seconds since the call was reserved."""
        return time.monotonic() - self._since


class Attempts:
    """The attempts at one page: the deployments that are left, and why the others are excluded."""

    def __init__(self, scope: CallScope, targets: Sequence[Target], request_for: RequestFor) -> None:
        self.scope = scope
        self._request_for = request_for
        self._requests: dict[int, CompletionRequest] = {}  # by id of the deployment
        self.calls = 0
        self.out_of_order = False
        self._targets = [target for target in targets if target.id not in scope.exhausted]
        self._failures: list[str] = []
        self._retryable_failures: dict[int, int] = {}  # by id of the deployment
        self._excluded: set[int] = set()
        self._left: set[tuple[int, ServiceTier]] = set()
        self.unanswered_batch = ""  # why a batch did not answer the page
        self._raised: dict[int, int] = {}  # limits of answers that were cut, by id of the deployment
        for target in self._targets if scope.has_instructions else ():
            if target.dialect:
                self.exclude(target, f"its dialect {target.dialect} takes no instructions")

    def tier(self, target: Target) -> ServiceTier:
        """Return the service tier of the next call to the deployment: the cheapest one if the page can wait."""
        for tier in target.cheaper_tiers if self.scope.can_wait else ():
            if (target.id, tier) not in self._left and (tier != "batch" or self._may_batch):
                return tier
        return ""

    def leave_tier(self, target: Target, tier: ServiceTier) -> None:
        """Call the deployment in another tier from now on."""
        self._left.add((target.id, tier))

    @property
    def _may_batch(self) -> bool:
        """Whether a batch can answer in time. The agent's requests follow from each other, so they are not batched."""
        until = self.scope.batch_until
        is_single = self.scope.call_for.page_parser in BATCHED_PARSERS
        return is_single and until is not None and until - timezone.now() > MIN_BATCH_TIME

    def request(self, target: Target) -> CompletionRequest:
        """Return the request to the deployment: prompt, picture and form depend on its model."""
        if target.id not in self._requests:
            self._requests[target.id] = self._request_for(target)
        return self._requests[target.id]

    def renew_request(self, target: Target) -> None:
        """Make the next request to the deployment anew: it may say what was wrong with the last answer."""
        self._requests.pop(target.id, None)

    def candidates(self) -> list[Target]:
        """Return the deployments that are left to try, in order."""
        return [target for target in self._targets if target.id not in self._excluded]

    def quotas(self, target: Target) -> list[QuotaLimits]:
        """Return the quotas of a call to the deployment: its own, the project's and the job's."""
        call_for = self.scope.call_for
        found = [target.limits]
        if self.tier(target) == "flex":
            found.append(QuotaLimits(flex_quota_key(target)))
        if self.tier(target) == "batch":  # a batch has limits of its own at the provider, except for money
            daily = target.limits.money_per_day
            found = [] if daily is None else [QuotaLimits(target.limits.key, money_per_day=daily)]
        if self.scope.project_money_per_day is not None:
            found.append(
                QuotaLimits(project_quota_key(call_for.project_id), money_per_day=self.scope.project_money_per_day)
            )
        if self.scope.job_money is not None:
            # A job runs for some hours at most (MAX_JOB_SECONDS), so a limit per day limits the whole job.
            found.append(QuotaLimits(job_quota_key(call_for.job_id), money_per_day=self.scope.job_money))
        return found

    def demand(self, target: Target) -> QuotaDemand:
        """Return the maximum that a call to the deployment can use."""
        request = self.request(target)
        output = self.output_limit(target)
        is_batch = self.tier(target) == "batch"
        cost = target.max_cost_nanos(input_tokens=request.input_tokens, output_tokens=output, is_batch=is_batch)
        money = None if cost is None else -(-cost // ledger.NANOS_PER_MICRO)  # rounded up
        return QuotaDemand(input_tokens=request.input_tokens, output_tokens=output, money=money)

    def output_limit(self, target: Target) -> int:
        """Return the limit of the next answer of the deployment, its thinking included."""
        raised = self._raised.get(target.id, 0)
        return min(max(raised, output_limit(target, self.request(target).max_tokens)), max_output_tokens(target))

    def raise_limit(self, target: Target, limit: int | None) -> None:
        """Ask the deployment for a longer answer; None: it accepts none, so it is excluded."""
        if limit is None:
            self._excluded.add(target.id)
        else:
            self._raised[target.id] = limit

    def replace_target(self, target: Target) -> None:
        """Call the deployment of this id as described from now on."""
        self._targets = [target if each.id == target.id else each for each in self._targets]

    def note_failure(self, target: Target, failure: Failure, detail: str) -> None:
        """Note a failed call, and exclude its deployment unless a retry there can succeed."""
        self.calls += 1
        self._failures.append(f"{target.name}: {detail}")
        if self.tier(target) == "flex" and failure in FLEX_FAILURES:
            self.leave_tier(target, "flex")
            return
        if failure in BREAKER_FAILURES:
            self.out_of_order = True
        if failure in RETRYABLE_FAILURES:
            self._retryable_failures[target.id] = self._retryable_failures.get(target.id, 0) + 1
            if self._retryable_failures[target.id] < TRIES_PER_DEPLOYMENT:
                return
        # The quota store delays further calls to the deployment; a refused parameter is no longer sent.
        if failure not in (Failure.RATE_LIMITED, Failure.PARAMETER_REFUSED):
            self._excluded.add(target.id)

    def exclude(self, target: Target, reason: str) -> None:
        """Exclude a deployment that cannot serve the page."""
        self._failures.append(f"{target.name}: {reason}")
        self._excluded.add(target.id)

    def final_error(self) -> ProviderError:
        """Return the error for a page without a deployment left to try."""
        if self.out_of_order:
            return ProvidersUnavailable(random.uniform(0.5, 1.0) * OUTAGE_PAUSE_SECONDS, "; ".join(self._failures))
        return AllProvidersFailed(self._failures)
