"""Read how many tokens a call used from the body of the provider's response.

It is read from the body and not from litellm's response, because a response that litellm refuses (a filtered answer, an
empty one) is billed like any other. The forms are those of the providers' documentation; families.py has the addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Literal

import msgspec

from apps.providers.calls.connection import Call

ServiceTier = Literal["", "flex", "priority", "batch"]
_MAX_TOKENS = 10_000_000
_CHARACTERS_PER_TOKEN = 4
# Tokenizers and images differ, but a provider's count below this share of our own estimate is wrong.
_MIN_SHARE_OF_ESTIMATE = 0.1
_TIERS: dict[str, ServiceTier] = {
    "flex": "flex",
    "on_demand_flex": "flex",
    "priority": "priority",
    "on_demand_priority": "priority",
    "fast": "priority",
    "batch": "batch",
}
"""The providers' names of service tiers. Any other name (default, standard, scale...) is billed at the usual price."""


@dataclass(frozen=True)
class TokenUsage:
    """The tokens of one call, as the provider counts them. A count is None if it is missing or implausible.

    ``input_tokens`` includes the tokens that the provider read from its cache and those that it wrote to it;
    ``cache_write_hour_tokens`` are those of them that it keeps for an hour. ``output_tokens`` includes the tokens of
    thinking. ``region`` is the place that the provider names when it charges more for it (Anthropic: "us").
    """

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_hour_tokens: int = 0
    reasoning_tokens: int = 0
    service_tier: ServiceTier = ""
    region: str = ""


def usage_in(call: Call) -> TokenUsage | None:
    """Return the usage in the response to the call; None if it is an error or has none in a known form."""
    return read_usage(call.body, call.headers) if call.status == HTTPStatus.OK else None


def read_usage(body: bytes, headers: Mapping[str, str]) -> TokenUsage | None:
    """Return the usage in a response with status 200; None if it has none in a known form."""
    try:
        response = msgspec.json.decode(body.decode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(response, dict):
        return None
    gemini = response.get("usageMetadata")
    if isinstance(gemini, dict):
        return _gemini_usage(gemini, headers)
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    if "inputTokens" in usage:  # Bedrock's Converse
        details = usage.get("cacheDetails")
        parts = [part for part in details if isinstance(part, dict)] if isinstance(details, list) else []
        return _usage_beside_cache(
            plain=usage["inputTokens"],
            cached=usage.get("cacheReadInputTokens"),
            written=usage.get("cacheWriteInputTokens"),
            hours=[part.get("inputTokens") for part in parts if part.get("ttl") == "1h"],
            output=usage.get("outputTokens"),
            tier=_mapping(response, "serviceTier").get("type"),
        )
    if "input_tokens" in usage and "input_tokens_details" not in usage:  # Anthropic's messages
        return _usage_beside_cache(
            plain=usage["input_tokens"],
            cached=usage.get("cache_read_input_tokens"),
            written=usage.get("cache_creation_input_tokens"),
            hours=[_mapping(usage, "cache_creation").get("ephemeral_1h_input_tokens")],
            output=usage.get("output_tokens"),
            tier=usage.get("service_tier"),
            thinking=_mapping(usage, "output_tokens_details").get("thinking_tokens"),
            region=usage.get("inference_geo"),
        )
    return _openai_usage(usage, response.get("service_tier"))


def plausible_usage(
    usage: TokenUsage | None, *, estimated_input_tokens: int, visible_characters: int
) -> tuple[TokenUsage, bool]:
    """Return the usage with our own estimate of each count that is implausible, and whether there was any.

    ``visible_characters`` are those of the answer and of its tool calls.
    """
    usage = usage or TokenUsage(None, None)
    own_output = -(-visible_characters // _CHARACTERS_PER_TOKEN)
    has_input = (usage.input_tokens or -1) >= estimated_input_tokens * _MIN_SHARE_OF_ESTIMATE
    has_output = (usage.output_tokens or -1) >= own_output * _MIN_SHARE_OF_ESTIMATE
    counted = replace(
        usage,
        input_tokens=usage.input_tokens if has_input else estimated_input_tokens,
        output_tokens=usage.output_tokens if has_output else own_output,
    )
    return counted, not (has_input and has_output)


def _openai_usage(usage: Mapping[str, Any], tier: object) -> TokenUsage:
    """Read OpenAI's form: chat completions or responses, and the servers that follow it.

    DeepSeek and Moonshot name cached tokens in their own way. xAI does not count thinking as output, only in the total.
    """
    prompt, completion = ("input", "output") if "input_tokens" in usage else ("prompt", "completion")
    inputs, outputs = _mapping(usage, f"{prompt}_tokens_details"), _mapping(usage, f"{completion}_tokens_details")
    input_tokens, output_tokens = _count(usage.get(f"{prompt}_tokens")), _count(usage.get(f"{completion}_tokens"))
    thinking = _sum(outputs.get("reasoning_tokens"))
    if thinking and _count(usage.get("total_tokens")) == (input_tokens or 0) + (output_tokens or 0) + thinking:
        output_tokens = (output_tokens or 0) + thinking
    cached = inputs.get("cached_tokens") or usage.get("cached_tokens") or usage.get("cache_read_input_tokens")
    written = inputs.get("cache_write_tokens") or usage.get("cache_creation_input_tokens")
    return TokenUsage(
        input_tokens,
        output_tokens,
        cached_tokens=_sum(cached or usage.get("prompt_cache_hit_tokens")),
        cache_write_tokens=_sum(written),
        reasoning_tokens=thinking,
        service_tier=tier_named(tier),
    )


def _usage_beside_cache(
    *,
    plain: object,
    cached: object,
    written: object,
    hours: Sequence[object],
    output: object,
    tier: object,
    thinking: object = None,
    region: object = "",
) -> TokenUsage:
    """Return usage whose ``plain`` input tokens are only those that the cache did not touch."""
    through_cache = _sum(cached, written)
    return TokenUsage(
        _sum(plain) + through_cache or None,
        _count(output),
        cached_tokens=_sum(cached),
        cache_write_tokens=_sum(written),
        cache_write_hour_tokens=_sum(*hours),
        reasoning_tokens=_sum(thinking),
        service_tier=tier_named(tier),
        region=region if isinstance(region, str) else "",
    )


def _gemini_usage(usage: Mapping[str, Any], headers: Mapping[str, str]) -> TokenUsage:
    """Read the form of Gemini, at Google GenAI and at Vertex AI.

    Candidates count the visible answer, and thoughts are beside them. Where the total leaves no room for the thoughts,
    the candidates include them.
    """
    prompt, candidates = usage.get("promptTokenCount"), usage.get("candidatesTokenCount")
    tools, thoughts = usage.get("toolUsePromptTokenCount"), usage.get("thoughtsTokenCount")
    are_included = _count(usage.get("totalTokenCount")) == _sum(prompt, tools, candidates)
    return TokenUsage(
        _sum(prompt, tools) or None,
        _sum(candidates, None if are_included else thoughts) or None,
        cached_tokens=_sum(usage.get("cachedContentTokenCount")),
        reasoning_tokens=_sum(thoughts),
        service_tier=tier_named(
            usage.get("serviceTier") or headers.get("x-gemini-service-tier") or usage.get("trafficType")
        ),
    )


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_TOKENS
    return int(value) if is_count else None  # type: ignore[call-overload]


def _sum(*counts: object) -> int:
    """Add up the counts that are plausible."""
    return sum(_count(count) or 0 for count in counts)


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def tier_named(name: object) -> ServiceTier:
    """Return the service tier that a provider or a request calls by this name."""
    return _TIERS.get(name.lower(), "") if isinstance(name, str) else ""
