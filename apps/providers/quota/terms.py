"""The terms of quota: limits, the demand of a call, reservations, and the state of a quota.

A quota is identified by its key, such as "deployment:12" or "project:<uuid>". store.py and quota.lua keep the counts;
tests/fakes/quota_model.py defines the same counts in plain Python.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Literal

PREFIX = "{leafmill-quota}"  # one hash tag: a script's keys share a slot of a cluster
EPOCH_KEY = f"{PREFIX}:epoch"
MICROSECONDS = 1_000_000
DAY_SECONDS = 86_400.0
MAX_CALL_TOKENS = 100_000_000  # one call; a provider that reports more is mistaken
MAX_CALL_MICROS = 1_000_000 * MICROSECONDS  # one call: a million dollars
MAX_LIMIT = 10**15  # sums of these stay below Lua's 2^53
MAX_WINDOW_SECONDS = 3600.0
MIN_WINDOW_SECONDS = 0.1
GUARD_SECONDS = 0.4  # allowance for calls whose time on the network differs
MAX_HOLD_OFF_SECONDS = 366 * DAY_SECONDS

LimitName = Literal[
    "requests",
    "tokens",
    "input_tokens",
    "output_tokens",
    "calls_in_flight",
    "requests_per_day",
    "money_per_day",
    "not_before",
    "breaker",
    "rebuilding",
]
BreakerState = Literal["closed", "open", "probing"]


class QuotaStoreUnavailable(Exception):
    """The quota store cannot be reached, so no call may be made. Check that Redis or Valkey is up."""


@dataclass(frozen=True)
class QuotaLimits:
    """The limits of one quota; None: not limited. Money in millionths of a US dollar.

    A provider that ``counts_max_tokens`` counts the output tokens that were requested, so settling returns none.
    """

    key: str
    requests: int | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    window_seconds: float = 60.0
    requests_per_day: int | None = None
    calls_in_flight: int | None = None
    money_per_day: int | None = None
    counts_max_tokens: bool = False

    def __post_init__(self) -> None:
        if not self.key or len(self.key) > 200:
            raise ValueError("A quota's key has 1 to 200 characters")
        if not MIN_WINDOW_SECONDS <= self.window_seconds <= MAX_WINDOW_SECONDS:
            raise ValueError(
                f"A window has {MIN_WINDOW_SECONDS} to {MAX_WINDOW_SECONDS:.0f} seconds: {self.window_seconds}"
            )
        for name, value in self.limited().items():
            whole_number(value, maximum=MAX_LIMIT, name=name)

    def limited(self) -> dict[str, int]:
        """Return the limits that are set, by name."""
        return {name: value for name in _LIMITS if (value := getattr(self, name)) is not None}

    @property
    def window(self) -> int:
        """Return for how many microseconds a call is counted: the window plus a guard of 1/150 (0.4 s per minute).

        The provider counts a call when it arrives, a little after it was sent, and the delay varies (connection,
        scheduling, network). The guard covers that variation and costs 0.7 % of the rate of a minute. The delay does
        not shrink with the window, so the guard is also 0.4 s for ten seconds, and a tenth of shorter windows.
        """
        window = microseconds(self.window_seconds)
        return window + max(window // 150, min(microseconds(GUARD_SECONDS), window // 10))

    @property
    def lag(self) -> int:
        """Return the assumed delay between reserving and sending, in microseconds (0.5 s of a minute).

        ``settle`` replaces it with the actual delay. It matters only if a call takes longer than the window: its entry
        would otherwise expire too early.
        """
        return microseconds(self.window_seconds) // 120

    @property
    def tolerance(self) -> int:
        """Return how many microseconds calls may run ahead of twice the mean rate: 1/60 of the limit, or one call."""
        return microseconds(self.window_seconds) // 120


_LIMITS = (
    "requests",
    "tokens",
    "input_tokens",
    "output_tokens",
    "requests_per_day",
    "calls_in_flight",
    "money_per_day",
)


@dataclass(frozen=True)
class QuotaDemand:
    """The maximum that one call can use. ``output_tokens``: the requested maximum; ``money``: None if it is free."""

    input_tokens: int
    output_tokens: int
    money: int | None = None

    def __post_init__(self) -> None:
        whole_number(self.input_tokens, maximum=MAX_CALL_TOKENS, name="input_tokens")
        whole_number(self.output_tokens, maximum=MAX_CALL_TOKENS, name="output_tokens")
        whole_number(self.money or 0, maximum=MAX_CALL_MICROS, name="money")


@dataclass(frozen=True)
class Reservation:
    """Permission to make one call now. Settle or release it; otherwise it expires after ``reservation_seconds``.

    ``reserved_at`` is in epoch seconds of the store's clock, which can differ from this host's.
    """

    id: str
    quotas: tuple[QuotaLimits, ...]
    demand: QuotaDemand
    reserved_at: float
    epoch: str
    _received: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def store_clock(self) -> float:
        """Return the store's time now, advanced by this host's monotonic clock. Use it as ``sent_at``."""
        return self.reserved_at + time.monotonic() - self._received


@dataclass(frozen=True)
class QuotaDenied:
    """A reservation that was denied. ``wait_seconds``: when to retry; infinite if this call can never be made.

    Callers get staggered retry times, none earlier than the limit named here can allow the call. For "calls_in_flight"
    the time is estimated from the duration of calls. A caller that waits for the result of a probe retries shortly.
    ``in_flight``: the quota's calls in flight. They hold their maximum cost, and give back what they do not use.
    """

    key: str
    limit: LimitName
    wait_seconds: float
    in_flight: int = 0


@dataclass(frozen=True)
class PastCall:
    """A call in the ledger, for one quota. ``at``: epoch seconds, not before it was sent; ``id``: its reservation's.

    ``in_flight``: the ledger has no end of it yet, so it will be settled.
    """

    key: str
    at: float
    input_tokens: int
    output_tokens: int
    money: int = 0
    id: str = ""
    in_flight: bool = False


@dataclass(frozen=True)
class QuotaState:
    """The use of one quota: within its window, in flight, and within the last 24 hours (counted by the hour)."""

    key: str
    requests: int
    input_tokens: int
    output_tokens: int
    in_flight: int
    requests_today: int
    money_today: int
    not_before: float | None  # epoch seconds of the store's clock
    breaker: BreakerState
    failures: int  # in a row

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class BreakerRules:
    """The rules of a circuit breaker.

    It opens after ``threshold`` failures in a row, or after ``threshold_unproven`` if no call succeeded within
    ``proven_seconds``. After ``cooldown_seconds`` it lets one probe through; each failed probe doubles the cooldown. A
    probe without a result for ``probe_seconds`` is replaced by the next. Any response of the provider is a success,
    429 and other refusals included.
    """

    threshold: int = 5
    threshold_unproven: int = 3
    proven_seconds: float = 60.0
    cooldown_seconds: float = 10.0
    max_cooldown_seconds: float = 60.0
    probe_seconds: float = 60.0


def whole_number(value: int, *, maximum: int, name: str) -> int:
    """Return ``value``. Raise ``ValueError`` unless it is a whole number from 0 to ``maximum``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= maximum:
        raise ValueError(f"{name} must be a whole number from 0 to {maximum}, not {str(value)[:40]}")
    return value


def microseconds(seconds: float) -> int:
    """Return whole microseconds. Raise ``ValueError`` if negative, not finite or beyond the year 2200."""
    if not math.isfinite(seconds) or not 0 <= seconds < 7.3e9:
        raise ValueError(f"Not a point in time or a duration: {seconds}")
    return round(seconds * MICROSECONDS)


def redis_keys(*quota_keys: str) -> list[str]:
    """Return the Redis keys of these quotas; quota.lua documents their contents."""
    return [f"{PREFIX}:{kind}:{key}" for key in quota_keys for kind in ("facts", "sent", "flying", "hours")]
