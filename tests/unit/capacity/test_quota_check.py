"""Which quotas are too small for a load, by how much, and what the load costs."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from apps.capacity.quota_check import QuotaCheck, Serving, check_quotas, dollars_per_hour, shares
from apps.providers.quota.terms import QuotaLimits

# The store counts a minute as 60.4 s, so a limit lets 150 of 151 through.
GUARD = 151 / 150


def serving(name: str = "house", price: str | None = None, **limits: Any) -> Serving:
    priced = {"input_price": Decimal(price), "output_price": Decimal(price)} if price else {}
    return Serving(name, QuotaLimits(f"deployment:{name}", **limits), 8192, **priced)


def check(*servings: Serving, pages: float = 1_000, page_parser: str = "llm") -> QuotaCheck:
    return check_quotas(servings, page_parser, pages_per_minute=pages, pages_per_day=pages * 1440, call_seconds=4.0)


def test_no_limit_is_enough_for_everything() -> None:
    found = check(serving())

    assert found.is_enough
    assert found.pages_per_minute == math.inf


def test_a_quota_that_is_large_enough_is_not_told() -> None:
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
def test_a_quota_that_is_too_small_is_told_with_what_is_missing(limit: str, has: int, needs: float) -> None:
    limits: dict[str, Any] = {limit: has}

    found = check(serving(**limits))

    [told] = [each for each in found.too_small if each.limit == limit]
    assert told.deployment == "house"
    assert told.has == has
    assert told.needs == math.ceil(needs)
    assert told.missing == math.ceil(needs) - has
    assert found.lacking_per_minute == pytest.approx(1_000 - found.pages_per_minute)


def test_a_quota_of_a_day_is_measured_with_the_day() -> None:
    found = check(serving(requests_per_day=10_000))

    [told] = found.too_small
    assert (told.limit, told.needs) == ("requests_per_day", 1_010 * 1440)
    assert found.lacking_per_minute == 0


def test_money_a_day_needs_a_price() -> None:
    # 2,700 tokens a page at $1 a million.
    [told] = check(serving(price="1", money_per_day=1_000_000_000)).too_small

    assert (told.has, told.needs) == (1_000.0, pytest.approx(2_700 * 1_000 / 1e6 * 1440))
    assert check(serving(money_per_day=1)).is_enough


def test_a_window_of_a_second_is_a_minute_sixty_times() -> None:
    found = check(serving(requests=10, window_seconds=1.0))

    # The guard of so short a window is a tenth of it.
    assert found.pages_per_minute == pytest.approx(10 * 60 / 1.01 / 1.1)
    assert "in 1 s" in found.too_small[0].in_words()


def test_a_provider_that_counts_what_was_asked_for_needs_more_tokens() -> None:
    [told] = check(serving(output_tokens=1_000_000, counts_max_tokens=True)).too_small

    assert told.needs == math.ceil(1_010 * 8192 * GUARD)


def test_deployments_add_up_and_only_what_is_lacking_is_asked_for_more() -> None:
    found = check(serving("first", requests=505), serving("second", requests=404))

    assert found.pages_per_minute == pytest.approx(900 / GUARD)
    needed = {each.deployment: each.needs for each in found.too_small}
    # Each could make good what is lacking by itself: 1,000 pages less what the other does.
    assert needed == {"first": math.ceil(1_010 * GUARD - 404), "second": math.ceil(1_010 * GUARD - 505)}


def test_a_second_deployment_without_limits_takes_what_the_first_cannot() -> None:
    assert check(serving("first", requests=1), serving("second")).is_enough


def test_money_an_hour_is_of_the_deployments_that_get_the_pages() -> None:
    cheap, dear = serving("cheap", price="1", requests=505), serving("dear", price="10")

    cost = dollars_per_hour([cheap, dear], "llm", pages_per_minute=1_000, call_seconds=4.0)

    cheap_pages = 500 / GUARD
    assert cost == pytest.approx(60 * 0.0027 * (cheap_pages + 10 * (1_000 - cheap_pages)))


def test_an_unknown_price_is_unknown_and_never_nothing() -> None:
    def cost(*servings: Serving) -> float | None:
        return dollars_per_hour(servings, "llm", pages_per_minute=1_000, call_seconds=4.0)

    assert cost(serving()) is None
    assert cost() is None
    assert cost(serving("priced", price="1", requests=1), serving("unpriced")) is None
    assert cost(serving("priced", price="1"), serving("never asked")) == pytest.approx(162.0)
    assert cost(serving(price="0")) == 0.0


def test_the_first_are_filled_first() -> None:
    assert shares(10, [4, 3, math.inf]) == [4, 3, 3]
    assert shares(5, [4, 3, math.inf]) == [4, 1, 0]
