"""Compare configured quotas with a load: which are too small, and by how much. Plain functions on plain values.

Deployments get pages in the order in which the gateway calls them: each gets the pages that the quotas of those before
it do not allow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

from apps.capacity.sizing import ModelDemand, model_demand
from apps.parsing.page_parser import ANSWER_TOKENS_PER_PAGE_TOKEN, MIN_ANSWER_TOKENS
from apps.providers.quota.terms import MICROSECONDS, QuotaLimits

MINUTES_PER_DAY = 1440
PER_DAY = ("requests_per_day", "money_per_day")
UNITS = {
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
    """The facts of a deployment that matter for a load; prices in US dollars per million tokens, None: unknown.

    ``thinking_tokens``: those of its answers so far.
    """

    name: str
    limits: QuotaLimits
    max_output_tokens: int
    input_price: SupportsFloat | None = None
    output_price: SupportsFloat | None = None
    thinking_tokens: int = 0

    @property
    def has_price(self) -> bool:
        return self.input_price is not None and self.output_price is not None

    def requested_tokens(self, demand: ModelDemand) -> float:
        """Return the output tokens that requests allow, which some providers count in place of the actual ones."""
        answer = demand.output_tokens / demand.requests
        limit = MIN_ANSWER_TOKENS + ANSWER_TOKENS_PER_PAGE_TOKEN * answer + self.thinking_tokens
        return demand.requests * min(limit, self.max_output_tokens)

    def dollars(self, demand: ModelDemand) -> float | None:
        if self.input_price is None or self.output_price is None:
            return None
        spent = float(self.input_price) * demand.input_tokens + float(self.output_price) * demand.output_tokens
        return spent / 1_000_000


@dataclass(frozen=True)
class Allowance:
    """The pages that a deployment's limits allow, by limit: a minute, and a day."""

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
    """A limit that is too small for the load. ``unit`` is the unit of ``has`` and ``needs``: "requests a minute"."""

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
    """The pages that the deployments allow together (infinite without limits), and the pages beyond that."""

    pages_per_minute: float
    pages_per_day: float
    lacking_per_minute: float
    lacking_per_day: float
    too_small: Sequence[TooSmall]

    @property
    def is_enough(self) -> bool:
        return not self.too_small


def allowance(serving: Serving, page_parser: str, *, call_seconds: float) -> Allowance:
    """Return the pages that each limit of the deployment allows, with the guide's requests and tokens per page."""
    page = model_demand(page_parser, 1)
    output = page.output_tokens
    if serving.limits.counts_max_tokens:
        output = serving.requested_tokens(page)
    per_page = {
        "requests": page.requests,
        "tokens": page.input_tokens + output,
        "input_tokens": page.input_tokens,
        "output_tokens": output,
        "calls_in_flight": page.requests * call_seconds / 60,
        "requests_per_day": page.requests,
        "money_per_day": (serving.dollars(page) or 0.0) * MICROSECONDS,
    }
    limited = serving.limits.limited()
    # The store counts a window slightly longer than it is (QuotaLimits.window).
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
    """Compare the deployments' quotas with the busiest minute and the whole day.

    A limit is too small if its deployment could not process its own share and all the missing pages.
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
    """Return the cost of the pages that the quotas allow.

    Return None without deployments, or if one that gets pages has no price.
    """
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
    """Distribute pages: each capacity is filled before the next one gets any."""
    given = []
    for capacity in capacities:
        given.append(min(pages, capacity))
        pages -= given[-1]
    return given


def _too_small(serving: Serving, allowed: Mapping[str, float], pages: float) -> list[TooSmall]:
    """Return the limits that allow fewer than ``pages``."""
    limited, seconds = serving.limits.limited(), serving.limits.window_seconds
    found = []
    for name, allowed_pages in allowed.items():
        if allowed_pages >= pages:
            continue
        has, needs = limited[name], limited[name] * pages / allowed_pages
        if name == "money_per_day":
            found.append(TooSmall(serving.name, name, UNITS[name], has / MICROSECONDS, needs / MICROSECONDS))
            continue
        window = "" if name in (*PER_DAY, "calls_in_flight") else f" in {seconds:g} s" if seconds != 60 else " a minute"
        found.append(TooSmall(serving.name, name, UNITS[name] + window, has, math.ceil(needs - 1e-9)))
    return found


def _rest(pages: float, given: Sequence[float]) -> float:
    """Return the pages that no deployment got, without rounding errors."""
    rest = pages - sum(given)
    return rest if rest > pages * 1e-9 else 0.0


def _number(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
