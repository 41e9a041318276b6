"""The tries at one page: what one call holds while it is out, and which deployments are left to ask."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from apps.providers import ledger
from apps.providers.calls.client import CompletionRequest
from apps.providers.catalog import ProviderRules, Target
from apps.providers.errors import (
    OUT_OF_ORDER,
    WORTH_ANOTHER_TRY,
    AllProvidersFailed,
    Failure,
    ProviderError,
    ProvidersUnavailable,
)
from apps.providers.ledger import CallFor, job_quota_key, project_quota_key
from apps.providers.models import Usage
from apps.providers.quota.store import QuotaDemand, QuotaLimits, Reservation

TRIES_PER_DEPLOYMENT = 2
# A page whose providers are out of order comes again after about so long.
OUTAGE_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class CallScope:
    """The page that a call is for, and its limits. Money in millionths of a US dollar.

    ``exhausted``: deployments that already used all their attempts at this page.
    """

    call_for: CallFor
    rules: ProviderRules = field(default_factory=ProviderRules)
    project_money_per_day: int | None = None
    job_money: int | None = None
    exhausted: frozenset[int] = frozenset()
    should_stop: Callable[[], bool] = field(default=lambda: False, repr=False)


class HeldCall:
    """What one call occupies until it is settled: target, reservation and ledger row."""

    def __init__(self) -> None:
        self.target: Target | None = None
        self.reservation: Reservation | None = None
        self.row: Usage | None = None
        self.begun_at = self.ended_at = timezone.now()
        self._since = 0.0

    def take(self, target: Target, reservation: Reservation, row: Usage) -> None:
        self.target, self.reservation, self.row = target, reservation, row
        self.begun_at = timezone.now()
        self._since = time.monotonic()

    def come_back(self) -> None:
        """There is an answer, or there will be none."""
        self.ended_at = timezone.now()

    @property
    def seconds(self) -> float:
        """Since the call was reserved."""
        return time.monotonic() - self._since

    def facts(self) -> tuple[Target, Usage, Reservation]:
        assert self.target is not None
        assert self.row is not None
        assert self.reservation is not None
        return self.target, self.row, self.reservation


class Attempts:
    """The tries at one page: which deployments are left, and why the others are not."""

    def __init__(
        self, order: CallScope, targets: Sequence[Target], question: CompletionRequest, estimated_input_tokens: int
    ) -> None:
        self.order = order
        self.question = question
        self.estimated_input_tokens = estimated_input_tokens
        self.calls = 0
        self.out_of_order = False
        self._targets = [target for target in targets if target.id not in order.exhausted]
        self._failures: list[str] = []
        self._bad_answers: dict[int, int] = {}
        self._passed_over: set[int] = set()

    @property
    def max_tokens(self) -> int:
        return self.question.max_tokens

    def candidates(self) -> list[Target]:
        return [target for target in self._targets if target.id not in self._passed_over]

    def accounts(self, target: Target) -> list[QuotaLimits]:
        call_for = self.order.call_for
        found = [target.limits]
        if self.order.project_money_per_day is not None:
            found.append(
                QuotaLimits(project_quota_key(call_for.project_id), money_per_day=self.order.project_money_per_day)
            )
        if self.order.job_money is not None:
            found.append(QuotaLimits(job_quota_key(call_for.job_id), money_per_day=self.order.job_money))
        return found

    def demand(self, target: Target) -> QuotaDemand:
        output = min(self.max_tokens, target.max_output_tokens)
        cost = target.cost_nanos(input_tokens=self.estimated_input_tokens, output_tokens=output)
        money = None if cost is None else -(-cost // ledger.NANOS_PER_MICRO)
        return QuotaDemand(input_tokens=self.estimated_input_tokens, output_tokens=output, money=money)

    def note(self, target: Target, failure: Failure, told: str) -> None:
        """A call failed: whether its deployment is asked again for this page, now."""
        self.calls += 1
        self._failures.append(f"{target.name}: {told}")
        if failure in OUT_OF_ORDER:
            self.out_of_order = True
        if failure in WORTH_ANOTHER_TRY:
            self._bad_answers[target.id] = self._bad_answers.get(target.id, 0) + 1
            if self._bad_answers[target.id] < TRIES_PER_DEPLOYMENT:
                return
        if failure is not Failure.RATE_LIMITED:  # the store knows how long that one is left alone
            self._passed_over.add(target.id)

    def pass_over(self, target: Target, why: str) -> None:
        """This deployment cannot serve the page at all."""
        self._failures.append(f"{target.name}: {why}")
        self._passed_over.add(target.id)

    def end(self) -> ProviderError:
        """There is no deployment left to ask."""
        if self.out_of_order:
            return ProvidersUnavailable(random.uniform(0.5, 1.0) * OUTAGE_PAUSE_SECONDS, "; ".join(self._failures))
        return AllProvidersFailed(self._failures)
