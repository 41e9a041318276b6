"""A model of quota.lua in plain Python, which counts every sum again from the calls that were sent.

It has the operations of ``QuotaStore``, for one thread, with the clock passed in (epoch seconds, never backwards). A
test compares the two on the same sequences. Times and durations inside are whole microseconds, as in the store.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from apps.providers.quota.terms import (
    MICROSECONDS,
    BreakerRules,
    LimitName,
    QuotaDemand,
    QuotaDenied,
    QuotaLimits,
    QuotaState,
    Reservation,
    microseconds,
)

HOUR = microseconds(3600)
HOURS_COUNTED = 25  # the current hour and the 24 before it
MAX_STAGGERED = 128
DEFAULT_CALL_DURATION = microseconds(1)
PROBE_RECHECK = microseconds(1)
MIN_RETRY_SPACING = 1000
UNLIMITED_RETRY_SPACING = 10_000

Meter = Callable[[int, int, int], int]
METERS: dict[LimitName, Meter] = {
    "requests": lambda requests, _input, _output: requests,
    "tokens": lambda _requests, input_tokens, output_tokens: input_tokens + output_tokens,
    "input_tokens": lambda _requests, input_tokens, _output: input_tokens,
    "output_tokens": lambda _requests, _input, output_tokens: output_tokens,
}


@dataclass
class _Sent:
    at: int
    input_tokens: int
    output_tokens: int


@dataclass
class _Hour:
    requests: int = 0
    money: int = 0


@dataclass
class _Counts:
    window: int = 0
    sent: dict[str, _Sent] = field(default_factory=dict)
    flying: dict[str, int] = field(default_factory=dict)
    hours: dict[int, _Hour] = field(default_factory=lambda: defaultdict(_Hour))
    pace: dict[LimitName, int] = field(default_factory=lambda: dict.fromkeys(METERS, 0))
    last_retry: int = 0
    took: int = 0
    not_before: int = 0
    failures: int = 0
    succeeded: int = 0
    open_until: int = 0
    cooldown: int = 0
    probe_until: int = 0
    prober: str = ""

    def counted(self, now: int) -> list[_Sent]:
        return [sent for sent in self.sent.values() if sent.at > now - self.window]

    def in_flight(self, now: int) -> list[int]:
        """Return when each reservation expires, in order."""
        return sorted(until for until in self.flying.values() if until > now)

    def day(self, now: int) -> dict[int, _Hour]:
        hour = now // HOUR
        return {of: self.hours[of] for of in sorted(self.hours) if hour - HOURS_COUNTED < of <= hour}

    def end_flight(self, reservation_id: str, now: int) -> bool:
        return self.flying.pop(reservation_id, 0) > now

    def call_duration(self) -> int:
        return self.took or DEFAULT_CALL_DURATION


class QuotaModel:
    """The same operations as ``QuotaStore``, without a server."""

    def __init__(self, *, reservation_seconds: float = 240.0, breaker: BreakerRules | None = None) -> None:
        self._reservation_ttl = microseconds(reservation_seconds)
        self._breaker = breaker or BreakerRules()
        self._quotas: dict[str, _Counts] = defaultdict(_Counts)
        self._ids = count(1)

    def reserve(self, quotas: Sequence[QuotaLimits], demand: QuotaDemand, *, now: float) -> Reservation | QuotaDenied:
        moment = microseconds(now)
        denied: tuple[QuotaLimits, LimitName] | None = None
        latest: float = moment
        for limits in quotas:
            self._quotas[limits.key].window = limits.window
            for name, allowed_at in self._allowed_times(limits, demand, moment):
                if allowed_at > latest:
                    latest, denied = allowed_at, (limits, name)
        if denied:
            limits, name = denied
            flying = len(self._quotas[limits.key].in_flight(moment))
            return QuotaDenied(limits.key, name, self._stagger_retry(limits, demand, latest, moment), flying)
        reservation = Reservation(str(next(self._ids)), tuple(quotas), demand, moment / MICROSECONDS, epoch="")
        for limits in quotas:
            self._count_reservation(limits, reservation, moment)
        return reservation

    def settle(
        self,
        reservation: Reservation,
        *,
        input_tokens: int,
        output_tokens: int,
        money: int,
        now: float,
        sent_at: float | None = None,
        answered: str = "",
    ) -> None:
        moment, reserved_at, demand = microseconds(now), microseconds(reservation.reserved_at), reservation.demand
        for limits in reservation.quotas:
            counts = self._quotas[limits.key]
            if not counts.end_flight(reservation.id, moment):
                continue
            at = reserved_at + limits.lag
            if sent_at is not None:
                at = max(reserved_at, min(microseconds(sent_at), moment))
            output = max(output_tokens, demand.output_tokens) if limits.counts_max_tokens else output_tokens
            counts.sent[reservation.id] = _Sent(at, input_tokens, output)
            used = (0, input_tokens - demand.input_tokens, output - demand.output_tokens)
            _change_pace(counts, limits, used, moment)
            counts.hours[reserved_at // HOUR].money += money - (demand.money or 0)
            took = max(1, moment - reserved_at)
            counts.took = counts.took + (took - counts.took) // 8 if counts.took else took
        if answered:
            self.note_success(answered, now=now)

    def release(self, reservation: Reservation, *, now: float) -> None:
        moment, demand = microseconds(now), reservation.demand
        for limits in reservation.quotas:
            counts = self._quotas[limits.key]
            if not counts.end_flight(reservation.id, moment):
                continue
            del counts.sent[reservation.id]
            _change_pace(counts, limits, (-1, -demand.input_tokens, -demand.output_tokens), moment)
            hour = counts.hours[microseconds(reservation.reserved_at) // HOUR]
            hour.requests -= 1
            hour.money -= demand.money or 0
            if counts.prober == reservation.id:
                counts.probe_until = 0

    def hold_off(self, key: str, *, seconds: float, now: float) -> None:
        counts = self._quotas[key]
        counts.not_before = max(counts.not_before, microseconds(now) + microseconds(seconds))

    def held_off_seconds(self, key: str, *, now: float) -> float:
        return max(0, self._quotas[key].not_before - microseconds(now)) / MICROSECONDS

    def note_success(self, key: str, *, now: float) -> None:
        counts = self._quotas[key]
        counts.failures = counts.open_until = counts.cooldown = counts.probe_until = 0
        counts.succeeded = microseconds(now)

    def note_failure(self, key: str, *, now: float) -> None:
        counts, rules, moment = self._quotas[key], self._breaker, microseconds(now)
        counts.failures += 1
        unproven = moment - counts.succeeded > microseconds(rules.proven_seconds)
        opens = counts.failures >= (rules.threshold_unproven if unproven else rules.threshold)
        if counts.open_until:
            opens = counts.probe_until > moment
        if opens:
            longest = microseconds(rules.max_cooldown_seconds)
            counts.cooldown = min(max(microseconds(rules.cooldown_seconds), 2 * counts.cooldown), longest)
            counts.open_until, counts.probe_until = moment + counts.cooldown, 0

    def reset(self, key: str, *, now: float) -> None:
        self.note_success(key, now=now)
        counts = self._quotas[key]
        counts.not_before = counts.succeeded = 0

    def state(self, keys: Sequence[str], *, now: float) -> list[QuotaState]:
        return [_state(key, self._quotas[key], microseconds(now)) for key in keys]

    def _allowed_times(self, limits: QuotaLimits, demand: QuotaDemand, now: int) -> Iterator[tuple[LimitName, float]]:
        """Yield each limit with the earliest time at which it allows this call; infinity if it never does."""
        counts = self._quotas[limits.key]
        yield "not_before", counts.not_before
        yield "breaker", _breaker_allows_at(counts, now)
        window_times: list[tuple[LimitName, float]] = []
        for name, meter in METERS.items():
            limit, amount = getattr(limits, name), meter(1, demand.input_tokens, demand.output_tokens)
            if limit is None or not amount:
                continue
            if amount > limit:
                yield name, math.inf
                continue
            yield name, counts.pace[name] - limits.tolerance
            window_times.append((name, _window_allows_at(counts, meter, limit - amount, now)))
        yield from window_times
        if limits.calls_in_flight is not None:
            yield "calls_in_flight", _in_flight_allows_at(counts, limits.calls_in_flight, now)
        day = counts.day(now)
        if limits.requests_per_day is not None:
            used = {hour: counted.requests for hour, counted in day.items()}
            yield "requests_per_day", _day_allows_at(used, limits.requests_per_day, 1, now)
        if limits.money_per_day is not None:
            used = {hour: counted.money for hour, counted in day.items()}
            yield "money_per_day", _day_allows_at(used, limits.money_per_day, demand.money or 0, now)

    def _stagger_retry(self, limits: QuotaLimits, demand: QuotaDemand, earliest: float, now: int) -> float:
        if earliest == math.inf:
            return math.inf
        counts = self._quotas[limits.key]
        gap = _retry_spacing(counts, limits, demand)
        moment = max(int(earliest), counts.last_retry + gap)
        if moment > earliest + MAX_STAGGERED * gap:
            moment = int(earliest)
        counts.last_retry = moment
        return (moment - now) / MICROSECONDS

    def _count_reservation(self, limits: QuotaLimits, reservation: Reservation, now: int) -> None:
        counts, demand = self._quotas[limits.key], reservation.demand
        for name, meter in METERS.items():
            limit, amount = getattr(limits, name), meter(1, demand.input_tokens, demand.output_tokens)
            if limit and amount:
                counts.pace[name] = max(counts.pace[name], now) + _pace(limits, amount, limit)
        counts.sent[reservation.id] = _Sent(now + limits.lag, demand.input_tokens, demand.output_tokens)
        counts.flying[reservation.id] = now + self._reservation_ttl
        hour = counts.hours[now // HOUR]
        hour.requests += 1
        hour.money += demand.money or 0
        if counts.open_until:
            counts.probe_until = now + microseconds(self._breaker.probe_seconds)
            counts.prober = reservation.id


def _breaker_allows_at(counts: _Counts, now: int) -> int:
    if counts.open_until == 0 or counts.open_until > now:
        return counts.open_until
    return min(counts.probe_until, now + PROBE_RECHECK) if counts.probe_until > now else 0


def _window_allows_at(counts: _Counts, meter: Meter, allowed: int, now: int) -> int:
    """Return the earliest time at which at most ``allowed`` is counted."""
    counted = sorted(counts.counted(now), key=lambda sent: sent.at)
    amounts = [meter(1, sent.input_tokens, sent.output_tokens) for sent in counted]
    used, allowed_at = sum(amounts), 0
    for sent, amount in zip(counted, amounts, strict=True):
        if used <= allowed:
            break
        used, allowed_at = used - amount, sent.at + counts.window
    return allowed_at


def _in_flight_allows_at(counts: _Counts, limit: int, now: int) -> float:
    """Estimate when a call ends: ``limit`` calls per call duration, at the latest when a reservation expires."""
    flying = counts.in_flight(now)
    if limit == 0:
        return math.inf
    if len(flying) < limit:
        return 0
    return min(flying[len(flying) - limit], now + max(1000, counts.call_duration() // limit))


def _day_allows_at(used: dict[int, int], limit: int, amount: int, now: int) -> float:
    if sum(used.values()) + amount <= limit:
        return 0
    if amount > limit:
        return math.inf
    excess = sum(used.values()) + amount - limit
    for hour, of_hour in used.items():
        excess -= of_hour
        if excess <= 0:
            return (hour + HOURS_COUNTED) * HOUR
    return (now // HOUR + HOURS_COUNTED) * HOUR


def _retry_spacing(counts: _Counts, limits: QuotaLimits, demand: QuotaDemand) -> int:
    gaps = [
        _pace(limits, amount, limit)
        for name, meter in METERS.items()
        if (limit := getattr(limits, name)) and (amount := meter(1, demand.input_tokens, demand.output_tokens))
    ]
    if limits.calls_in_flight:
        gaps.append(counts.call_duration() // (2 * limits.calls_in_flight))
    return max(MIN_RETRY_SPACING, *gaps) if gaps else UNLIMITED_RETRY_SPACING


def _pace(limits: QuotaLimits, amount: int, limit: int) -> int:
    """Return the time that this amount takes at twice the mean rate, computed in doubles as in Lua."""
    return math.floor(float(limits.window) * float(amount) / float(2 * limit))


def _change_pace(counts: _Counts, limits: QuotaLimits, used: tuple[int, int, int], now: int) -> None:
    for name, meter in METERS.items():
        limit, amount = getattr(limits, name), meter(*used)
        if limit and amount:
            moment = counts.pace[name] + _pace(limits, amount, limit)
            counts.pace[name] = max(0, min(moment, now + limits.window))


def _state(key: str, counts: _Counts, now: int) -> QuotaState:
    counted, day = counts.counted(now), counts.day(now).values()
    probing = counts.probe_until > now
    return QuotaState(
        key=key,
        requests=len(counted),
        input_tokens=sum(sent.input_tokens for sent in counted),
        output_tokens=sum(sent.output_tokens for sent in counted),
        in_flight=len(counts.in_flight(now)),
        requests_today=sum(hour.requests for hour in day),
        money_today=sum(hour.money for hour in day),
        not_before=counts.not_before / MICROSECONDS if counts.not_before > now else None,
        breaker=("probing" if probing else "open") if counts.open_until else "closed",
        failures=counts.failures,
    )
