"""How much each model thinks, how its requests bound it, and the limit of its answers."""

from __future__ import annotations

from typing import Any

import pytest

from apps.providers.catalog import Target
from apps.providers.learnt import Learnt
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaLimits
from apps.providers.requests.request_parameters import output_limit, request_parameters

ANSWER = 1_000
PHOENIX = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1"


def target(family: str, model: str, **fields: Any) -> Target:
    fields = {"max_output_tokens": 32_000, "parameters": {}, **fields}
    return Target(
        id=1,
        name="d",
        provider="p",
        family=family,
        model=model,
        external=True,
        region="",
        order=1,
        page_parsers=frozenset({"llm"}),
        limits=QuotaLimits("deployment:1"),
        row=Deployment(),
        settings={},
        secrets={},
        **fields,
    )


def sent(to: Target, answer_tokens: int = ANSWER) -> dict[str, Any]:
    """Return the parameters of a request in one mapping, as the server sees those of OpenAI's protocol."""
    parameters = request_parameters(to, answer_tokens=answer_tokens, limit=output_limit(to, answer_tokens))
    parameters.update(parameters.pop("extra_body", {}))
    return parameters


@pytest.mark.parametrize(
    ("family", "model", "expected"),
    [
        ("openai", "gpt-4o-mini", {"max_completion_tokens": 1_000}),
        ("openai", "gpt-5-mini", {"max_completion_tokens": 3_500, "reasoning_effort": "minimal"}),
        ("openai", "gpt-5.1", {"max_completion_tokens": 1_000, "reasoning_effort": "none"}),
        ("openai", "gpt-5-chat-latest", {"max_completion_tokens": 1_000}),
        ("openai", "o4-mini", {"max_completion_tokens": 5_000, "reasoning_effort": "low"}),
        ("azure", "gpt-4o-mini", {"max_tokens": 1_000}),
        ("anthropic", "claude-sonnet-4-5", {"max_tokens": 1_000}),
        ("anthropic", "claude-opus-4-6", {"max_tokens": 1_000, "thinking": {"type": "disabled"}}),
        ("bedrock", PHOENIX, {"max_tokens": 1_000, "thinking": {"type": "disabled"}}),
        ("bedrock", "amazon.nova-lite-v1:0", {"max_tokens": 1_000}),
        ("bedrock", "openai.gpt-oss-120b-1:0", {"max_tokens": 5_000, "reasoning_effort": "low"}),
        ("gemini", "gemini-2.0-flash", {"max_tokens": 1_000}),
        ("gemini", "gemini-2.5-flash", {"max_tokens": 1_000, "thinking": {"type": "enabled", "budget_tokens": 0}}),
        ("vertex_ai", "gemini-2.5-pro", {"max_tokens": 1_128, "thinking": {"type": "enabled", "budget_tokens": 128}}),
        ("vertex_ai", "gemini-3-pro-preview", {"max_tokens": 5_000, "reasoning_effort": "low"}),
        ("openai_compatible", "llama3.2-vision", {"max_tokens": 1_000}),
        ("openai_compatible", "gpt-oss:20b", {"max_tokens": 5_000, "reasoning_effort": "low"}),
        (
            "openai_compatible",
            "Qwen/Qwen3-8B",
            {"max_tokens": 5_000, "chat_template_kwargs": {"enable_thinking": False}},
        ),
        ("openai_compatible", "qwen3:8b", {"max_tokens": 5_000, "reasoning_effort": "none"}),
        ("openai_compatible", "a-model-of-ours", {"max_tokens": 5_000}),
    ],
)
def test_models_think_as_little_as_they_can(family: str, model: str, expected: dict[str, Any]) -> None:
    assert sent(target(family, model)) == expected


@pytest.mark.parametrize(
    ("family", "model", "wish", "expected"),
    [
        ("openai", "gpt-5-mini", "high", {"max_completion_tokens": 17_000, "reasoning_effort": "high"}),
        ("openai", "gpt-5.1", "5000", {"max_completion_tokens": 6_000, "reasoning_effort": "low"}),
        ("openai", "gpt-4o-mini", "high", {"max_completion_tokens": 1_000}),
        (
            "anthropic",
            "claude-sonnet-4-5",
            "2000",
            {"max_tokens": 3_000, "thinking": {"type": "enabled", "budget_tokens": 2_000}},
        ),
        (
            "vertex_ai",
            "gemini-2.5-flash",
            "medium",
            {"max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 8_000}},
        ),
        ("gemini", "gemini-3-flash-preview", "medium", {"max_tokens": 9_000, "reasoning_effort": "medium"}),
        (
            "openai_compatible",
            "Qwen/Qwen3-8B",
            "low",
            {"max_tokens": 5_000, "chat_template_kwargs": {"enable_thinking": True}},
        ),
    ],
)
def test_deployment_says_how_much_it_thinks(family: str, model: str, wish: str, expected: dict[str, Any]) -> None:
    assert sent(target(family, model, thinking=wish)) == expected


def test_azures_own_name_is_asked_as_the_model_behind_it() -> None:
    assert sent(target("azure", "pages-prod")) == {"max_tokens": 1_000}
    assert sent(target("azure", "pages-prod", base_model="gpt-5-mini")) == {
        "max_completion_tokens": 3_500,
        "reasoning_effort": "minimal",
    }


@pytest.mark.parametrize(
    "own",
    [
        {"thinking": {"type": "disabled"}},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"reasoning_effort": "high"},
        {"temperature": 0, "top_k": 1, "min_p": 0.1},
    ],
)
def test_compatible_server_gets_the_deployments_parameters_unchanged(own: dict[str, Any]) -> None:
    parameters = sent(target("openai_compatible", "glm-4.6", parameters=own))

    assert {name: parameters[name] for name in own} == own


def test_thinking_disabled_reaches_gemini_as_its_least_budget() -> None:
    own = {"thinking": {"type": "disabled"}}

    assert sent(target("gemini", "gemini-2.5-flash", parameters=own))["thinking"]["budget_tokens"] == 0
    assert sent(target("gemini", "gemini-3-pro-preview", parameters=own))["reasoning_effort"] == "low"


@pytest.mark.parametrize("maximum", [1_500, 3_000, 8_192])
def test_claudes_budget_is_below_its_limit(maximum: int) -> None:
    own = {"thinking": {"type": "enabled", "budget_tokens": 10_000}}

    parameters = sent(target("anthropic", "claude-sonnet-4-5", parameters=own, max_output_tokens=maximum))

    budget = parameters["thinking"].get("budget_tokens", 0)
    assert parameters["max_tokens"] == maximum
    assert budget == 0 or 1_024 <= budget <= maximum - ANSWER


@pytest.mark.parametrize(
    ("family", "model", "thinking", "is_sent"),
    [
        ("openai", "gpt-4o", "", True),
        ("openai", "gpt-5-mini", "", False),
        ("openai", "gpt-5.1", "", True),
        ("openai", "gpt-5.1", "low", False),
        ("anthropic", "claude-sonnet-4-5", "", True),
        ("anthropic", "claude-sonnet-4-5", "2000", False),
        ("gemini", "gemini-2.5-flash", "2000", True),
    ],
)
def test_temperature_is_sent_only_where_it_is_accepted(family: str, model: str, thinking: str, is_sent: bool) -> None:
    to = target(family, model, thinking=thinking, parameters={"temperature": 0})

    assert ("temperature" in sent(to)) is is_sent


def test_limit_follows_the_thinking_of_earlier_answers() -> None:
    def limit(model: str, seen: int | None, family: str = "openai_compatible") -> int:
        return output_limit(target(family, model, learnt=Learnt(thinking_tokens=seen)), ANSWER)

    assert limit("a-model-of-ours", None) == 5_000
    assert limit("a-model-of-ours", 0) == 1_000
    assert limit("a-model-of-ours", 6_000) == 10_000
    assert limit("gpt-4o", 2_000, "openai") == 4_000
    assert limit("a-model-of-ours", 90_000) == 32_000


def test_limit_stays_below_what_the_provider_accepts() -> None:
    assert output_limit(target("openai", "gpt-4o-mini"), 20_000) == 16_384
    assert output_limit(target("openai_compatible", "a", learnt=Learnt(max_output_tokens=4_096)), 20_000) == 4_096


def test_refused_parameters_are_left_out() -> None:
    to = target(
        "azure",
        "pages-prod",
        parameters={"temperature": 0, "seed": 1},
        learnt=Learnt(refused=frozenset({"temperature", "max_tokens"})),
    )

    assert sent(to) == {"max_completion_tokens": 1_000, "seed": 1}
