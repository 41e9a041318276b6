"""Complete a request at the first deployment that is allowed, has quota and returns a usable response.

Each attempt goes straight down: choose a deployment and reserve its quota, write the ledger, call, settle, and decide
what follows. Only the loop of ``Gateway.complete`` retries. ``Attempts.note_failure`` decides what follows a failure:
the same deployment again, the next one, or none for now. Before each call the quota store checks quota, Retry-After and
the deployment's circuit breaker, so that all processes agree.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Generic, TypeVar

from django.conf import settings
from django.db import IntegrityError

from apps.pages.model.errors import ParseError, Stopped
from apps.providers import deployment_faults, ledger
from apps.providers.calls import call_traces
from apps.providers.calls.announced_limits import announced_limits, quota_tokens_per_output_token
from apps.providers.calls.attempts import OUTAGE_PAUSE_SECONDS, Attempts, CallInFlight, CallScope, RequestFor
from apps.providers.calls.batched_pages import BatchedPages
from apps.providers.calls.client import Client, CompletionResponse
from apps.providers.calls.connection import Call, CallLimits, Withheld
from apps.providers.calls.failures import retry_after
from apps.providers.calls.learning import cut_off, raised_limit, taught
from apps.providers.calls.usage import TokenUsage, plausible_usage
from apps.providers.catalog import PROBE_SECONDS, Catalog, Target
from apps.providers.errors import (
    BREAKER_FAILURES,
    BudgetExceeded,
    BudgetReserved,
    CallFailed,
    Failure,
    ProviderError,
    ProviderNotAllowed,
    ProvidersUnavailable,
    QuotaExhausted,
)
from apps.providers.learnt import learn_limits, learn_thinking
from apps.providers.models import Usage
from apps.providers.quota.store import QuotaDenied, QuotaState, QuotaStore, QuotaStoreUnavailable, Reservation

logger = logging.getLogger(__name__)

Checked = TypeVar("Checked")
Check = Callable[[CompletionResponse, Target], Checked]
# Wait for quota in the thread for at most this long; otherwise snooze the page and free the slot.
MAX_QUOTA_WAIT_SECONDS = 2.0
# The hold-off after a 429 without a Retry-After.
DEFAULT_RETRY_AFTER_SECONDS = 5.0
SHARED_RETRY_AFTER_SECONDS = 1.0
FLEX_RETRY_AFTER_SECONDS = 60.0
_MONEY = "money_per_day"


@dataclass(frozen=True)
class Completion(Generic[Checked]):
    """A usable response, the result of its check, its deployment and its cost (nanos; None: unknown).

    ``unanswered_batch``: why a batch did not answer the page before; "" if none was asked, or one did.
    """

    checked: Checked
    response: CompletionResponse
    target: Target
    input_tokens: int
    output_tokens: int
    cost_nanos: int | None
    calls: int
    unanswered_batch: str = ""


class Gateway:
    """Calls deployments for many threads. A process has one."""

    def __init__(
        self, *, client: Client, store: QuotaStore, catalog: Catalog, widths: dict[str, int], limits: CallLimits
    ) -> None:
        self._client = client
        self._batched = BatchedPages(client, store, catalog)
        self._limits = limits
        self._store = store
        self._catalog = catalog
        self._thinking: dict[str, int] = {}  # what this process learnt, by revision of the deployment
        self._announced: dict[str, dict[str, int]] = {}
        self._semaphores = {name: threading.BoundedSemaphore(width) for name, width in widths.items()}
        self._slow_semaphores = {name: threading.BoundedSemaphore(-(-width // 2)) for name, width in widths.items()}

    def quota_states(self, keys: Sequence[str]) -> list[QuotaState]:
        """Return the state of each quota, as the quota store does."""
        return self._store.state(keys)

    def warm_up(self) -> None:
        """Import the provider client ahead of the first call."""
        self._client.warm_up()

    def complete(
        self,
        scope: CallScope,
        request_for: RequestFor,
        *,
        check: Check[Checked],
    ) -> Completion[Checked]:
        """Return the first response that ``check`` accepts. ``check`` raises a ParseError with the code of a Failure.

        ``request_for``: returns the request to a deployment; called once for each that is tried, and again after each
        answer that ``check`` refused.

        Raise QuotaExhausted and ProvidersUnavailable (both with ``wait_seconds``), AllProvidersFailed, BudgetExceeded,
        ProviderNotAllowed, and Stopped once ``scope.should_stop()``.
        """
        attempt = Attempts(scope, self._allowed(scope), request_for)
        if scope.batch_until is not None:
            completion = self._batched.take(attempt, partial(self._checked, attempt, check=check))
            if completion is not None:
                return completion
        while True:
            try:
                completion = self._attempt(attempt, check)
            except QuotaStoreUnavailable as error:  # without the store no call is allowed
                raise ProvidersUnavailable(OUTAGE_PAUSE_SECONDS, str(error)) from error
            if completion is not None:
                return completion

    def _allowed(self, scope: CallScope) -> list[Target]:
        targets = self._catalog.targets(scope.call_for.page_parser)
        allowed = [target for target in targets if not scope.rules.refusal(target)]
        if allowed:
            return allowed
        if targets and not self._catalog.unavailable(scope.call_for.page_parser, scope.rules):
            reasons = dict.fromkeys(scope.rules.refusal(target) for target in targets)
            raise ProviderNotAllowed(f"No provider may be used: {'; '.join(reasons)}.")
        raise ProvidersUnavailable(OUTAGE_PAUSE_SECONDS, "No provider of this mode is in working order.")

    @contextmanager
    def _concurrency_slot(self, scope: CallScope) -> Iterator[None]:
        """Hold a slot during the block, waiting for it in the thread: only few more pages have begun than slots exist.

        Pages that can wait use at most half of the slots, because they are slow. They are snoozed instead, so that they
        do not occupy the threads of the others.
        """
        page_parser = scope.call_for.page_parser
        with ExitStack() as held:
            if scope.can_wait:
                slow_slot = self._slow_semaphores[page_parser]
                if not slow_slot.acquire(timeout=MAX_QUOTA_WAIT_SECONDS):
                    raise QuotaExhausted(random.uniform(0.5, 1.5) * 10)
                held.callback(slow_slot.release)
            slot = self._semaphores[page_parser]
            while not slot.acquire(timeout=MAX_QUOTA_WAIT_SECONDS):
                if scope.should_stop():
                    raise Stopped
            held.callback(slot.release)
            yield

    def _attempt(self, attempt: Attempts, check: Check[Checked]) -> Completion[Checked] | None:
        """Make one call. Return None if it failed and another may follow."""
        if attempt.scope.should_stop():
            raise Stopped
        for target in attempt.candidates()[:1]:
            attempt.request(target)  # is kept; making it in the slot would keep the slot from another call
        with self._concurrency_slot(attempt.scope):
            in_flight = self._start_call(attempt)
            if in_flight.tier == "batch":
                self._batched.put(attempt, in_flight)
            call = self._new_call(in_flight)
            request = replace(attempt.request(in_flight.target), limit=in_flight.limit)
            try:
                response = self._client.send(in_flight.target_in_tier, request, call)
            except CallFailed as failed:
                self._record_failure(attempt, in_flight, failed)
                return None
            except Withheld:
                self._cancel(in_flight)
                return None
        return self._record_answer(attempt, in_flight, response, call, check)

    def _start_call(self, attempt: Attempts) -> CallInFlight:
        """Return a call to the first deployment with quota: it is reserved, and the call is in the ledger.

        Wait for quota up to ``MAX_QUOTA_WAIT_SECONDS``. Raise the exceptions of ``complete``.
        """
        until = time.monotonic() + MAX_QUOTA_WAIT_SECONDS
        while True:
            denials: list[QuotaDenied] = []
            needed = []
            for target in attempt.candidates():
                outcome = self._reserve(attempt, target)
                if isinstance(outcome, Reservation):
                    in_flight = self._write_call(attempt, target, outcome)
                    if in_flight is not None:
                        return in_flight
                elif math.isinf(outcome.wait_seconds) and not _is_budget(outcome):
                    attempt.exclude(target, f"its quota of {outcome.limit} is smaller than one call")
                else:
                    denials.append(outcome)
                    needed.append(attempt.demand(target).money or 0)
            wait = self._wait_seconds(attempt, denials)
            if time.monotonic() + wait > until:
                raise self._denied(attempt, denials, wait, min(needed))
            time.sleep(wait)
            if attempt.scope.should_stop():
                raise Stopped

    def _reserve(self, attempt: Attempts, target: Target) -> Reservation | QuotaDenied:
        """Reserve a call in the tier of the page. If the flex tier is out of order, reserve it in the usual one."""
        tier, quotas, demand = attempt.tier(target), attempt.quotas(target), attempt.demand(target)
        seconds = ledger.max_call_duration(tier).total_seconds()
        if tier == "batch":
            return self._batched.reserve(quotas, demand, seconds=seconds)
        outcome = self._store.reserve(quotas, demand, seconds=seconds)
        if isinstance(outcome, QuotaDenied) and outcome.limit == "breaker" and tier == "flex":
            attempt.leave_tier(target, "flex")
            return self._reserve(attempt, target)
        return outcome

    def _write_call(self, attempt: Attempts, target: Target, reservation: Reservation) -> CallInFlight | None:
        """Write the call to the ledger. Return None if its deployment was deleted since the catalog was read."""
        try:
            tier = attempt.tier(target)
            begin = ledger.new_call if tier == "batch" else ledger.begin_call
            row = begin(attempt.scope.call_for, target, attempt.demand(target), reservation.id, tier=tier)
        except IntegrityError:
            self._catalog.forget()
            attempt.out_of_order = True  # the page is tried again, with the deployments that exist then
            attempt.exclude(target, "it was deleted")
            with _tolerating_the_store():
                self._store.release(reservation)
            return None
        return CallInFlight(target, reservation, row, tier)

    def _new_call(self, in_flight: CallInFlight) -> Call:
        """Return a call that checks for a hold-off right before sending, and stores a Retry-After when it arrives.

        Between the reservation and the network are a ledger row and the SDKs, which take time.
        """
        key = in_flight.health_key
        is_flex = in_flight.tier == "flex"

        def withhold_if_held_off() -> None:
            with _tolerating_the_store():
                if self._store.held_off_seconds(key) > 0:
                    raise Withheld

        def hold_off_if_requested(call: Call) -> None:
            seconds = retry_after(call.headers, call.error_body)
            if seconds is not None:
                seconds += random.uniform(0.0, 0.2)
            elif call.status == HTTPStatus.TOO_MANY_REQUESTS:
                # Equal jitter: at least half of the default, to spare per-minute limits.
                seconds = FLEX_RETRY_AFTER_SECONDS if is_flex else DEFAULT_RETRY_AFTER_SECONDS
                if in_flight.target.family == "vertex_ai":  # its quota is shared: the 429 is about one request
                    seconds = SHARED_RETRY_AFTER_SECONDS
                seconds *= random.uniform(0.5, 1.0)
            if seconds is not None:
                with _tolerating_the_store():
                    self._store.hold_off(key, seconds=seconds)

        slow = settings.PROVIDER_FLEX_SECONDS
        return Call(
            replace(self._limits, first_byte_seconds=slow, total_seconds=slow) if is_flex else self._limits,
            clock=in_flight.reservation.store_clock,
            before_sending=withhold_if_held_off,
            on_error=hold_off_if_requested,
        )

    def _wait_seconds(self, attempt: Attempts, denials: Sequence[QuotaDenied]) -> float:
        if not denials:
            raise attempt.final_error()
        spent = [denial for denial in denials if _is_budget(denial)]
        if len(spent) == len(denials):
            if not any(denial.in_flight and math.isfinite(denial.wait_seconds) for denial in spent):
                raise BudgetExceeded
            return 1.0
        return min(denial.wait_seconds for denial in denials if denial not in spent)

    def _denied(
        self, attempt: Attempts, denials: Sequence[QuotaDenied], wait: float, needed_micros: int
    ) -> ProviderError:
        if all(_is_budget(denial) for denial in denials):
            tiers = {attempt.tier(target) for target in attempt.candidates()}
            tier = "batch" if "batch" in tiers else "flex" if attempt.scope.can_wait else ""
            return BudgetReserved(ledger.max_call_duration(tier).total_seconds(), needed_micros)
        if attempt.out_of_order or all(denial.limit == "breaker" for denial in denials):
            return ProvidersUnavailable(max(wait, random.uniform(0.5, 1.0) * OUTAGE_PAUSE_SECONDS))
        return QuotaExhausted(wait)

    def _record_failure(self, attempt: Attempts, in_flight: CallInFlight, failed: CallFailed) -> None:
        in_flight.end()
        target = in_flight.target
        better = taught(target, failed, limit=in_flight.limit)
        if better is not None:
            attempt.replace_target(better)
            self._catalog.forget()
            failed = CallFailed(Failure.PARAMETER_REFUSED, failed.facts, sent_at=failed.sent_at)
        if failed.sent_at is None:
            self._cancel(in_flight)
        else:
            cost = ledger.fail_call(in_flight.row, target, failed, seconds=in_flight.seconds)
            with _tolerating_the_store():
                self._settle(in_flight, failed.usage or TokenUsage(0, 0), cost, sent_at=failed.sent_at)
        with _tolerating_the_store():
            self._report_health(in_flight, failed)
        attempt.note_failure(target, failed.failure, str(failed))
        call_traces.call_failed(attempt, in_flight, failed)

    def _settle(
        self,
        in_flight: CallInFlight,
        usage: TokenUsage,
        cost_nanos: int | None,
        *,
        sent_at: float | None,
        answered: str = "",
    ) -> None:
        target = in_flight.target
        burned = quota_tokens_per_output_token(target.family, target.model)
        self._store.settle(
            in_flight.reservation,
            input_tokens=usage.input_tokens or 0,
            output_tokens=burned * (usage.output_tokens or 0),
            money=-(-(cost_nanos or 0) // ledger.NANOS_PER_MICRO),
            sent_at=sent_at,
            answered=answered,
        )

    def _cancel(self, in_flight: CallInFlight) -> None:
        """Release and delete a call that was never sent."""
        ledger.forget_call(in_flight.row)
        with _tolerating_the_store():
            self._store.release(in_flight.reservation)

    def _report_health(self, in_flight: CallInFlight, failed: CallFailed) -> None:
        """Record the failure for all processes: circuit breaker, and fault of the deployment."""
        target, key = in_flight.target, in_flight.health_key
        if failed.failure in BREAKER_FAILURES:
            self._store.note_failure(key)
        else:
            self._store.note_success(key)  # it responds, even if with an error
        fault = deployment_faults.fault_of(target, failed)
        if fault is not None:
            self._store.hold_off(target.limits.key, seconds=PROBE_SECONDS)
            deployment_faults.report(target, fault)
            self._catalog.forget()
        logger.warning("%s (%s) failed: %s", target.name, target.provider, failed)

    def _record_answer(
        self,
        attempt: Attempts,
        in_flight: CallInFlight,
        response: CompletionResponse,
        call: Call,
        check: Check[Checked],
    ) -> Completion[Checked] | None:
        in_flight.end()
        target, row = in_flight.target, in_flight.row
        usage, is_suspect = plausible_usage(
            response.usage,
            estimated_input_tokens=attempt.request(target).input_tokens,
            visible_characters=len(response.text) + sum(len(str(tool.arguments)) for tool in response.tool_calls),
        )
        if target.has_fault:
            deployment_faults.clear(target)
            self._catalog.forget()
        cost = ledger.end_call(row, target, usage, seconds=in_flight.seconds, usage_suspect=is_suspect)
        with _tolerating_the_store():
            self._settle(in_flight, usage, cost, sent_at=call.sent_at, answered=in_flight.health_key)
        trace = partial(
            call_traces.call_answered, attempt, in_flight, usage.input_tokens or 0, usage.output_tokens or 0, cost
        )
        limits = announced_limits(target.family, call.headers)
        if limits and limits != target.learnt.limits and self._announced.get(target.revision) != limits:
            self._announced[target.revision] = limits
            learn_limits(target.id, limits)
            self._catalog.forget()
        completion = self._checked(attempt, target, response, row, limit=in_flight.limit, check=check)
        trace(**({"error": row.error_code} if completion is None else {}))
        return completion

    def _checked(
        self,
        attempt: Attempts,
        target: Target,
        response: CompletionResponse,
        row: Usage,
        *,
        limit: int,
        check: Check[Checked],
    ) -> Completion[Checked] | None:
        """Return the completion if ``check`` accepts the response; otherwise note why not and return None.

        ``row``: the call in the ledger, with what it used. ``limit``: of the answer.
        """
        self._note_thinking(target, response.thinking_tokens)
        try:
            checked = check(response, target)
        except ParseError as error:
            failure, detail = Failure(error.code), error.detail
            if response.is_cut:
                thinking = {"limit": limit, "thinking_tokens": response.thinking_tokens}
                failure, detail = Failure.TRUNCATED, cut_off(target, **thinking)
                answer_tokens = attempt.request(target).max_tokens
                attempt.raise_limit(target, raised_limit(target, answer_tokens=answer_tokens, **thinking))
            row.error_code = failure
            ledger.mark_unusable(row, failure)
            attempt.renew_request(target)
            attempt.note_failure(target, failure, f"{failure}: {detail}")
            return None
        attempt.calls += 1
        return Completion(
            checked,
            response,
            target,
            row.input_tokens,
            row.output_tokens,
            row.cost_nanos,
            attempt.calls,
            attempt.unanswered_batch,
        )

    def _note_thinking(self, target: Target, tokens: int) -> None:
        """Learn how much the deployment thinks. The catalog is read now and then, so the news are kept here, too."""
        key = target.revision
        known = self._thinking.get(key, target.learnt.thinking_tokens)
        estimate = learn_thinking(target.id, known, tokens)
        if estimate is not None:
            self._thinking[key] = estimate
            self._catalog.forget()


def _is_budget(denial: QuotaDenied) -> bool:
    """Return whether the budget of the job or the project is spent, and not that of one deployment."""
    return denial.limit == _MONEY and not denial.key.startswith("deployment")


@contextmanager
def _tolerating_the_store() -> Iterator[None]:
    """Ignore an unavailable quota store: the ledger has the result, and the store's reservation expires."""
    try:
        yield
    except QuotaStoreUnavailable as error:
        logger.warning("The quota store is unavailable, so the result of a call was not stored there (%s)", error)
