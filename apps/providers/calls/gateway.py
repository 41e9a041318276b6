"""One question, one answer: from the first deployment that may, can and does answer it usefully.

The loop of ``Gateway.complete`` is the only one that tries again; ``Attempts.note`` says what follows a failure: the
same deployment once more, the next one, or none for now. Before each call the shared store is asked for quota, for how
long a provider wants to be left alone, and for the deployment's breaker; so all processes agree.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Generic, TypeVar

from django.db import IntegrityError

from apps.pages.model.errors import ParseError, Stopped
from apps.providers import ledger, trouble
from apps.providers.calls import call_traces
from apps.providers.calls.attempts import OUTAGE_PAUSE_SECONDS, Attempts, CallScope, HeldCall
from apps.providers.calls.client import Client, CompletionRequest, CompletionResponse
from apps.providers.calls.connection import Call, Withheld, current_call
from apps.providers.calls.failures import retry_after
from apps.providers.catalog import Catalog, Target
from apps.providers.errors import (
    MISCONFIGURED,
    OUT_OF_ORDER,
    BudgetExceeded,
    CallFailed,
    Failure,
    ProviderError,
    ProviderNotAllowed,
    ProvidersUnavailable,
    QuotaExhausted,
)
from apps.providers.quota.store import QuotaDenied, QuotaStore, QuotaStoreUnavailable, Reservation

logger = logging.getLogger(__name__)

Checked = TypeVar("Checked")
# So long a thread waits for quota itself; for longer the page goes back to its row and gives its slot to another.
PATIENCE_SECONDS = 2.0
# How long a provider is left alone that says "too many requests" and not for how long.
UNSAID_RETRY_AFTER_SECONDS = 5.0
_CHARACTERS_PER_TOKEN = 4
# Tokenizers and pictures differ; a provider that tells less than this share of our own estimate is mistaken.
_MIN_SHARE_OF_ESTIMATE = 0.1
_MONEY = "money_per_day"


@dataclass(frozen=True)
class Completion(Generic[Checked]):
    """A useful answer: what the check made of it, who gave it, and what it cost (nanos; None: unknown)."""

    checked: Checked
    answer: CompletionResponse
    target: Target
    input_tokens: int
    output_tokens: int
    cost_nanos: int | None
    calls: int


class Gateway:
    """Asks deployments for many threads; one for each process."""

    def __init__(self, *, client: Client, store: QuotaStore, catalog: Catalog, widths: dict[str, int]) -> None:
        self._client = client
        self._store = store
        self._catalog = catalog
        self._widths = {name: threading.BoundedSemaphore(width) for name, width in widths.items()}

    def warm_up(self) -> None:
        self._client.warm_up()

    def complete(
        self,
        order: CallScope,
        question: CompletionRequest,
        *,
        estimated_input_tokens: int,
        check: Callable[[CompletionResponse], Checked],
    ) -> Completion[Checked]:
        """The first answer that ``check`` takes; ``check`` raises a ParseError with a code of Failure for others.

        Raises QuotaExhausted and ProvidersUnavailable (both say when to come again), AllProvidersFailed,
        BudgetExceeded, ProviderNotAllowed, and Stopped once ``order.should_stop()``.
        """
        attempt = Attempts(order, self._allowed(order), question, estimated_input_tokens)
        while True:
            try:
                completion = self._try(attempt, check)
            except QuotaStoreUnavailable as error:  # without it nobody knows what may be called
                raise ProvidersUnavailable(OUTAGE_PAUSE_SECONDS, str(error)) from error
            if completion is not None:
                return completion

    def _allowed(self, order: CallScope) -> list[Target]:
        targets = self._catalog.targets(order.call_for.page_parser)
        allowed = [target for target in targets if not order.rules.refusal(target)]
        if allowed:
            return allowed
        if targets and not self._catalog.out_of_use(order.call_for.page_parser, order.rules):
            reasons = dict.fromkeys(order.rules.refusal(target) for target in targets)
            raise ProviderNotAllowed(f"No provider may be used: {'; '.join(reasons)}.")
        raise ProvidersUnavailable(OUTAGE_PAUSE_SECONDS, "No provider of this mode is in working order.")

    @contextmanager
    def _width(self, page_parser: str) -> Iterator[None]:
        width = self._widths[page_parser]
        if not width.acquire(timeout=PATIENCE_SECONDS):
            raise QuotaExhausted(random.uniform(0.5, 1.5))
        try:
            yield
        finally:
            width.release()

    def _try(self, attempt: Attempts, check: Callable[[CompletionResponse], Checked]) -> Completion[Checked] | None:
        """One call; None when it came to nothing and another may follow."""
        if attempt.order.should_stop():
            raise Stopped
        held = HeldCall()
        try:
            with self._width(attempt.order.call_for.page_parser):
                answer, call = self._client.ask(lambda: self._pick(attempt, held), attempt.question)
        except CallFailed as failed:
            self._account_for_failure(attempt, held, failed)
            return None
        except Withheld:
            self._take_back(held)
            return None
        return self._account_for_answer(attempt, held, answer, call, check)

    def _pick(self, attempt: Attempts, held: HeldCall) -> Target:
        """The deployment to be called now, with quota reserved and the call in the ledger. Waits for a moment where
        that helps; raises what ``complete`` does."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            refusals = []
            for target in attempt.candidates():
                accounts, demand = attempt.accounts(target), attempt.demand(target)
                outcome = self._store.reserve(accounts, demand)
                if isinstance(outcome, Reservation):
                    self._watch(target, outcome)
                    if self._begin(attempt, held, target, outcome):
                        return target
                    continue
                if math.isinf(outcome.wait_seconds) and not _is_budget(outcome):
                    attempt.pass_over(target, f"its quota of {outcome.limit} is smaller than one call")
                else:
                    refusals.append(outcome)
            wait = self._wait_seconds(attempt, refusals)
            if time.monotonic() + wait > until:
                raise self._refused(attempt, refusals, wait)
            time.sleep(wait)
            if attempt.order.should_stop():
                raise Stopped

    def _begin(self, attempt: Attempts, held: HeldCall, target: Target, reservation: Reservation) -> bool:
        """Write the call into the ledger; False when its deployment was deleted since the catalog was read."""
        try:
            row = ledger.begin_call(attempt.order.call_for, target, reservation.demand, reservation.id)
        except IntegrityError:
            self._catalog.forget()
            attempt.out_of_order = True  # the page comes again, and finds the deployments that there are
            attempt.pass_over(target, "it was deleted")
            with _whatever_the_store_says():
                self._store.release(reservation)
            return False
        held.take(target, reservation, row)
        return True

    def _watch(self, target: Target, reservation: Reservation) -> None:
        """Have the call obey Retry-After to the last moment, and what it is told of it reach everybody at once: between
        the store and the wire lie a row in the ledger and the work of the SDKs."""
        call, key = current_call(), target.limits.key

        def withhold_if_held_off() -> None:
            with _whatever_the_store_says():
                if self._store.held_off_seconds(key) > 0:
                    raise Withheld

        def hold_off_if_told() -> None:
            told = retry_after(call.headers, call.error_body)
            if told is not None or call.status == HTTPStatus.TOO_MANY_REQUESTS:
                with _whatever_the_store_says():
                    self._store.hold_off(key, seconds=_pause_seconds(told))

        call.clock = reservation.store_clock
        call.before_sending, call.on_error = withhold_if_held_off, hold_off_if_told

    def _wait_seconds(self, attempt: Attempts, refusals: Sequence[QuotaDenied]) -> float:
        if not refusals:
            raise attempt.end()
        spent = [refusal for refusal in refusals if _is_budget(refusal)]
        if len(spent) == len(refusals) and not ledger.calls_running(attempt.order.call_for.job_id):
            raise BudgetExceeded
        # Calls that are out have reserved the most they can cost, and give back what they did not.
        return min(1.0 if refusal in spent else refusal.wait_seconds for refusal in refusals)

    def _refused(self, attempt: Attempts, refusals: Sequence[QuotaDenied], wait: float) -> ProviderError:
        if attempt.out_of_order or all(refusal.limit == "breaker" for refusal in refusals):
            return ProvidersUnavailable(max(wait, random.uniform(0.5, 1.0) * OUTAGE_PAUSE_SECONDS))
        return QuotaExhausted(wait)

    def _account_for_failure(self, attempt: Attempts, held: HeldCall, failed: CallFailed) -> None:
        held.come_back()
        target, row, reservation = held.facts()
        if failed.sent_at is None:
            self._take_back(held)
        else:
            ledger.fail_call(row, failed, seconds=held.seconds)
        with _whatever_the_store_says():
            if failed.sent_at is not None:
                self._store.settle(reservation, input_tokens=0, output_tokens=0, money=0, sent_at=failed.sent_at)
            self._tell_store(target, failed)
        attempt.note(target, failed.failure, str(failed))
        call_traces.call_failed(attempt, held, failed)

    def _take_back(self, held: HeldCall) -> None:
        """The call never left."""
        _, row, reservation = held.facts()
        ledger.forget_call(row)
        with _whatever_the_store_says():
            self._store.release(reservation)

    def _tell_store(self, target: Target, failed: CallFailed) -> None:
        """What the failure means for everybody who would call this deployment next."""
        key = target.limits.key
        if failed.failure in OUT_OF_ORDER:
            self._store.note_failure(key)
        else:
            self._store.note_success(key)  # it answers, whatever it says
        if failed.failure in MISCONFIGURED:
            self._store.hold_off(key, seconds=trouble.PROBE_SECONDS)
            trouble.report(target, failed)
            self._catalog.forget()
        logger.warning("%s (%s) failed: %s", target.name, target.provider, failed)

    def _account_for_answer(
        self,
        attempt: Attempts,
        held: HeldCall,
        answer: CompletionResponse,
        call: Call,
        check: Callable[[CompletionResponse], Checked],
    ) -> Completion[Checked] | None:
        held.come_back()
        target, row, reservation = held.facts()
        counted = _counted(answer, attempt.estimated_input_tokens)
        if target.in_trouble:
            trouble.clear(target)
            self._catalog.forget()
        cost = ledger.end_call(
            row,
            target,
            input_tokens=counted.input_tokens,
            output_tokens=counted.output_tokens,
            seconds=held.seconds,
            usage_suspect=counted.suspect,
        )
        with _whatever_the_store_says():
            self._store.note_success(target.limits.key)
            self._store.settle(
                reservation,
                input_tokens=counted.input_tokens,
                output_tokens=counted.output_tokens,
                money=(cost or 0) // ledger.NANOS_PER_MICRO,
                sent_at=call.sent_at,
            )
        told = partial(call_traces.call_answered, attempt, held, counted.input_tokens, counted.output_tokens, cost)
        try:
            checked = check(answer)
        except ParseError as error:
            failure = Failure(error.code)
            ledger.mark_unusable(row, failure)
            attempt.note(target, failure, f"{failure}: {error.detail}")
            told(error=failure)
            return None
        attempt.calls += 1
        told()
        return Completion(checked, answer, target, counted.input_tokens, counted.output_tokens, cost, attempt.calls)


def _is_budget(refusal: QuotaDenied) -> bool:
    """The job's or the project's money, not that of one deployment."""
    return refusal.limit == _MONEY and not refusal.key.startswith("deployment")


@contextmanager
def _whatever_the_store_says() -> Iterator[None]:
    """What a call came to is in the ledger; a store that cannot be told keeps its estimate until that runs out."""
    try:
        yield
    except QuotaStoreUnavailable as error:
        logger.warning("The quota store was not told how a call ended (%s)", error)


@dataclass(frozen=True)
class _Counted:
    input_tokens: int
    output_tokens: int
    suspect: bool


def _counted(answer: CompletionResponse, estimate: int) -> _Counted:
    """The tokens to believe in: the provider's own count, unless it cannot be true."""
    visible = len(answer.text) + sum(len(str(call.arguments)) for call in answer.tool_calls)
    own_output = -(-visible // _CHARACTERS_PER_TOKEN)
    input_tokens = _believable(answer.input_tokens, estimate * _MIN_SHARE_OF_ESTIMATE)
    output_tokens = _believable(answer.output_tokens, own_output * _MIN_SHARE_OF_ESTIMATE)
    suspect = input_tokens is None or output_tokens is None
    return _Counted(input_tokens or estimate, output_tokens or own_output, suspect)


def _believable(told: int | None, least: float) -> int | None:
    return told if told is not None and told >= least else None


def _pause_seconds(told: float | None) -> float:
    """Equal jitter where nothing was said: at least half of the base, so that a limit by the minute is not hammered."""
    if told is not None:
        return told + random.uniform(0.0, 0.2)
    return UNSAID_RETRY_AFTER_SECONDS * random.uniform(0.5, 1.0)
