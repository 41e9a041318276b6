"""quota.lua and quota_model.py answer any sequence of moves alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.providers.quota import AccountState, Limits, Need, QuotaStore, Refused, Reservation
from apps.providers.quota_model import QuotaModel
from tests.integration.providers.conftest import START

EXAMPLES = count(1)
ACCOUNTS = 3

some = st.integers(0, 12)
tokens = st.integers(0, 400)
money = st.integers(0, 500)


def perhaps(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | numbers


limits = st.fixed_dictionaries(
    {
        "requests": perhaps(some),
        "tokens": perhaps(st.integers(0, 2000)),
        "input_tokens": perhaps(st.integers(0, 1500)),
        "output_tokens": perhaps(st.integers(0, 1500)),
        "window_seconds": st.sampled_from([60.0, 60.0, 10.0, 1.0]),
        "requests_per_day": perhaps(st.integers(0, 40)),
        "calls_in_flight": perhaps(some),
        "money_per_day": perhaps(st.integers(0, 3000)),
        "counts_max_tokens": st.booleans(),
    }
)
which = st.integers(0, 20)
account = st.integers(0, ACCOUNTS - 1)
seconds = st.sampled_from([0.0, 0.001, 0.01, 0.25, 1.0, 5.0, 30.0, 61.0, 241.0, 3600.0, 86_400.0])
reserve = st.tuples(
    st.just("reserve"),
    st.lists(account, min_size=1, max_size=ACCOUNTS, unique=True),
    st.builds(Need, tokens, tokens, perhaps(money)),
)
move = st.one_of(
    reserve,
    reserve,
    reserve,
    st.tuples(st.just("settle"), which, tokens, tokens, money, st.none() | st.floats(-1, 70)),
    st.tuples(st.just("release"), which),
    st.tuples(st.just("pass_time"), seconds | st.floats(0, 2)),
    st.tuples(st.just("wait_as_told")),
    st.tuples(st.just("hold_off"), account, seconds),
    st.tuples(st.sampled_from(["note_failure", "note_failure", "note_success", "reset"]), account),
)


@dataclass
class Both:
    """The store and the model side by side: every move is made at both and the answers compared."""

    store: QuotaStore
    accounts: list[Limits]
    model: QuotaModel = field(default_factory=QuotaModel)
    now: float = START
    told: float = 0.0
    open: list[tuple[Reservation, Reservation]] = field(default_factory=list)

    def make(self, name: str, *values: Any) -> None:
        getattr(self, name)(*values)
        keys = [limits.key for limits in self.accounts]
        assert self.store.state(keys, now=self.now) == self.model.state(keys, now=self.now)

    def reserve(self, chosen: list[int], need: Need) -> None:
        accounts = [self.accounts[index] for index in chosen]
        answer = self.store.reserve(accounts, need, now=self.now)
        expected = self.model.reserve(accounts, need, now=self.now)
        if isinstance(answer, Refused) or isinstance(expected, Refused):
            assert answer == expected
            assert isinstance(answer, Refused)
            self.told = answer.wait_seconds
        else:
            assert answer.reserved_at == expected.reserved_at
            self.open.append((answer, expected))

    def settle(self, which: int, input_tokens: int, output_tokens: int, money: int, delay: float | None) -> None:
        """The same call may be settled twice: what has been reported stays in the list."""
        if self.open:
            answer, expected = self.open[which % len(self.open)]
            sent_at = None if delay is None else answer.reserved_at + delay
            used = {"input_tokens": input_tokens, "output_tokens": output_tokens, "money": money}
            self.store.settle(answer, **used, sent_at=sent_at, now=self.now)
            self.model.settle(expected, **used, sent_at=sent_at, now=self.now)

    def release(self, which: int) -> None:
        if self.open:
            answer, expected = self.open[which % len(self.open)]
            self.store.release(answer, now=self.now)
            self.model.release(expected, now=self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def wait_as_told(self) -> None:
        if not math.isinf(self.told):
            self.now += self.told

    def hold_off(self, index: int, seconds: float) -> None:
        for quota in (self.store, self.model):
            quota.hold_off(self.accounts[index].key, seconds=seconds, now=self.now)

    def note_success(self, index: int) -> None:
        for quota in (self.store, self.model):
            quota.note_success(self.accounts[index].key, now=self.now)

    def note_failure(self, index: int) -> None:
        for quota in (self.store, self.model):
            quota.note_failure(self.accounts[index].key, now=self.now)

    def reset(self, index: int) -> None:
        for quota in (self.store, self.model):
            quota.reset(self.accounts[index].key, now=self.now)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(limited=st.lists(limits, min_size=ACCOUNTS, max_size=ACCOUNTS), moves=st.lists(move, max_size=60))
def test_the_store_answers_as_the_model_does(
    store: QuotaStore, limited: list[dict[str, Any]], moves: list[tuple[Any, ...]]
) -> None:
    example = next(EXAMPLES)
    both = Both(store, [Limits(f"account:{example}:{index}", **one) for index, one in enumerate(limited)])

    for name, *values in moves:
        both.make(name, *values)


def test_an_account_nobody_knows_has_used_nothing(store: QuotaStore) -> None:
    nothing = AccountState("deployment:none", 0, 0, 0, 0, 0, 0, None, "closed", 0)

    assert store.state(["deployment:none"]) == [nothing]
