"""The guarantees of quotas, tested on the model. tests/integration/providers/quota compares the store with it."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.providers.quota.terms import (
    DAY_SECONDS,
    MAX_CALL_MICROS,
    MAX_CALL_TOKENS,
    MAX_LIMIT,
    BreakerRules,
    QuotaDemand,
    QuotaDenied,
    QuotaLimits,
    QuotaState,
    Reservation,
    microseconds,
)
from tests.fakes.quota_model import QuotaModel

START = 1_000_000.0  # small, so that sums of floats are exact to the microsecond
HOUR = 3600.0
KEY = "deployment:1"
CALL = QuotaDemand(100, 50)


def granted(answer: Reservation | QuotaDenied) -> Reservation:
    assert isinstance(answer, Reservation), answer
    return answer


def denied(answer: Reservation | QuotaDenied) -> QuotaDenied:
    assert isinstance(answer, QuotaDenied), answer
    return answer


def state(model: QuotaModel, now: float = START) -> QuotaState:
    return model.state([KEY], now=now)[0]


def max_in_any(window: float, counted: Sequence[tuple[float, int]]) -> int:
    """Return the largest sum of amounts in any half-open window of this length."""
    ordered = sorted(counted)
    maximum = total = first = 0
    for moment, amount in ordered:
        total += amount
        while ordered[first][0] <= moment - window:
            total -= ordered[first][1]
            first += 1
        maximum = max(maximum, total)
    return maximum


# --- delay on the network ---


@pytest.mark.parametrize(("window", "late"), [(60.0, 0.39), (10.0, 0.39), (1.0, 0.09), (3600.0, 20.0)])
def test_call_that_arrives_late_is_alone_in_its_window(window: float, late: float) -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, requests=1, window_seconds=window)
    first = granted(model.reserve([limits], CALL, now=START))
    model.settle(first, input_tokens=1, output_tokens=1, money=0, sent_at=START, now=START)

    assert denied(model.reserve([limits], CALL, now=START + window + late)).limit == "requests"
    granted(model.reserve([limits], CALL, now=START + 1.2 * window))


# --- many callers at a limit ---


@dataclass
class Crowd:
    """Callers that call continuously: each reserves, waits as long as it must, calls, settles and reserves again."""

    limits: QuotaLimits
    callers: int
    call_seconds: float
    demand: QuotaDemand = CALL
    arrived: list[tuple[float, int]] = field(default_factory=list)
    denials: int = 0

    def run(self, seconds: float) -> None:
        model, chance = QuotaModel(), random.Random(7)
        requests_made = [(START + 0.001 * caller, caller) for caller in range(self.callers)]
        heapq.heapify(requests_made)
        open_calls: dict[int, tuple[Reservation, float]] = {}
        while requests_made[0][0] < START + seconds:
            now, caller = heapq.heappop(requests_made)
            if caller in open_calls:
                call, sent_at = open_calls.pop(caller)
                model.settle(call, input_tokens=100, output_tokens=50, money=0, sent_at=sent_at, now=now)
            answer = model.reserve([self.limits], self.demand, now=now)
            if isinstance(answer, QuotaDenied):
                self.denials += 1
                heapq.heappush(requests_made, (now + answer.wait_seconds, caller))
                continue
            sent_at = now + chance.uniform(0, 0.2)
            open_calls[caller] = (answer, sent_at)
            self.arrived.append((sent_at + chance.uniform(0, 0.35), 1))
            heapq.heappush(requests_made, (sent_at + self.call_seconds * chance.uniform(0.5, 1.5), caller))


@pytest.mark.parametrize(("requests", "callers", "call_seconds"), [(60, 1, 0.1), (300, 20, 1.0), (300, 250, 8.0)])
def test_limit_is_used_fully_and_never_exceeded(requests: int, callers: int, call_seconds: float) -> None:
    windows = 4
    seconds = windows * 60.4
    crowd = Crowd(QuotaLimits(KEY, requests=requests), callers, call_seconds)

    crowd.run(seconds)

    assert max_in_any(60, crowd.arrived) <= requests
    assert len(crowd.arrived) >= 0.985 * requests * seconds / 60
    assert crowd.denials <= 10 * len(crowd.arrived)


def test_token_limit_is_used_fully() -> None:
    seconds = 3 * 60.4
    crowd = Crowd(QuotaLimits(KEY, tokens=150 * 200), callers=50, call_seconds=3.0)

    crowd.run(seconds)

    assert max_in_any(60, crowd.arrived) <= 200
    assert len(crowd.arrived) >= 0.985 * 200 * seconds / 60
    assert crowd.denials <= 10 * len(crowd.arrived)


# --- windows and pace ---

requests_made = st.lists(
    st.tuples(st.floats(0, 20), st.integers(0, 300), st.integers(0, 300), st.floats(0, 1)), min_size=5, max_size=80
)
windows = st.sampled_from([60.0, 60.0, 10.0, 1.0])


@example(requests_made=[(0, 0, 0, 0), (2.00001, 0, 0, 0), *[(0, 0, 0, 0)] * 3], requests=2, tokens=600, window=1.0)
@settings(deadline=None)
@given(requests_made=requests_made, requests=st.integers(1, 12), tokens=st.integers(600, 3000), window=windows)
def test_no_sliding_window_exceeds_the_limit(
    requests_made: list[tuple[float, int, int, float]], requests: int, tokens: int, window: float
) -> None:
    limits = QuotaLimits(KEY, requests=requests, tokens=tokens, window_seconds=window)
    model, now, sent = QuotaModel(), START, []
    for gap, input_tokens, output_tokens, share in requests_made:
        now = round(now + gap * window / 60, 6)  # clocks have microseconds
        answer = model.reserve([limits], QuotaDemand(input_tokens, output_tokens), now=now)
        if isinstance(answer, QuotaDenied):
            now = round(now + answer.wait_seconds, 6)
            answer = granted(model.reserve([limits], QuotaDemand(input_tokens, output_tokens), now=now))
        used = int(output_tokens * share)
        model.settle(answer, input_tokens=input_tokens, output_tokens=used, money=0, sent_at=now, now=now)
        sent.append((now, input_tokens + used))

    assert max_in_any(window, [(moment, 1) for moment, _ in sent]) <= requests
    assert max_in_any(window, sent) <= tokens


@settings(deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.05, 1.0, 9.0]), min_size=20, max_size=150), requests=st.integers(1, 90)
)
def test_rate_is_at_most_twice_the_mean_plus_tolerance(gaps: list[float], requests: int) -> None:
    limits = QuotaLimits(KEY, requests=requests)
    model, now, sent = QuotaModel(), START, []
    for gap in gaps:
        now += gap
        if isinstance(model.reserve([limits], CALL, now=now), Reservation):
            sent.append(now)

    for first, start in enumerate(sent):
        for last, end in enumerate(sent[first:], 1):
            assert last <= 1 + 2 * requests * (end - start + 0.5) / 60.4 + 0.001


def test_call_counts_from_the_time_of_sending() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, requests=1)
    call = granted(model.reserve([limits], CALL, now=START))
    model.settle(call, input_tokens=1, output_tokens=1, money=0, sent_at=START + 20, now=START + 30)

    assert denied(model.reserve([limits], CALL, now=START + 70)).wait_seconds == pytest.approx(10.4)
    assert isinstance(model.reserve([limits], CALL, now=START + 80.4), Reservation)


def test_settling_returns_the_unused_part() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, input_tokens=1000, output_tokens=1000)
    call = granted(model.reserve([limits], QuotaDemand(900, 900), now=START))
    model.settle(call, input_tokens=10, output_tokens=20, money=0, now=START + 1)

    assert (state(model, START + 1).input_tokens, state(model, START + 1).output_tokens) == (10, 20)
    assert isinstance(model.reserve([limits], QuotaDemand(900, 900), now=START + 1), Reservation)


def test_only_the_first_report_on_a_call_counts() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, tokens=1000)
    call = granted(model.reserve([limits], CALL, now=START))
    model.settle(call, input_tokens=10, output_tokens=20, money=0, now=START + 1)
    model.settle(call, input_tokens=900, output_tokens=20, money=0, now=START + 2)
    model.release(call, now=START + 2)

    assert state(model, START + 2).tokens == 30


def test_counts_max_tokens_returns_no_output_tokens() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, tokens=10_000, counts_max_tokens=True)
    call = granted(model.reserve([limits], QuotaDemand(500, 4000), now=START))
    model.settle(call, input_tokens=300, output_tokens=20, money=0, now=START + 1)

    assert (state(model, START + 1).input_tokens, state(model, START + 1).output_tokens) == (300, 4000)


def test_release_undoes_the_reservation() -> None:
    model = QuotaModel()
    limits = QuotaLimits(KEY, requests=1, calls_in_flight=1, requests_per_day=1, money_per_day=100)
    for _ in range(5):
        model.release(granted(model.reserve([limits], QuotaDemand(100, 50, 100), now=START)), now=START)

    assert state(model) == QuotaState(KEY, 0, 0, 0, 0, 0, 0, None, "closed", 0)


# --- waiting ---

limited = st.fixed_dictionaries(
    {},
    optional={
        "requests": st.integers(1, 10),
        "tokens": st.integers(300, 2000),
        "output_tokens": st.integers(150, 900),
        "requests_per_day": st.integers(1, 15),
        "money_per_day": st.integers(50, 500),
    },
)
demands = st.builds(QuotaDemand, st.integers(0, 150), st.integers(0, 150), st.integers(0, 50))


@settings(deadline=None)
@given(limited=limited, before=st.lists(st.tuples(st.floats(0, 30), demands), max_size=40), demand=demands)
def test_retry_at_the_given_time_is_granted(
    limited: dict[str, Any], before: list[tuple[float, QuotaDemand]], demand: QuotaDemand
) -> None:
    model, now, limits = QuotaModel(), START, QuotaLimits(KEY, **limited)
    for gap, other in before:
        now += gap
        model.reserve([limits], other, now=now)

    answer = model.reserve([limits], demand, now=now)
    if isinstance(answer, QuotaDenied):
        assert 0 < answer.wait_seconds < math.inf
        granted(model.reserve([limits], demand, now=now + answer.wait_seconds))


def test_callers_denied_together_get_different_retry_times() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, requests=60)
    answers = [model.reserve([limits], CALL, now=START) for _ in range(40)]
    waits = [denied(answer).wait_seconds for answer in answers if isinstance(answer, QuotaDenied)]

    assert len(waits) > 30
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(waits))


@pytest.mark.parametrize(
    ("limited", "name"),
    [
        ({"requests": 0}, "requests"),
        ({"tokens": 149}, "tokens"),
        ({"input_tokens": 99}, "input_tokens"),
        ({"output_tokens": 49}, "output_tokens"),
        ({"calls_in_flight": 0}, "calls_in_flight"),
        ({"requests_per_day": 0}, "requests_per_day"),
        ({"money_per_day": 6}, "money_per_day"),
    ],
)
def test_call_over_a_whole_limit_waits_forever(limited: dict[str, Any], name: str) -> None:
    answer = QuotaModel().reserve([QuotaLimits(KEY, **limited)], QuotaDemand(100, 50, 7), now=START)

    assert answer == QuotaDenied(KEY, name, math.inf)  # type: ignore[arg-type]


def test_quota_with_the_longest_wait_is_named_and_others_lose_nothing() -> None:
    model, project = QuotaModel(), QuotaLimits("project:7", requests=60, money_per_day=10)
    model.hold_off(KEY, seconds=5, now=START)
    answer = model.reserve([QuotaLimits(KEY, requests=60), project], QuotaDemand(100, 50, 11), now=START)

    assert answer == QuotaDenied("project:7", "money_per_day", math.inf)
    assert state(model).requests == 0


# --- days and money ---


@settings(deadline=None)
@given(gaps=st.lists(st.floats(0, 8 * HOUR), min_size=5, max_size=60), limit=st.integers(1, 6))
def test_24_rolling_hours_never_exceed_the_daily_limit(gaps: list[float], limit: int) -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, requests_per_day=limit)
    now, sent = START, []
    for gap in gaps:
        now += gap
        if isinstance(model.reserve([limits], CALL, now=now), Reservation):
            sent.append((now, 1))

    assert max_in_any(DAY_SECONDS, sent) <= limit


def test_day_ends_within_25_hours() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, requests_per_day=2)
    for _ in range(2):
        granted(model.reserve([limits], CALL, now=START))

    answer = denied(model.reserve([limits], CALL, now=START + HOUR))
    assert answer.limit == "requests_per_day"
    assert 23 * HOUR <= answer.wait_seconds <= 24 * HOUR
    granted(model.reserve([limits], CALL, now=START + HOUR + answer.wait_seconds))


def test_money_is_reserved_by_estimate_and_counted_as_spent() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, money_per_day=100)
    call = granted(model.reserve([limits], QuotaDemand(1, 1, 80), now=START))
    assert denied(model.reserve([limits], QuotaDemand(1, 1, 30), now=START)).limit == "money_per_day"

    model.settle(call, input_tokens=1, output_tokens=1, money=70, now=START + 1)
    assert state(model, START + 1).money_today == 70
    granted(model.reserve([limits], QuotaDemand(1, 1, 30), now=START + 1))


def test_cost_above_the_estimate_is_counted() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, money_per_day=100)
    call = granted(model.reserve([limits], QuotaDemand(1, 1, 50), now=START))
    model.settle(call, input_tokens=1, output_tokens=1, money=150, now=START + 1)

    assert state(model, START + 1).money_today == 150
    assert denied(model.reserve([limits], QuotaDemand(1, 1, 1), now=START + 1)).limit == "money_per_day"


def test_free_call_reserves_no_money() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, money_per_day=100)
    granted(model.reserve([limits], QuotaDemand(1, 1, 100), now=START))

    assert isinstance(model.reserve([limits], QuotaDemand(1, 1), now=START), Reservation)


# --- calls in flight ---


def test_calls_in_flight_are_limited() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, calls_in_flight=2)
    first, _second = (granted(model.reserve([limits], CALL, now=START)) for _ in range(2))
    assert denied(model.reserve([limits], CALL, now=START)).limit == "calls_in_flight"

    model.settle(first, input_tokens=1, output_tokens=1, money=0, now=START + 3)
    granted(model.reserve([limits], CALL, now=START + 3))
    assert denied(model.reserve([limits], CALL, now=START + 3)).limit == "calls_in_flight"


def test_reservation_of_a_crashed_worker_expires_and_its_late_report_is_ignored() -> None:
    model, limits = QuotaModel(reservation_seconds=240), QuotaLimits(KEY, calls_in_flight=1)
    lost = granted(model.reserve([limits], CALL, now=START))

    assert isinstance(model.reserve([limits], CALL, now=START + 239.9), QuotaDenied)
    granted(model.reserve([limits], CALL, now=START + 240))
    model.settle(lost, input_tokens=900, output_tokens=900, money=900, now=START + 241)

    assert state(model, START + 241).in_flight == 1
    assert (state(model, START + 241).tokens, state(model, START + 241).money_today) == (150, 0)


# --- Retry-After and the breaker ---


def test_longest_hold_off_applies() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY)
    for seconds in (5, 60, 10):
        model.hold_off(KEY, seconds=seconds, now=START)

    answer = denied(model.reserve([limits], CALL, now=START))
    assert answer.limit == "not_before"
    assert answer.wait_seconds >= 60
    assert state(model).not_before == START + 60
    granted(model.reserve([QuotaLimits("deployment:2")], CALL, now=START))
    granted(model.reserve([limits], CALL, now=START + 60))


@pytest.mark.parametrize(("proven", "failures"), [(True, 5), (False, 3)])
def test_breaker_opens_after_failures_in_a_row(proven: bool, failures: int) -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY)
    if proven:
        model.note_success(KEY, now=START)
    for _ in range(failures - 1):
        model.note_failure(KEY, now=START + 1)
    granted(model.reserve([limits], CALL, now=START + 1))

    model.note_failure(KEY, now=START + 1)

    answer = denied(model.reserve([limits], CALL, now=START + 1))
    assert answer.limit == "breaker"
    assert answer.wait_seconds >= 10
    assert state(model, START + 1).breaker == "open"


def test_success_between_failures_keeps_the_breaker_closed() -> None:
    model = QuotaModel()
    for _ in range(10):
        model.note_failure(KEY, now=START)
        model.note_success(KEY, now=START)

    assert state(model).breaker == "closed"


def opened(model: QuotaModel) -> float:
    """Open the breaker and return the time of the first probe."""
    for _ in range(3):
        model.note_failure(KEY, now=START)
    return START + 10


def test_open_breaker_allows_one_probe_and_closes_on_success() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY)
    now = opened(model)
    granted(model.reserve([limits], CALL, now=now))

    assert state(model, now).breaker == "probing"
    assert denied(model.reserve([limits], CALL, now=now)).limit == "breaker"

    model.note_success(KEY, now=now + 1)
    assert state(model, now + 1).breaker == "closed"
    for _ in range(10):
        granted(model.reserve([limits], CALL, now=now + 1))


def test_failed_probe_doubles_the_cooldown_up_to_a_minute() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY)
    now = opened(model)
    for rest in (20, 40, 60, 60):
        granted(model.reserve([limits], CALL, now=now))
        model.note_failure(KEY, now=now)
        assert isinstance(model.reserve([limits], CALL, now=now + rest - 0.001), QuotaDenied)
        now += rest

    granted(model.reserve([limits], CALL, now=now))


def test_failures_of_earlier_calls_do_not_prolong_the_cooldown() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY)
    now = opened(model)
    for _ in range(50):
        model.note_failure(KEY, now=now - 1)

    granted(model.reserve([limits], CALL, now=now))


def test_probe_without_result_is_replaced_by_the_next() -> None:
    model, limits = QuotaModel(breaker=BreakerRules(probe_seconds=60)), QuotaLimits(KEY)
    now = opened(model)
    granted(model.reserve([limits], CALL, now=now))

    assert isinstance(model.reserve([limits], CALL, now=now + 59), QuotaDenied)
    granted(model.reserve([limits], CALL, now=now + 60))


def test_released_probe_is_replaced_at_once() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY)
    now = opened(model)
    model.release(granted(model.reserve([limits], CALL, now=now)), now=now)

    granted(model.reserve([limits], CALL, now=now))


def test_reset_clears_holds_but_not_use() -> None:
    model, limits = QuotaModel(), QuotaLimits(KEY, requests=2)
    granted(model.reserve([limits], CALL, now=START))
    opened(model)
    model.hold_off(KEY, seconds=100, now=START)

    model.reset(KEY, now=START)

    assert state(model) == QuotaState(KEY, 1, 100, 50, 1, 1, 0, None, "closed", 0)


# --- invalid numbers ---


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"key": "k" * 201},
        {"requests": -1},
        {"requests": True},
        {"requests": MAX_LIMIT + 1},
        {"tokens": 1.5},
        {"tokens": "60"},
        {"money_per_day": math.nan},
        {"calls_in_flight": math.inf},
        {"window_seconds": 0},
        {"window_seconds": -60},
        {"window_seconds": 3601},
        {"window_seconds": math.nan},
    ],
)
def test_invalid_limits_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        QuotaLimits(**({"key": KEY} | wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        (-1, 0, 0),
        (0, -1, 0),
        (0, 0, -1),
        (MAX_CALL_TOKENS + 1, 0, 0),
        (0, 0, MAX_CALL_MICROS + 1),
        (1.5, 0, 0),
        (0, math.nan, 0),
    ],
)
def test_invalid_demands_are_refused(wrong: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ValueError):
        QuotaDemand(*wrong)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, -math.inf, 1e12])
def test_invalid_times_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError):
        microseconds(wrong)
    with pytest.raises(ValueError):
        QuotaModel().reserve([QuotaLimits(KEY)], CALL, now=wrong)
    with pytest.raises(ValueError):
        QuotaModel().hold_off(KEY, seconds=wrong, now=START)
