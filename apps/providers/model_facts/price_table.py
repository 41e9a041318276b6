"""Find a model's prices in litellm's table of models, for deployments without entered prices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from apps.providers.calls.usage import tier_named
from apps.providers.model_facts.model_table import table
from apps.providers.prices import Kind, PriceKey

PUBLISHED = {"1.106.2": "2026-10-21"}
"""When the releases of litellm that this release was tested with were published. The file itself has no date."""
_COLUMN = re.compile(
    r"(?P<kind>input_cost_per_token|output_cost_per_token|output_cost_per_reasoning_token"
    r"|cache_read_input_token_cost|cache_creation_input_token_cost(?P<hour>_above_1hr)?)"
    r"(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>flex|priority|batches))?"
)
_KINDS: dict[str, Kind] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "thinking",
    "cache_read_input_token_cost": "cached",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_hour",
}
_SELLERS = frozenset({"openai", "azure", "anthropic", "bedrock", "vertex_ai", "gemini"})
"""The families of one seller. The table's name of the seller begins like the family's."""
_HOSTS = {
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks_ai",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.together.xyz": "together_ai",
    "api.x.ai": "xai",
    "openrouter.ai": "openrouter",
}
"""The table's name of the seller behind an OpenAI-compatible address. Servers of one's own have no price there."""
_GEOGRAPHY = re.compile(r"^(?:us-gov|us|eu|apac|au|jp|ca|global)\.")


@dataclass(frozen=True)
class ListedPrices:
    """A model's prices in the table: US dollars per million tokens by ``str(PriceKey)``, and where they are from."""

    source: str
    prices: dict[str, str]


def find_prices(family: str, model: str, settings: Mapping[str, Any]) -> ListedPrices | None:
    """Return the prices of the model at a provider with these settings; None if the table does not have them."""
    host = urlsplit(str(settings.get("base_url") or "")).hostname or ""
    seller = family if family in _SELLERS else _HOSTS.get(host)
    if seller is None:
        return None
    for name in _names(seller, model, settings):
        entry = table().get(name, {})
        if str(entry.get("litellm_provider", "")).startswith(seller) and "input_cost_per_token" in entry:
            return ListedPrices(f"{table_name()}: {name}", _prices(entry, host, settings))
    return None


def table_name() -> str:
    """Return which table it is: the release of litellm that it is from, and when that was published."""
    release = version("litellm")
    return f"litellm {release}, published {PUBLISHED.get(release, 'at an unknown date')}"


def _names(seller: str, model: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that the model can have in the table, the most specific first."""
    model = model.rpartition("/")[2] if model.startswith("arn:") else model
    if seller == "bedrock":
        yield f"bedrock/{settings.get('aws_region')}/{model}"
    yield f"{seller}/{model}"
    yield model
    if seller == "bedrock":
        yield _GEOGRAPHY.sub("", model)
    if seller == "vertex_ai":
        yield f"{seller}/{model.partition('@')[0]}"


def _prices(entry: Mapping[str, Any], host: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the entry's prices in our form, with what the provider adds for the region in the settings."""
    uplift = Decimal(1)
    if host in ("eu.api.openai.com", "us.api.openai.com"):
        uplift = Decimal(str(entry.get(f"regional_processing_uplift_multiplier_{host[:2]}", 1)))
    if settings.get("location", "global") != "global":
        uplift = Decimal(str(entry.get("regional_endpoint_uplift_multiplier", 1)))
    prices = {}
    for column, dollars in entry.items():
        found = _COLUMN.fullmatch(column)
        if found is None or not isinstance(dollars, int | float):
            continue
        tier = tier_named("batch" if found["tier"] == "batches" else found["tier"])
        key = PriceKey(_KINDS[found["kind"]], tier, int(found["above"] or 0) * 1000)
        prices[str(key)] = f"{(Decimal(str(dollars)) * 1_000_000 * uplift).normalize():f}"
    extra = entry.get("provider_specific_entry")
    region = extra.get("us") if isinstance(extra, dict) else None
    return prices | ({"region us": str(region)} if isinstance(region, int | float) else {})
