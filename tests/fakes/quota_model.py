"""What quota.lua must answer, in plain Python: every sum is counted anew from what was sent, nothing is kept beside it.

The same moves as ``QuotaStore`` for one thread, with the clock passed in (epoch seconds, never backwards). A test lets
both answer the same sequences. Moments and lengths inside are whole microseconds, as in the store.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from apps.providers.quota.terms import (
    MICROSECONDS,
    AccountState,
    BreakerRules,
    LimitName,
    Need,
    QuotaLimits,
    Refused,
    Reservation,
    microseconds,
)

HOUR = microseconds(3600)
HOURS_COUNTED = 25  # the hour that runs and the 24 before it
PLACES = 128
DEFAULT_TOOK = microseconds(1)
LOOK_AT_PROBE = microseconds(1)
MIN_GAP = 1000
UNLIMITED_GAP = 10_000

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
class _Account:
    window: int = 0
    sent: dict[str, _Sent] = field(default_factory=dict)
    flying: dict[str, int] = field(default_factory=dict)
    hours: dict[int, _Hour] = field(default_factory=lambda: defaultdict(_Hour))
    pace: dict[LimitName, int] = field(default_factory=lambda: dict.fromkeys(METERS, 0))
    promised: int = 0
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
        """When each place comes back at the latest."""
        return sorted(until for until in self.flying.values() if until > now)

    def day(self, now: int) -> dict[int, _Hour]:
        hour = now // HOUR
        return {of: self.hours[of] for of in sorted(self.hours) if hour - HOURS_COUNTED < of <= hour}

    def land(self, reservation_id: str, now: int) -> bool:
        return self.flying.pop(reservation_id, 0) > now

    def call_takes(self) -> int:
        return self.took or DEFAULT_TOOK


class QuotaModel:
    """As ``QuotaStore``, without a store."""

    def __init__(self, *, hold_seconds: float = 240.0, breaker: BreakerRules | None = None) -> None:
        self._hold = microseconds(hold_seconds)
        self._breaker = breaker or BreakerRules()
        self._accounts: dict[str, _Account] = defaultdict(_Account)
        self._ids = count(1)

    def reserve(self, accounts: Sequence[QuotaLimits], need: Need, *, now: float) -> Reservation | Refused:
        moment = microseconds(now)
        refused: tuple[QuotaLimits, LimitName] | None = None
        latest: float = moment
        for limits in accounts:
            self._accounts[limits.key].window = limits.window
            for name, opens_at in self._openings(limits, need, moment):
                if opens_at > latest:
                    latest, refused = opens_at, (limits, name)
        if refused:
            limits, name = refused
            return Refused(limits.key, name, self._promise(limits, need, latest, moment))
        reservation = Reservation(str(next(self._ids)), tuple(accounts), need, moment / MICROSECONDS, epoch="")
        for limits in accounts:
            self._take(limits, reservation, moment)
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
    ) -> None:
        moment, reserved_at, need = microseconds(now), microseconds(reservation.reserved_at), reservation.need
        for limits in reservation.accounts:
            account = self._accounts[limits.key]
            if not account.land(reservation.id, moment):
                continue
            at = reserved_at + limits.lag
            if sent_at is not None:
                at = max(reserved_at, min(microseconds(sent_at), moment))
            output = max(output_tokens, need.output_tokens) if limits.counts_max_tokens else output_tokens
            account.sent[reservation.id] = _Sent(at, input_tokens, output)
            used = (0, input_tokens - need.input_tokens, output - need.output_tokens)
            _change_pace(account, limits, used, moment)
            account.hours[reserved_at // HOUR].money += money - (need.money or 0)
            took = max(1, moment - reserved_at)
            account.took = account.took + (took - account.took) // 8 if account.took else took

    def release(self, reservation: Reservation, *, now: float) -> None:
        moment, need = microseconds(now), reservation.need
        for limits in reservation.accounts:
            account = self._accounts[limits.key]
            if not account.land(reservation.id, moment):
                continue
            del account.sent[reservation.id]
            _change_pace(account, limits, (-1, -need.input_tokens, -need.output_tokens), moment)
            hour = account.hours[microseconds(reservation.reserved_at) // HOUR]
            hour.requests -= 1
            hour.money -= need.money or 0
            if account.prober == reservation.id:
                account.probe_until = 0

    def hold_off(self, key: str, *, seconds: float, now: float) -> None:
        account = self._accounts[key]
        account.not_before = max(account.not_before, microseconds(now) + microseconds(seconds))

    def held_off_seconds(self, key: str, *, now: float) -> float:
        return max(0, self._accounts[key].not_before - microseconds(now)) / MICROSECONDS

    def note_success(self, key: str, *, now: float) -> None:
        account = self._accounts[key]
        account.failures = account.open_until = account.cooldown = account.probe_until = 0
        account.succeeded = microseconds(now)

    def note_failure(self, key: str, *, now: float) -> None:
        account, rules, moment = self._accounts[key], self._breaker, microseconds(now)
        account.failures += 1
        unproven = moment - account.succeeded > microseconds(rules.proven_seconds)
        opens = account.failures >= (rules.threshold_unproven if unproven else rules.threshold)
        if account.open_until:
            opens = account.probe_until > moment
        if opens:
            longest = microseconds(rules.longest_cooldown_seconds)
            account.cooldown = min(max(microseconds(rules.cooldown_seconds), 2 * account.cooldown), longest)
            account.open_until, account.probe_until = moment + account.cooldown, 0

    def reset(self, key: str, *, now: float) -> None:
        self.note_success(key, now=now)
        account = self._accounts[key]
        account.not_before = account.succeeded = 0

    def state(self, keys: Sequence[str], *, now: float) -> list[AccountState]:
        return [_state(key, self._accounts[key], microseconds(now)) for key in keys]

    def _openings(self, limits: QuotaLimits, need: Need, now: int) -> Iterator[tuple[LimitName, float]]:
        """Each limit with the first moment at which it allows this call; infinity where it never does."""
        account = self._accounts[limits.key]
        yield "not_before", account.not_before
        yield "breaker", _breaker_opens(account, now)
        leaving: list[tuple[LimitName, float]] = []
        for name, meter in METERS.items():
            limit, amount = getattr(limits, name), meter(1, need.input_tokens, need.output_tokens)
            if limit is None or not amount:
                continue
            if amount > limit:
                yield name, math.inf
                continue
            yield name, account.pace[name] - limits.tolerance
            leaving.append((name, _window_opens(account, meter, limit - amount, now)))
        yield from leaving
        if limits.calls_in_flight is not None:
            yield "calls_in_flight", _flights_open(account, limits.calls_in_flight, now)
        day = account.day(now)
        if limits.requests_per_day is not None:
            used = {hour: counted.requests for hour, counted in day.items()}
            yield "requests_per_day", _day_opens(used, limits.requests_per_day, 1, now)
        if limits.money_per_day is not None:
            used = {hour: counted.money for hour, counted in day.items()}
            yield "money_per_day", _day_opens(used, limits.money_per_day, need.money or 0, now)

    def _promise(self, limits: QuotaLimits, need: Need, earliest: float, now: int) -> float:
        if earliest == math.inf:
            return math.inf
        account = self._accounts[limits.key]
        gap = _gap_between_promises(account, limits, need)
        moment = max(int(earliest), account.promised + gap)
        if moment > earliest + PLACES * gap:
            moment = int(earliest)
        account.promised = moment
        return (moment - now) / MICROSECONDS

    def _take(self, limits: QuotaLimits, reservation: Reservation, now: int) -> None:
        account, need = self._accounts[limits.key], reservation.need
        for name, meter in METERS.items():
            limit, amount = getattr(limits, name), meter(1, need.input_tokens, need.output_tokens)
            if limit and amount:
                account.pace[name] = max(account.pace[name], now) + _pace(limits, amount, limit)
        account.sent[reservation.id] = _Sent(now + limits.lag, need.input_tokens, need.output_tokens)
        account.flying[reservation.id] = now + self._hold
        hour = account.hours[now // HOUR]
        hour.requests += 1
        hour.money += need.money or 0
        if account.open_until:
            account.probe_until = now + microseconds(self._breaker.probe_seconds)
            account.prober = reservation.id


def _breaker_opens(account: _Account, now: int) -> int:
    if account.open_until == 0 or account.open_until > now:
        return account.open_until
    return min(account.probe_until, now + LOOK_AT_PROBE) if account.probe_until > now else 0


def _window_opens(account: _Account, meter: Meter, room: int, now: int) -> int:
    """The first moment at which no more than ``room`` is counted."""
    counted = sorted(account.counted(now), key=lambda sent: sent.at)
    amounts = [meter(1, sent.input_tokens, sent.output_tokens) for sent in counted]
    used, opens_at = sum(amounts), 0
    for sent, amount in zip(counted, amounts, strict=True):
        if used <= room:
            break
        used, opens_at = used - amount, sent.at + account.window
    return opens_at


def _flights_open(account: _Account, limit: int, now: int) -> float:
    """A guess: calls end at ``limit`` in the time that one takes, and at the latest when they are given up."""
    flying = account.in_flight(now)
    if limit == 0:
        return math.inf
    if len(flying) < limit:
        return 0
    return min(flying[len(flying) - limit], now + max(1000, account.call_takes() // limit))


def _day_opens(used: dict[int, int], limit: int, amount: int, now: int) -> float:
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


def _gap_between_promises(account: _Account, limits: QuotaLimits, need: Need) -> int:
    gaps = [
        _pace(limits, amount, limit)
        for name, meter in METERS.items()
        if (limit := getattr(limits, name)) and (amount := meter(1, need.input_tokens, need.output_tokens))
    ]
    if limits.calls_in_flight:
        gaps.append(account.call_takes() // (2 * limits.calls_in_flight))
    return max(MIN_GAP, *gaps) if gaps else UNLIMITED_GAP


def _pace(limits: QuotaLimits, amount: int, limit: int) -> int:
    """How long this amount takes at twice the mean rate. In doubles, as Lua counts."""
    return math.floor(float(limits.window) * float(amount) / float(2 * limit))


def _change_pace(account: _Account, limits: QuotaLimits, used: tuple[int, int, int], now: int) -> None:
    for name, meter in METERS.items():
        limit, amount = getattr(limits, name), meter(*used)
        if limit and amount:
            moment = account.pace[name] + _pace(limits, amount, limit)
            account.pace[name] = max(0, min(moment, now + limits.window))


def _state(key: str, account: _Account, now: int) -> AccountState:
    counted, day = account.counted(now), account.day(now).values()
    probing = account.probe_until > now
    return AccountState(
        key=key,
        requests=len(counted),
        input_tokens=sum(sent.input_tokens for sent in counted),
        output_tokens=sum(sent.output_tokens for sent in counted),
        in_flight=len(account.in_flight(now)),
        requests_today=sum(hour.requests for hour in day),
        money_today=sum(hour.money for hour in day),
        not_before=account.not_before / MICROSECONDS if account.not_before > now else None,
        breaker=("probing" if probing else "open") if account.open_until else "closed",
        failures=account.failures,
    )
