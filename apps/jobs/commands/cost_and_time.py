"""Estimate the cost and the duration of a job from its usage and the deployments that may serve it.

``usage`` holds the estimated requests and tokens for each mode, ``targets`` the deployments of each mode, in the order
of use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from django.conf import settings

from apps.parsing.modes import PAGE_PARSER_OF_MODE
from apps.parsing.usage_estimate import UsageEstimate
from apps.providers import ledger
from apps.providers.calls.attempts import BATCHED_PARSERS
from apps.providers.calls.usage import ServiceTier, TokenUsage
from apps.providers.catalog import Target
from apps.providers.prices import NANOS_PER_DOLLAR

# Requests per needed request. Our own checks refuse no correct answer (docs/quality-and-speed.md), and failed calls
# cost nothing, but real models make errors. LlamaParse's guide counts 1.01 for language and 1.2 for vision models.
RETRIES = 1.2
DEFAULT_CALL_SECONDS = 5.0  # for a model without calls in the last day
# Measured on two cores: bench/results/service-embedded.json (12,900 pages a minute; a one-page document takes 0.08 to
# 0.14 s) and docs/quality-and-speed.md (121 pages a minute). The high value is for a machine that has other work, too.
_JOB_SECONDS = (0.1, 1.0)
_READ_SECONDS = (0.0093, 0.03)
_OCR_SECONDS = (0.9, 2.0)


@dataclass(frozen=True)
class Range:
    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)


def estimate_cost(
    usage: Mapping[str, Sequence[UsageEstimate]], targets: Mapping[str, Sequence[Target]], *, can_wait: bool
) -> Range | None:
    """Return the cost in US dollars; None if a price is unknown or no provider serves a mode.

    ``usage``: for each mode that of each of its deployments, which count pictures differently.

    The low end is the cheapest of the deployments that are used first, without retries, in a batch or the flex tier
    if the job ``can_wait``; the high end is the most expensive of all deployments, with retries.
    """
    total = Range(0.0, 0.0)
    for mode, of_targets in usage.items():
        allowed = targets[mode]
        if not allowed or not all(target.row.has_price for target in allowed):
            return None
        demands = list(zip(allowed, of_targets, strict=True))
        low = min(
            target.cost_nanos(replace(_of_call(demand, "least"), service_tier=tier)) or 0
            for target, demand in demands
            for tier in ("", *cheap_tiers(target, mode, can_wait=can_wait))
            if target.order == allowed[0].order
        )
        high = max(target.cost_nanos(_of_call(demand, "most")) or 0 for target, demand in demands)
        nanos = of_targets[0].requests / NANOS_PER_DOLLAR
        total += Range(low * nanos, high * nanos * RETRIES)
    return total


def _of_call(demand: UsageEstimate, end: Literal["least", "most"]) -> TokenUsage:
    """Return the usage of one of the requests, at an end of the range."""
    each = 1 / demand.requests if demand.requests else 0.0
    return TokenUsage(round(getattr(demand.input, end) * each), round(getattr(demand.output, end) * each))


def cheap_tiers(target: Target, mode: str, *, can_wait: bool) -> list[ServiceTier]:
    """Return the tiers in which the deployment serves a job's pages for less."""
    is_batched = PAGE_PARSER_OF_MODE[mode] in BATCHED_PARSERS
    return [tier for tier in target.cheaper_tiers if tier != "batch" or is_batched] if can_wait else []


def estimate_seconds(
    usage: Mapping[str, UsageEstimate], targets: Mapping[str, Sequence[Target]], *, pages: int, pages_for_ocr: int
) -> Range:
    """Return the duration of this job alone, with one worker of each kind. The time in queues is unknown here."""
    low, high = (
        begin + pages * read / settings.PARSE_PROCESSES + pages_for_ocr * ocr / settings.OCR_WORKER
        for begin, read, ocr in zip(_JOB_SECONDS, _READ_SECONDS, _OCR_SECONDS, strict=True)
    )
    models = [seconds_of_calls(mode, demand, targets[mode]) for mode, demand in usage.items()]  # they work in parallel
    return Range(
        low + max((each.low for each in models), default=0.0), high + max((each.high for each in models), default=0.0)
    )


def seconds_of_calls(mode: str, demand: UsageEstimate, targets: Sequence[Target]) -> Range:
    """Return the duration of the calls of one mode, limited by their latency, by the worker's width and by quotas."""
    parser = PAGE_PARSER_OF_MODE[mode]
    call = ledger.mean_seconds(parser) or DEFAULT_CALL_SECONDS
    one_page = (2 if parser == "agent" else 1) * call

    width = settings.QUEUES[parser].width
    in_flight = [target.limits.calls_in_flight for target in targets]
    limited = [limit for limit in in_flight if limit is not None]
    calls_at_once = min(width, sum(limited)) if targets and len(limited) == len(in_flight) else width

    # Requests per second that the quotas of all deployments allow, and requests that their first windows allow at once.
    rate, burst = 0.0, 0.0
    input_tokens, output_tokens = demand.input.likely / demand.requests, demand.output.likely / demand.requests
    for target in targets:
        limits = target.limits
        needs = (
            (limits.requests, 1.0),
            (limits.tokens, input_tokens + output_tokens),
            (limits.input_tokens, input_tokens),
            (limits.output_tokens, output_tokens),
        )
        window = min((limit / need for limit, need in needs if limit is not None), default=float("inf"))
        rate += window / limits.window_seconds
        burst += window
    if not targets:
        rate = float("inf")

    low = max(one_page, demand.requests * call / calls_at_once, (demand.requests - burst) / rate)
    high = RETRIES * max(one_page, demand.requests * call / calls_at_once, demand.requests / rate) + one_page
    return Range(low, high)
