"""The words of quota: what an account may use, what a call needs, and what the store answers.

Nothing here is asked of a provider; quota.py keeps the counts and quota_model.py says what they must be.
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
GUARD_SECONDS = 0.4  # by which calls are later at the provider's door than one another
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
    """The limits of one account; None: not limited. Money in millionths of a US dollar.

    ``key`` names the account: "deployment:12", "project:<uuid>". A provider that ``counts_max_tokens`` counts what was
    asked for, so settling gives no output tokens back.
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
            raise ValueError("An account's key has 1 to 200 characters")
        if not MIN_WINDOW_SECONDS <= self.window_seconds <= MAX_WINDOW_SECONDS:
            raise ValueError(
                f"A window has {MIN_WINDOW_SECONDS} to {MAX_WINDOW_SECONDS:.0f} seconds: {self.window_seconds}"
            )
        for name, value in self.limited().items():
            whole(value, most=MAX_LIMIT, what=name)

    def limited(self) -> dict[str, int]:
        """What is limited, by its name."""
        return {name: value for name in _LIMITS if (value := getattr(self, name)) is not None}

    @property
    def window(self) -> int:
        """Microseconds a call is counted for: the window and a guard, 1/150 of it (0.4 s of a minute) or more.

        The provider counts at its own door, where calls come a little later than they were sent, and not all equally
        late: the guard takes up that difference (connection, scheduling, network). It costs 0.7 % of the rate of a
        minute. What calls need on their way is no shorter where the window is: the guard is 0.4 s of ten seconds, too,
        and a tenth of windows that are shorter still.
        """
        window = microseconds(self.window_seconds)
        return window + max(window // 150, min(microseconds(GUARD_SECONDS), window // 10))

    @property
    def lag(self) -> int:
        """Microseconds (0.5 s of a minute) between reserving and sending that are assumed until settle says better.

        It only counts where a call takes longer than the window: an entry that leaves before it was corrected would
        leave too early.
        """
        return microseconds(self.window_seconds) // 120

    @property
    def tolerance(self) -> int:
        """Microseconds by which the pace of twice the mean rate may be overdrawn: 1/60 of the limit, or one call."""
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
class Need:
    """The most one call can use. ``output_tokens``: the longest answer asked for; ``money``: None where it is free."""

    input_tokens: int
    output_tokens: int
    money: int | None = None

    def __post_init__(self) -> None:
        whole(self.input_tokens, most=MAX_CALL_TOKENS, what="input_tokens")
        whole(self.output_tokens, most=MAX_CALL_TOKENS, what="output_tokens")
        whole(self.money or 0, most=MAX_CALL_MICROS, what="money")


@dataclass(frozen=True)
class Reservation:
    """One call that may be made now. Settle or release it; what is forgotten comes back after ``hold_seconds``.

    ``reserved_at`` is in epoch seconds of the store's clock, which need not be this host's.
    """

    id: str
    accounts: tuple[QuotaLimits, ...]
    need: Need
    reserved_at: float
    epoch: str
    _received: float = field(default_factory=time.monotonic, repr=False, compare=False)

    def store_clock(self) -> float:
        """What the store's clock shows now, by this host's monotonic clock: note it as ``sent_at`` before sending."""
        return self.reserved_at + time.monotonic() - self._received


@dataclass(frozen=True)
class Refused:
    """No call now. ``wait_seconds``: when asking again makes sense; infinite when this call can never be made.

    Each caller is promised a moment of its own, not before the first at which the limit named can allow it. For
    "calls_in_flight" that is a guess from how long calls take, and a caller behind a probe is told to look again.
    """

    key: str
    limit: LimitName
    wait_seconds: float


@dataclass(frozen=True)
class PastCall:
    """A call that the ledger remembers, for one account. ``at`` in epoch seconds, no earlier than it was sent;
    ``id`` that of its reservation.

    ``in_flight``: it has not ended yet as far as the ledger knows, and will be settled.
    """

    key: str
    at: float
    input_tokens: int
    output_tokens: int
    money: int = 0
    id: str = ""
    in_flight: bool = False


@dataclass(frozen=True)
class AccountState:
    """What one account has used: within its window, in flight, and within the last 24 hours (counted in hours)."""

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
    """When an account is left alone: ``threshold`` failures in a row, or ``threshold_unproven`` when nothing has
    succeeded for ``proven_seconds``. Then one probe is let through after ``cooldown_seconds``, which doubles with each
    probe that fails; a probe that says nothing for ``probe_seconds`` makes room for the next.

    An answer that shows the provider alive (429 and other refusals too) is a success.
    """

    threshold: int = 5
    threshold_unproven: int = 3
    proven_seconds: float = 60.0
    cooldown_seconds: float = 10.0
    longest_cooldown_seconds: float = 60.0
    probe_seconds: float = 60.0


def whole(value: int, *, most: int, what: str) -> int:
    """The same number; ``ValueError`` when it is negative, absurdly large or no whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{what} is a whole number from 0 to {most}: {str(value)[:40]}")
    return value


def microseconds(seconds: float) -> int:
    """Whole microseconds; ``ValueError`` when the number is negative, not finite or beyond the year 2200."""
    if not math.isfinite(seconds) or not 0 <= seconds < 7.3e9:
        raise ValueError(f"Not a moment or a length of time: {seconds}")
    return round(seconds * MICROSECONDS)


def keys_of(*accounts: str) -> list[str]:
    """The store's keys of these accounts; quota.lua says what each holds."""
    return [f"{PREFIX}:{kind}:{key}" for key in accounts for kind in ("facts", "sent", "flying", "hours")]
