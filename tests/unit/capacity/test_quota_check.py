"""Quotas that are too small for a load, the missing amount, and the costs of a load."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from apps.capacity.quota_check import QuotaCheck, Serving, check_quotas, dollars_per_hour, shares
from apps.providers.quota.terms import QuotaLimits

# The store counts a minute as 60.4 s, so a limit allows 150 of 151.
GUARD = 151 / 150


def serving(name: str = "house", price: str | None = None, **limits: Any) -> Serving:
    priced: dict[str, Any] = {"input_price": Decimal(price), "output_price": Decimal(price)} if price else {}
    return Serving(name, QuotaLimits(f"deployment:{name}", **limits), 8192, **priced)


def check(*servings: Serving, pages: float = 1_000, page_parser: str = "llm") -> QuotaCheck:
    return check_quotas(servings, page_parser, pages_per_minute=pages, pages_per_day=pages * 1440, call_seconds=4.0)


def test_without_a_limit_any_load_is_allowed() -> None:
    found = check(serving())

    assert found.is_enough
    assert found.pages_per_minute == math.inf


def test_a_quota_that_is_large_enough_is_not_reported() -> None:
    found = check(serving(requests=1_020, tokens=2_800_000, calls_in_flight=68, requests_per_day=1_500_000))

    assert found.is_enough
    assert found.lacking_per_minute == found.lacking_per_day == 0


@pytest.mark.parametrize(
    ("limit", "has", "needs"),
    [
        ("requests", 500, 1_010 * GUARD),
        ("tokens", 1_000_000, 2_700_000 * GUARD),
        ("input_tokens", 300_000, 1_200_000 * GUARD),
        ("output_tokens", 300_000, 1_500_000 * GUARD),
        ("calls_in_flight", 10, 1_010 * 4 / 60),
    ],
)
def test_a_quota_that_is_too_small_is_reported_with_the_missing_amount(limit: str, has: int, needs: float) -> None:
    limits: dict[str, Any] = {limit: has}

    found = check(serving(**limits))

    [found_limit] = [each for each in found.too_small if each.limit == limit]
    assert found_limit.deployment == "house"
    assert found_limit.has == has
    assert found_limit.needs == math.ceil(needs)
    assert found_limit.missing == math.ceil(needs) - has
    assert found.lacking_per_minute == pytest.approx(1_000 - found.pages_per_minute)


def test_a_daily_quota_is_compared_with_the_load_of_a_day() -> None:
    found = check(serving(requests_per_day=10_000))

    [found_limit] = found.too_small
    assert (found_limit.limit, found_limit.needs) == ("requests_per_day", 1_010 * 1440)
    assert found.lacking_per_minute == 0


def test_a_daily_limit_of_dollars_needs_a_price() -> None:
    # 2,700 tokens per page at $1 per million.
    [found_limit] = check(serving(price="1", money_per_day=1_000_000_000)).too_small

    assert (found_limit.has, found_limit.needs) == (1_000.0, pytest.approx(2_700 * 1_000 / 1e6 * 1440))
    assert check(serving(money_per_day=1)).is_enough


def test_a_window_of_a_second_counts_sixty_times_a_minute() -> None:
    found = check(serving(requests=10, window_seconds=1.0))

    # The store counts such a short window a tenth longer.
    assert found.pages_per_minute == pytest.approx(10 * 60 / 1.01 / 1.1)
    assert "in 1 s" in found.too_small[0].in_words()


def test_a_provider_that_counts_requested_tokens_needs_more_of_them() -> None:
    [found_limit] = check(serving(output_tokens=1_000_000, counts_max_tokens=True)).too_small

    # A request allows 500 tokens and twice those of the answer, of which the guide has 1.5 million.
    assert found_limit.needs == math.ceil((1_010 * 500 + 2 * 1_500_000) * GUARD)


@pytest.mark.parametrize(("thinking", "requested"), [(1_000, 1_010 * 1_500 + 2 * 1_500_000), (90_000, 1_010 * 8192)])
def test_the_thinking_that_a_provider_allows_counts_up_to_the_limit(thinking: int, requested: int) -> None:
    counting = serving(output_tokens=1_000_000, counts_max_tokens=True)

    [found_limit] = check(replace(counting, thinking_tokens=thinking)).too_small

    assert found_limit.needs == math.ceil(requested * GUARD)


def test_deployments_add_up_and_the_missing_rest_is_reported_for_each() -> None:
    found = check(serving("first", requests=505), serving("second", requests=404))

    assert found.pages_per_minute == pytest.approx(900 / GUARD)
    needed = {each.deployment: each.needs for each in found.too_small}
    # Each alone could process the missing pages: 1,000 minus those of the other.
    assert needed == {"first": math.ceil(1_010 * GUARD - 404), "second": math.ceil(1_010 * GUARD - 505)}


def test_a_second_deployment_gets_the_pages_that_the_first_cannot_process() -> None:
    assert check(serving("first", requests=1), serving("second")).is_enough


def test_costs_are_those_of_the_deployments_that_get_the_pages() -> None:
    cheap, expensive = serving("cheap", price="1", requests=505), serving("expensive", price="10")

    cost = dollars_per_hour([cheap, expensive], "llm", pages_per_minute=1_000, call_seconds=4.0)

    cheap_pages = 500 / GUARD
    assert cost == pytest.approx(60 * 0.0027 * (cheap_pages + 10 * (1_000 - cheap_pages)))


def test_without_a_price_the_cost_is_unknown_and_not_zero() -> None:
    def cost(*servings: Serving) -> float | None:
        return dollars_per_hour(servings, "llm", pages_per_minute=1_000, call_seconds=4.0)

    assert cost(serving()) is None
    assert cost() is None
    assert cost(serving("priced", price="1", requests=1), serving("unpriced")) is None
    assert cost(serving("priced", price="1"), serving("never called")) == pytest.approx(162.0)
    assert cost(serving(price="0")) == 0.0


def test_capacities_are_filled_in_their_order() -> None:
    assert shares(10, [4, 3, math.inf]) == [4, 3, 3]
    assert shares(5, [4, 3, math.inf]) == [4, 1, 0]
