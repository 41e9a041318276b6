"""What calls cost: every kind of token, tier and length at its price, exact to a billionth of a dollar."""

from __future__ import annotations

import random
from decimal import Decimal, localcontext

import pytest

from apps.providers.calls.usage import ServiceTier, TokenUsage
from apps.providers.model_facts.price_table import PUBLISHED, find_prices, table_name
from apps.providers.prices import KINDS, Kind, PriceKey, Prices

MINI = {"input": "0.15", "cached": "0.075", "output": "0.6"}
TIERS = {
    "input": "2",
    "cached": "0.2",
    "cache_write": "2.5",
    "cache_write_hour": "4",
    "output": "10",
    "thinking": "8",
    "input flex": "1",
    "output flex": "5",
    "input priority": "4",
    "output priority": "20",
    "input above 200000": "4",
    "output above 200000": "15",
}


def prices(table: dict[str, str], **typed: str) -> Prices:
    found = Prices.of(table, {kind: Decimal(typed[kind]) if kind in typed else None for kind in KINDS})
    assert found is not None
    return found


def test_tokens_from_the_cache_are_booked_at_their_price() -> None:
    usage = TokenUsage(793, 100, cached_tokens=700)

    assert prices(MINI).cost_nanos(usage) == 93 * 150 + 700 * 75 + 100 * 600


def test_every_kind_of_token_has_its_price() -> None:
    usage = TokenUsage(1000, 500, 300, cache_write_tokens=200, cache_write_hour_tokens=50, reasoning_tokens=400)

    assert prices(TIERS).cost_nanos(usage) == 1000 * (500 * 2 + 60 + 375 + 200 + 100 * 10 + 400 * 8)


def test_a_tier_without_prices_for_caches_changes_them_as_it_changes_input() -> None:
    assert prices(TIERS).rate(PriceKey("cached", "flex")) == Decimal("0.1")
    assert prices(TIERS).rate(PriceKey("cache_write_hour", "priority")) == 8
    assert prices(TIERS).rate(PriceKey("thinking", "priority")) == 16
    assert prices(TIERS).rate(PriceKey("input", "batch")) == 1  # all providers' batches cost half


@pytest.mark.parametrize(("tokens", "dollars"), [(200_000, 2), (200_001, 4)])
def test_a_long_context_costs_more_from_its_first_token(tokens: int, dollars: int) -> None:
    assert prices(TIERS).cost_nanos(TokenUsage(tokens, 0)) == tokens * dollars * 1000
    assert prices(TIERS).rate(PriceKey("input", "flex", 200_000)) == 2


def test_entered_prices_replace_listed_ones_and_keep_their_proportions() -> None:
    entered = prices(TIERS, input="1", output="8")

    assert entered.rate(PriceKey("cached")) == Decimal("0.1")
    assert entered.rate(PriceKey("input", "priority")) == 2
    assert entered.rate(PriceKey("output", "flex")) == 4
    assert entered.rate(PriceKey("thinking")) == Decimal("6.4")
    assert prices(TIERS, cached="0.5").rate(PriceKey("cached")) == Decimal("0.5")
    assert prices(TIERS, cached="0.5").rate(PriceKey("input")) == 2


def test_entered_prices_alone_hold_for_everything() -> None:
    entered = prices({}, input="2.5", output="10", cached="1.25")

    assert entered.cost_nanos(TokenUsage(793, 100, cached_tokens=700)) == 93 * 2500 + 700 * 1250 + 100 * 10_000
    assert entered.cost_nanos(TokenUsage(100, 10, cache_write_tokens=100, service_tier="priority")) == 350_000
    assert Prices.of({}, {"input": Decimal(1), "output": None}) is None


def test_prices_entered_for_a_deployment_of_a_tier_are_those_of_the_tier() -> None:
    entered = Prices.of(TIERS, {"input": Decimal(3), "output": Decimal(20)}, typed_tier="priority")

    assert entered is not None
    assert (entered.rate(PriceKey("input", "priority")), entered.rate(PriceKey("output", "priority"))) == (3, 20)


def test_free_models_cost_nothing_and_are_not_unknown() -> None:
    assert prices(TIERS, input="0", output="0").cost_nanos(TokenUsage(1000, 1000, cached_tokens=10)) == 0


def test_no_call_costs_more_than_its_maximum_and_sums_do_not_drift() -> None:
    draw = random.Random(7)
    listed = [
        found.prices
        for family, model in (
            ("openai", "gpt-5-mini"),
            ("anthropic", "claude-sonnet-4-5"),
            ("gemini", "gemini-2.5-pro"),
            ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        )
        if (found := find_prices(family, model, {}))
    ]
    assert len(listed) == 4
    for _ in range(500):
        known = prices(draw.choice(listed))
        tokens, output = draw.randrange(300_000), draw.randrange(30_000)
        cached = draw.randrange(tokens + 1)
        written = draw.randrange(tokens - cached + 1)
        thinking = draw.randrange(output + 1)
        tiers: tuple[ServiceTier, ...] = ("", "flex", "priority")
        tier = draw.choice(tiers)
        above = max((key.above for key in known.rates if key.kind == "input" and key.above < tokens), default=0)
        counts: dict[Kind, int] = {
            "input": tokens - cached - written,
            "cached": cached,
            "cache_write": written,
            "output": output - thinking,
            "thinking": thinking,
        }

        cost = known.cost_nanos(
            TokenUsage(tokens, output, cached, written, reasoning_tokens=thinking, service_tier=tier)
        )

        with localcontext(prec=60):
            dollars = Decimal(0)
            for kind, count in counts.items():
                price = known.rate(PriceKey(kind, tier, above))
                assert price is not None
                dollars += count * Decimal(price.numerator) / Decimal(price.denominator)
            assert abs(cost - dollars * 1000) <= Decimal("0.5")
        assert 0 <= cost <= known.max_cost_nanos(input_tokens=tokens, output_tokens=output, tier=tier)


# --- the price table ---


def test_the_table_names_the_day_it_is_from() -> None:
    release, date = next(iter(PUBLISHED.items()))

    assert table_name() == f"litellm {release}, published {date}"


@pytest.mark.parametrize(
    ("family", "model", "settings", "name"),
    [
        ("openai", "gpt-4o-mini", {}, "gpt-4o-mini"),
        ("azure", "gpt-5-mini", {"base_url": "https://pages.openai.azure.com"}, "azure/gpt-5-mini"),
        ("anthropic", "claude-sonnet-4-5", {}, "claude-sonnet-4-5"),
        ("gemini", "gemini-2.5-flash", {}, "gemini/gemini-2.5-flash"),
        ("vertex_ai", "gemini-2.5-flash", {"location": "europe-west4"}, "gemini-2.5-flash"),
        ("vertex_ai", "claude-sonnet-4-5@20250929", {}, "vertex_ai/claude-sonnet-4-5@20250929"),
        (
            "bedrock",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            {"aws_region": "eu-central-1"},
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "bedrock",
            "arn:aws:bedrock:eu-central-1:1234:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            {},
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "openai_compatible",
            "mistral-large-latest",
            {"base_url": "https://api.mistral.ai/v1"},
            "mistral-large-latest",
        ),
    ],
)
def test_every_family_finds_its_model(family: str, model: str, settings: dict[str, str], name: str) -> None:
    found = find_prices(family, model, settings)

    assert found is not None
    assert found.source.endswith(name)
    assert Prices.of(found.prices, {})


@pytest.mark.parametrize(
    ("family", "model", "settings"),
    [
        ("azure", "pages-prod", {"base_url": "https://pages.openai.azure.com"}),
        ("openai_compatible", "gpt-4o-mini", {"base_url": "http://127.0.0.1:8000/v1"}),
        ("anthropic", "gpt-4o-mini", {}),
        ("openai", "claude-sonnet-4-5", {}),
    ],
)
def test_a_model_of_another_seller_has_no_price(family: str, model: str, settings: dict[str, str]) -> None:
    assert find_prices(family, model, settings) is None


def test_prices_are_those_of_the_table_and_of_the_region() -> None:
    usual = find_prices("openai", "gpt-5.4", {})
    europe = find_prices("openai", "gpt-5.4", {"base_url": "https://eu.api.openai.com/v1"})
    sonnet = find_prices("anthropic", "claude-sonnet-4-5", {})
    assert usual
    assert europe
    assert sonnet

    assert (usual.prices["input"], usual.prices["output flex"]) == ("2.5", "7.5")
    assert (europe.prices["input"], europe.prices["output flex"]) == ("2.75", "8.25")
    expected = {"input": "3", "cached": "0.3", "cache_write": "3.75", "cache_write_hour": "6", "output": "15"}
    assert expected.items() <= sonnet.prices.items()
