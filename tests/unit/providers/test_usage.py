"""The tokens of a call are read from each provider's own form. The bodies are as the providers document them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.providers.calls.usage import TokenUsage, plausible_usage, read_usage

OPENAI = {
    "prompt_tokens": 793,
    "completion_tokens": 500,
    "total_tokens": 1293,
    "prompt_tokens_details": {"cached_tokens": 700, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 0},
}
FORMS: dict[str, tuple[dict[str, Any], TokenUsage]] = {
    "openai": (
        {"usage": OPENAI, "service_tier": "default"},
        TokenUsage(793, 500, cached_tokens=700, reasoning_tokens=300),
    ),
    "openai, cache writes and flex": (
        {"usage": OPENAI | {"prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 640}}}
        | {"service_tier": "flex"},
        TokenUsage(793, 500, cache_write_tokens=640, reasoning_tokens=300, service_tier="flex"),
    ),
    "openai, responses": (
        {
            "usage": {
                "input_tokens": 793,
                "input_tokens_details": {"cached_tokens": 700},
                "output_tokens": 500,
                "output_tokens_details": {"reasoning_tokens": 300},
                "total_tokens": 1293,
            },
            "service_tier": "priority",
        },
        TokenUsage(793, 500, cached_tokens=700, reasoning_tokens=300, service_tier="priority"),
    ),
    "vllm": (
        {
            "usage": {
                "prompt_tokens": 793,
                "completion_tokens": 500,
                "total_tokens": 1293,
                "prompt_tokens_details": None,
            }
        },
        TokenUsage(793, 500),
    ),
    "ollama": ({"usage": {"prompt_tokens": 793, "completion_tokens": 500, "total_tokens": 1293}}, TokenUsage(793, 500)),
    "deepseek": (
        {
            "usage": {
                "prompt_tokens": 793,
                "prompt_cache_hit_tokens": 700,
                "prompt_cache_miss_tokens": 93,
                "completion_tokens": 500,
            }
        },
        TokenUsage(793, 500, cached_tokens=700),
    ),
    "xai, whose output leaves out thinking": (
        {
            "usage": {
                "prompt_tokens": 793,
                "completion_tokens": 200,
                "total_tokens": 1293,
                "completion_tokens_details": {"reasoning_tokens": 300},
            }
        },
        TokenUsage(793, 500, reasoning_tokens=300),
    ),
    "anthropic": (
        {
            "usage": {
                "input_tokens": 3,
                "cache_read_input_tokens": 700,
                "cache_creation_input_tokens": 90,
                "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 40},
                "output_tokens": 500,
                "output_tokens_details": {"thinking_tokens": 300},
                "service_tier": "batch",
                "inference_geo": "us",
            }
        },
        TokenUsage(793, 500, 700, 90, 40, reasoning_tokens=300, service_tier="batch", region="us"),
    ),
    "bedrock": (
        {
            "usage": {
                "inputTokens": 3,
                "outputTokens": 500,
                "totalTokens": 1293,
                "cacheReadInputTokens": 700,
                "cacheWriteInputTokens": 90,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 40}, {"ttl": "5m", "inputTokens": 50}],
            },
            "serviceTier": {"type": "flex"},
        },
        TokenUsage(793, 500, 700, 90, 40, service_tier="flex"),
    ),
    "gemini": (
        {
            "usageMetadata": {
                "promptTokenCount": 793,
                "cachedContentTokenCount": 700,
                "candidatesTokenCount": 200,
                "thoughtsTokenCount": 300,
                "totalTokenCount": 1293,
                "trafficType": "ON_DEMAND_PRIORITY",
            }
        },
        TokenUsage(793, 500, cached_tokens=700, reasoning_tokens=300, service_tier="priority"),
    ),
    "gemini, whose candidates include thinking": (
        {
            "usageMetadata": {
                "promptTokenCount": 793,
                "candidatesTokenCount": 500,
                "thoughtsTokenCount": 300,
                "totalTokenCount": 1293,
            }
        },
        TokenUsage(793, 500, reasoning_tokens=300),
    ),
    "gemini, thinking up to the limit without an answer": (
        {"usageMetadata": {"promptTokenCount": 793, "thoughtsTokenCount": 300, "totalTokenCount": 1093}},
        TokenUsage(793, 300, reasoning_tokens=300),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_usage_is_read_from_every_form(form: str) -> None:
    body, usage = FORMS[form]

    assert read_usage(json.dumps(body).encode(), {}) == usage


def test_google_names_the_tier_in_a_header() -> None:
    body, _ = FORMS["gemini, whose candidates include thinking"]
    usage = read_usage(json.dumps(body).encode(), {"x-gemini-service-tier": "flex"})

    assert usage is not None
    assert usage.service_tier == "flex"


def test_usage_survives_a_text_that_is_no_utf8() -> None:
    assert read_usage(b'{"choices": "\xff\xfe", "usage": {"prompt_tokens": 7, "completion_tokens": 5}}', {}) == (
        TokenUsage(7, 5)
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[" * 100_000,
        b"[]",
        b'{"usage": 7}',
        b'{"usageMetadata": []}',
        b'{"choices": []}',
    ],
)
def test_a_response_without_usage_has_none(body: bytes) -> None:
    assert read_usage(body, {}) is None


@pytest.mark.parametrize("count", [-1000, 0, True, 1.5, "many", None, 10**12, [7], {"tokens": 7}])
def test_an_implausible_count_is_no_count(count: object) -> None:
    wrong = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"), count)
    bedrock = {"inputTokens": count, "cacheDetails": [count], "cacheWriteInputTokens": count}

    assert read_usage(json.dumps({"usage": wrong}).encode(), {}) == TokenUsage(None, None)
    assert read_usage(json.dumps({"usage": bedrock}).encode(), {}) == TokenUsage(None, None)


def test_implausible_counts_are_replaced_by_our_estimate() -> None:
    guess = {"estimated_input_tokens": 1000, "visible_characters": 4000}

    assert plausible_usage(TokenUsage(900, 800), **guess) == (TokenUsage(900, 800), False)
    assert plausible_usage(TokenUsage(99, 800), **guess) == (TokenUsage(1000, 800), True)
    assert plausible_usage(TokenUsage(900, 99), **guess) == (TokenUsage(900, 1000), True)
    assert plausible_usage(None, **guess) == (TokenUsage(1000, 1000), True)
