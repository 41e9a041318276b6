"""Which of the configured quotas are too small for a load, and by how much. Plain functions on plain values.

Deployments are filled in the order in which the gateway asks them: the next one gets what the quota of those before it
does not let through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.capacity.sizing import ModelDemand, model_demand
from apps.providers.quota.terms import MICROSECONDS, QuotaLimits

MINUTES_PER_DAY = 1440
PER_DAY = ("requests_per_day", "money_per_day")
WORDS = {
    "requests": "requests",
    "tokens": "tokens",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "calls_in_flight": "calls in flight",
    "requests_per_day": "requests a day",
    "money_per_day": "US dollars a day",
}


@dataclass(frozen=True)
class Serving:
    """A deployment as far as a load cares; prices in US dollars for a million tokens, None: unknown."""

    name: str
    limits: QuotaLimits
    max_output_tokens: int
    input_price: Decimal | None = None
    output_price: Decimal | None = None

    @property
    def has_price(self) -> bool:
        return self.input_price is not None and self.output_price is not None

    def dollars(self, demand: ModelDemand) -> float | None:
        if self.input_price is None or self.output_price is None:
            return None
        spent = float(self.input_price) * demand.input_tokens + float(self.output_price) * demand.output_tokens
        return spent / 1_000_000


@dataclass(frozen=True)
class Allowance:
    """How many pages a limit of a deployment lets through, by limit: a minute, and a day."""

    deployment: str
    per_minute: Mapping[str, float]
    per_day: Mapping[str, float]

    @property
    def pages_per_minute(self) -> float:
        return min(self.per_minute.values(), default=math.inf)

    @property
    def pages_per_day(self) -> float:
        return min(*self.per_day.values(), self.pages_per_minute * MINUTES_PER_DAY, math.inf)


@dataclass(frozen=True)
class TooSmall:
    """A limit that keeps a deployment from carrying what is asked of it; ``unit`` says of what and in which time."""

    deployment: str
    limit: str
    unit: str
    has: float
    needs: float

    @property
    def missing(self) -> float:
        return self.needs - self.has

    def in_words(self) -> str:
        return (
            f"{self.deployment}: {_number(self.has)} {self.unit} are too few by {_number(self.missing)}; "
            f"{_number(self.needs)} are needed"
        )


@dataclass(frozen=True)
class QuotaCheck:
    """What the deployments let through together; infinite where nothing limits them."""

    pages_per_minute: float
    pages_per_day: float
    lacking_per_minute: float
    lacking_per_day: float
    too_small: Sequence[TooSmall]

    @property
    def is_enough(self) -> bool:
        return not self.too_small


def allowance(serving: Serving, page_parser: str, *, call_seconds: float) -> Allowance:
    """What each limit of the deployment lets through, by the demand of the guide's pages."""
    per_page = _needs_per_page(serving, page_parser, call_seconds=call_seconds)
    limited = serving.limits.limited()
    # The store counts a window a little longer than it is (QuotaLimits.window).
    windows_a_minute = 60 * MICROSECONDS / serving.limits.window
    return Allowance(
        serving.name,
        per_minute={
            name: value / per_page[name] * (1.0 if name == "calls_in_flight" else windows_a_minute)
            for name, value in limited.items()
            if name not in PER_DAY
        },
        per_day={name: value / per_page[name] for name, value in limited.items() if name in PER_DAY and per_page[name]},
    )


def check_quotas(
    servings: Sequence[Serving],
    page_parser: str,
    *,
    pages_per_minute: float,
    pages_per_day: float,
    call_seconds: float,
) -> QuotaCheck:
    """Whether the deployments carry the busiest minute and the whole day.

    A limit is too small that keeps its deployment from its share and from all that is lacking.
    """
    allowances = [allowance(serving, page_parser, call_seconds=call_seconds) for serving in servings]
    a_minute = shares(pages_per_minute, [each.pages_per_minute for each in allowances])
    a_day = shares(pages_per_day, [each.pages_per_day for each in allowances])
    lacking_per_minute = _rest(pages_per_minute, a_minute)
    lacking_per_day = _rest(pages_per_day, a_day)
    too_small: list[TooSmall] = []
    for serving, allowed, minute, day in zip(servings, allowances, a_minute, a_day, strict=True):
        if lacking_per_minute:
            too_small += _too_small(serving, allowed.per_minute, minute + lacking_per_minute)
        if lacking_per_day:
            too_small += _too_small(serving, allowed.per_day, day + lacking_per_day)
    return QuotaCheck(
        pages_per_minute=sum(each.pages_per_minute for each in allowances),
        pages_per_day=sum(each.pages_per_day for each in allowances),
        lacking_per_minute=lacking_per_minute,
        lacking_per_day=lacking_per_day,
        too_small=too_small,
    )


def dollars_per_hour(
    servings: Sequence[Serving], page_parser: str, *, pages_per_minute: float, call_seconds: float
) -> float | None:
    """What the pages cost that the quotas let through; None where a deployment that gets some has no price, and where
    there is none."""
    if not servings:
        return None
    capacities = [allowance(each, page_parser, call_seconds=call_seconds).pages_per_minute for each in servings]
    total = 0.0
    for serving, pages in zip(servings, shares(pages_per_minute, capacities), strict=True):
        if pages:
            dollars = serving.dollars(model_demand(page_parser, pages * 60))
            if dollars is None:
                return None
            total += dollars
    return total


def shares(pages: float, capacities: Sequence[float]) -> list[float]:
    """What each gets, the first ones filled first."""
    taken = []
    for capacity in capacities:
        taken.append(min(pages, capacity))
        pages -= taken[-1]
    return taken


def _needs_per_page(serving: Serving, page_parser: str, *, call_seconds: float) -> dict[str, float]:
    page = model_demand(page_parser, 1)
    output = page.output_tokens
    if serving.limits.counts_max_tokens:
        output = page.requests * serving.max_output_tokens
    dollars = serving.dollars(page)
    return {
        "requests": page.requests,
        "tokens": page.input_tokens + output,
        "input_tokens": page.input_tokens,
        "output_tokens": output,
        "calls_in_flight": page.requests * call_seconds / 60,
        "requests_per_day": page.requests,
        "money_per_day": (dollars or 0.0) * MICROSECONDS,
    }


def _too_small(serving: Serving, allowed: Mapping[str, float], pages: float) -> list[TooSmall]:
    limited = serving.limits.limited()
    return [
        _told(serving, name, limited[name], limited[name] * pages / lets_through)
        for name, lets_through in allowed.items()
        if lets_through < pages
    ]


def _told(serving: Serving, name: str, has: float, needs: float) -> TooSmall:
    if name == "money_per_day":
        return TooSmall(serving.name, name, WORDS[name], has / MICROSECONDS, needs / MICROSECONDS)
    seconds = serving.limits.window_seconds
    window = "" if name in (*PER_DAY, "calls_in_flight") else f" in {seconds:g} s" if seconds != 60 else " a minute"
    return TooSmall(serving.name, name, WORDS[name] + window, has, math.ceil(needs - 1e-9))


def _rest(pages: float, taken: Sequence[float]) -> float:
    rest = pages - sum(taken)
    return rest if rest > pages * 1e-9 else 0.0


def _number(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
