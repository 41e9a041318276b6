"""Compute what a call costs from its tokens and the prices of its deployment, in whole billionths of a US dollar.

Prices are exact fractions, US dollars per million tokens, so that no sum drifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal, get_args

from apps.providers.calls.usage import ServiceTier, TokenUsage

Kind = Literal["input", "cached", "cache_write", "cache_write_hour", "output", "thinking"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NANOS_PER_DOLLAR = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000
_NANOS = NANOS_PER_DOLLAR // TOKENS_PER_PRICE
_WITHOUT_OWN_PRICE: dict[Kind, Kind] = {
    "cached": "input",
    "cache_write": "input",
    "cache_write_hour": "cache_write",
    "thinking": "output",
}
"""The kind whose price applies to a kind of tokens without a price of its own."""
_OF_TIER: dict[ServiceTier, Fraction] = {"batch": Fraction(1, 2)}
"""The part of the usual price that a tier without a price of its own costs. All providers' batches cost half."""


@dataclass(frozen=True)
class PriceKey:
    """The tokens that a price is for: their kind, service tier, and how many input tokens the call must exceed."""

    kind: Kind
    tier: ServiceTier = ""
    above: int = 0

    @classmethod
    def parse(cls, text: str) -> PriceKey:
        """Read the form of ``str``: "cached", "input flex", "output priority above 200000"."""
        plain, _, above = text.partition(" above ")
        kind, _, tier = plain.partition(" ")
        return cls(kind, tier, int(above or 0))  # type: ignore[arg-type]

    def __str__(self) -> str:
        tier = f" {self.tier}" if self.tier else ""
        return f"{self.kind}{tier}" + (f" above {self.above}" if self.above else "")


@dataclass(frozen=True)
class Prices:
    """The prices of a deployment. Every one that is not known follows from those that are.

    ``regions``: factors of the regions for which a provider charges more.
    """

    rates: Mapping[PriceKey, Fraction]
    regions: Mapping[str, Fraction] = field(default_factory=dict)

    @classmethod
    def of(
        cls, table: Mapping[str, str], typed: Mapping[Kind, Decimal | None], *, typed_tier: ServiceTier = ""
    ) -> Prices | None:
        """Return the prices; None if those of input or output are unknown.

        ``table``: prices from a price table, by ``str(PriceKey)``, and factors by "region NAME". ``typed`` prices
        replace them: they are those of ``typed_tier``, and the others of the same kind change in proportion.
        """
        regions = {name[7:]: Fraction(value) for name, value in table.items() if name.startswith("region ")}
        known = {
            PriceKey.parse(name): Fraction(value) for name, value in table.items() if not name.startswith("region ")
        }
        listed = cls(known, regions)
        rates: dict[PriceKey, Fraction] = {}
        for kind in KINDS:
            source = kind
            while typed.get(source) is None and source in _WITHOUT_OWN_PRICE:
                source = _WITHOUT_OWN_PRICE[source]
            price, replaced = typed.get(source), listed.rate(PriceKey(source, typed_tier))
            own = {key: value for key, value in known.items() if key.kind == kind}
            if price is not None and own and replaced:
                own = {key: value * Fraction(price) / replaced for key, value in own.items()}
            elif price is not None:
                own = {PriceKey(kind): Fraction(price)} if source == kind else {}
            rates |= own
        return cls(rates, regions) if PriceKey("input") in rates and PriceKey("output") in rates else None

    def rate(self, wanted: PriceKey) -> Fraction | None:
        """Return the price of these tokens in US dollars per million; None if it is unknown.

        A tier or a length without a price of its own changes the usual price as it changes that of input or output.
        """
        exact, usual = self.rates.get(wanted), self.rates.get(PriceKey(wanted.kind))
        if exact is not None or usual == 0:
            return exact if exact is not None else usual
        leader: Kind = "output" if wanted.kind in ("output", "thinking") else "input"
        if usual is None:
            other = _WITHOUT_OWN_PRICE.get(wanted.kind)
            return None if other is None else self.rate(PriceKey(other, wanted.tier, wanted.above))
        if wanted.kind != leader:
            now, before = self.rate(PriceKey(leader, wanted.tier, wanted.above)), self.rate(PriceKey(leader))
            return usual * now / before if now and before else usual
        of_tier = self.rates.get(PriceKey(leader, wanted.tier), usual * _OF_TIER.get(wanted.tier, 1))
        of_length = self.rates.get(PriceKey(leader, "", wanted.above), usual)
        return of_tier * of_length / usual

    def cost_nanos(self, usage: TokenUsage) -> int:
        """Return the cost of these tokens in billionths of a US dollar. A count that is None is 0."""
        total = usage.input_tokens or 0
        cached = min(usage.cached_tokens, total)
        written = min(usage.cache_write_tokens, total - cached)
        for_an_hour = min(usage.cache_write_hour_tokens, written)
        output = usage.output_tokens or 0
        thinking = min(usage.reasoning_tokens, output)
        counts: dict[Kind, int] = {
            "input": total - cached - written,
            "cached": cached,
            "cache_write": written - for_an_hour,
            "cache_write_hour": for_an_hour,
            "output": output - thinking,
            "thinking": thinking,
        }
        lengths = (key.above for key in self.rates if key.kind == "input" and key.above < total)
        above = max(lengths, default=0)
        dollars = sum(
            (
                count * (self.rate(PriceKey(kind, usage.service_tier, above)) or 0)
                for kind, count in counts.items()
                if count
            ),
            start=Fraction(0),
        )
        return round(dollars * self.regions.get(usage.region, Fraction(1)) * _NANOS)

    def max_cost_nanos(self, *, input_tokens: int, output_tokens: int, tier: ServiceTier = "") -> int:
        """Return the most that a call can cost: at the dearer of the usual tier and ``tier``, all input written to the
        provider's cache. A batch has no other tier."""
        tiers: tuple[ServiceTier, ...] = (tier,) if tier == "batch" else ("", tier)
        whole = [
            TokenUsage(input_tokens, output_tokens, cache_write_tokens=written, service_tier=billed)
            for written in (0, input_tokens)
            for billed in tiers
        ]
        return max(self.cost_nanos(usage) for usage in whole)
