"""quota.lua and quota_model.py give the same answers to any sequence of operations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.providers.quota.store import QuotaDemand, QuotaDenied, QuotaLimits, QuotaState, QuotaStore, Reservation
from tests.fakes.quota_model import QuotaModel
from tests.integration.providers.quota.conftest import START

EXAMPLES = count(1)
QUOTAS = 3

tokens = st.integers(1, 300)
money = st.integers(0, 300)
# Low, so that most sequences reach a limit. Zero, or less than one call, is rare.
one_limit = st.one_of(
    st.tuples(st.just("requests"), st.integers(1, 12)),
    st.tuples(st.just("requests"), st.integers(0, 3)),
    st.tuples(st.just("tokens"), st.integers(500, 3000)),
    st.tuples(st.just("input_tokens"), st.integers(250, 1500)),
    st.tuples(st.just("output_tokens"), st.integers(250, 1500)),
    st.tuples(st.just("calls_in_flight"), st.integers(1, 6)),
    st.tuples(st.just("requests_per_day"), st.integers(1, 20)),
    st.tuples(st.just("money_per_day"), st.integers(0, 3000)),
)
limits = st.builds(
    lambda limited, window, counts: {**dict(limited), "window_seconds": window, "counts_max_tokens": counts},
    st.lists(one_limit, max_size=3),
    st.sampled_from([60.0, 60.0, 10.0, 1.0]),
    st.booleans(),
)
which = st.integers(0, 3)
quota_index = st.integers(0, QUOTAS - 1)
seconds = st.sampled_from([0.0, 0.001, 0.1, 0.4, 1.0, 5.0, 10.0, 30.0, 60.4, 241.0, 3600.0, 80_000.0, 90_000.0])
reserve = st.tuples(
    st.just("reserve"),
    st.lists(quota_index, min_size=1, max_size=QUOTAS, unique=True),
    st.builds(QuotaDemand, tokens, tokens, st.none() | money),
    st.sampled_from([1, 1, 2, 5, 12]),
)
settle = st.tuples(
    st.just("settle"), which, tokens, tokens, money, st.none() | st.floats(-1, 3), st.none() | quota_index
)
broken = st.tuples(st.just("fail"), quota_index, st.integers(1, 6))
operation = st.one_of(
    reserve,
    reserve,
    reserve,
    settle,
    settle,
    st.tuples(st.just("release"), which),
    st.tuples(st.just("pass_time"), seconds | st.floats(0, 2)),
    st.tuples(st.just("wait_until_allowed")),
    st.tuples(st.just("wait_until_allowed")),
    st.tuples(st.just("hold_off"), quota_index, seconds),
    broken,
    broken,
    st.tuples(st.sampled_from(["note_success", "reset"]), quota_index),
)


@dataclass
class Both:
    """The store and the model: run each operation on both and compare the answers."""

    store: QuotaStore
    quotas: list[QuotaLimits]
    model: QuotaModel = field(default_factory=QuotaModel)
    now: float = START
    wait_seconds: float = 0.0
    open: list[tuple[Reservation, Reservation]] = field(default_factory=list)

    def run(self, name: str, *values: Any) -> None:
        getattr(self, name)(*values)
        keys = [limits.key for limits in self.quotas]
        assert self.store.state(keys, now=self.now) == self.model.state(keys, now=self.now)
        for key in keys:
            assert self.store.held_off_seconds(key, now=self.now) == self.model.held_off_seconds(key, now=self.now)

    def reserve(self, chosen: list[int], demand: QuotaDemand, times: int) -> None:
        for _ in range(times):
            self.reserve_once([self.quotas[index] for index in chosen], demand)

    def reserve_once(self, quotas: list[QuotaLimits], demand: QuotaDemand) -> None:
        answer = self.store.reserve(quotas, demand, now=self.now)
        expected = self.model.reserve(quotas, demand, now=self.now)
        if isinstance(answer, QuotaDenied) or isinstance(expected, QuotaDenied):
            assert answer == expected
            assert isinstance(answer, QuotaDenied)
            self.wait_seconds = answer.wait_seconds
        else:
            assert answer.reserved_at == expected.reserved_at
            self.open.append((answer, expected))

    def settle(
        self, which: int, input_tokens: int, output_tokens: int, money: int, delay: float | None, index: int | None
    ) -> None:
        """Settle a call, perhaps for the second time: settled calls stay in the list."""
        if self.open:
            answer, expected = self.open[-1 - which % len(self.open)]
            sent_at = None if delay is None else answer.reserved_at + delay
            used = {"input_tokens": input_tokens, "output_tokens": output_tokens, "money": money}
            answered = "" if index is None else self.quotas[index].key
            self.store.settle(answer, **used, sent_at=sent_at, answered=answered, now=self.now)
            self.model.settle(expected, **used, sent_at=sent_at, answered=answered, now=self.now)

    def release(self, which: int) -> None:
        if self.open:
            answer, expected = self.open[-1 - which % len(self.open)]
            self.store.release(answer, now=self.now)
            self.model.release(expected, now=self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def wait_until_allowed(self) -> None:
        if not math.isinf(self.wait_seconds):
            self.now += self.wait_seconds

    def hold_off(self, index: int, seconds: float) -> None:
        for quota in (self.store, self.model):
            quota.hold_off(self.quotas[index].key, seconds=seconds, now=self.now)

    def note_success(self, index: int) -> None:
        for quota in (self.store, self.model):
            quota.note_success(self.quotas[index].key, now=self.now)

    def fail(self, index: int, times: int) -> None:
        for _ in range(times):
            for quota in (self.store, self.model):
                quota.note_failure(self.quotas[index].key, now=self.now)

    def reset(self, index: int) -> None:
        for quota in (self.store, self.model):
            quota.reset(self.quotas[index].key, now=self.now)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    limited=st.lists(limits, min_size=QUOTAS, max_size=QUOTAS), operations=st.lists(operation, min_size=15, max_size=60)
)
def test_store_agrees_with_the_model(
    store: QuotaStore, limited: list[dict[str, Any]], operations: list[tuple[Any, ...]]
) -> None:
    example = next(EXAMPLES)
    both = Both(store, [QuotaLimits(f"quota:{example}:{index}", **one) for index, one in enumerate(limited)])

    for name, *values in operations:
        both.run(name, *values)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests=st.integers(1, 2000), crowd=st.integers(100, 300))
def test_crowd_gets_the_same_retry_times(store: QuotaStore, requests: int, crowd: int) -> None:
    both = Both(store, [QuotaLimits(f"quota:{next(EXAMPLES)}", requests=requests)])

    both.run("reserve", [0], QuotaDemand(1, 1), crowd)


def test_unknown_quota_is_unused(store: QuotaStore) -> None:
    nothing = QuotaState("deployment:none", 0, 0, 0, 0, 0, 0, None, "closed", 0)

    assert store.state(["deployment:none"]) == [nothing]
