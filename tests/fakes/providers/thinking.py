"""How the fake models think: by default as their providers document, and as a test says.

Thinking tokens count in the limit of an answer. A model that thinks up to the limit gives an empty answer, which ended
by its length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.fakes.providers.conversation import CHARACTERS_PER_TOKEN, Completion, Conversation, Refusal

USUAL_TOKENS = 1_500
_BY_EFFORT = {"none": 0, "minimal": 300, "low": 800, "medium": USUAL_TOKENS, "high": 3_000, "xhigh": 6_000}
_EFFORTS = (
    (re.compile(r"gpt-5-pro"), ("high",)),
    (re.compile(r"gpt-5\.\d"), ("none", "low", "medium", "high", "xhigh")),
    (re.compile(r"gpt-5(?!-chat)|pages-"), ("minimal", "low", "medium", "high")),
    (re.compile(r"o\d"), ("low", "medium", "high")),
)
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_MIN_CLAUDE_BUDGET = 1_024


def openai(model: str, body: Mapping[str, Any]) -> int:
    """Return the thinking of a model of OpenAI or Azure. Raise Refusal for parameters that it does not support."""
    efforts = next((efforts for pattern, efforts in _EFFORTS if pattern.match(model)), ())
    asked = body.get("reasoning_effort")
    if not efforts:
        if asked is not None:
            raise _openai("reasoning_effort", "Unrecognized request argument supplied: reasoning_effort")
        return 0
    if "max_tokens" in body:
        raise _openai(
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
        )
    if asked is not None and asked not in efforts:
        raise _openai(
            "reasoning_effort",
            f"Unsupported value: 'reasoning_effort' does not support '{asked}' with this model. "
            f"Supported values are: {', '.join(repr(effort) for effort in efforts)}.",
        )
    effort = asked or ("none" if "none" in efforts else "medium")
    for name in _SAMPLING if effort != "none" else ():
        if body.get(name) not in (None, 1 if name in ("temperature", "top_p") else 0):
            raise _openai(
                name,
                f"Unsupported value: '{name}' does not support this value with this model. Only the default value is "
                "supported.",
            )
    return _BY_EFFORT[effort]


def compatible(model: str, body: Mapping[str, Any]) -> int:
    """Return the thinking of a model on a server of one's own: vLLM's switch, Ollama's effort, or always."""
    name = model.lower()
    template = body.get("chat_template_kwargs") or {}
    is_off = template.get("enable_thinking") is False or template.get("thinking") is False
    if "qwen3" in name:
        return 0 if is_off or body.get("reasoning_effort") == "none" else USUAL_TOKENS
    return USUAL_TOKENS if "thinker" in name or (body.get("thinking") or {}).get("type") == "enabled" else 0


def claude(model: str, thinking: object, max_tokens: int, temperature: object) -> int:
    """Return the thinking of a Claude. Raise Refusal for a budget that is not below the limit."""
    if thinking is None:
        return 0
    if not isinstance(thinking, dict) or thinking.get("type") not in ("enabled", "disabled", "adaptive"):
        raise Refusal("invalid", "thinking.type: Input should be 'enabled', 'disabled' or 'adaptive'")
    if re.search(r"claude-3-[05]", model):
        raise Refusal("invalid", "thinking: Extra inputs are not permitted")
    if thinking["type"] == "disabled":
        return 0
    if temperature not in (None, 1):
        raise Refusal("invalid", "`temperature` may only be set to 1 when thinking is enabled.")
    if thinking["type"] == "adaptive":
        return USUAL_TOKENS
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < _MIN_CLAUDE_BUDGET:
        raise Refusal("invalid", "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= max_tokens:
        raise Refusal("invalid", "`max_tokens` must be greater than `thinking.budget_tokens`.")
    return min(budget, USUAL_TOKENS)


def gemini(model: str, config: Mapping[str, Any]) -> int:
    """Return the thinking of a Gemini. Raise Refusal for a budget or level that it does not have."""
    found = re.search(r"gemini-(\d+(?:\.\d+)?)", model)
    version = float(found[1]) if found else 3.0
    asked = config.get("thinkingConfig")
    if version < 2.5:
        if asked:
            raise Refusal("invalid", "Thinking is not supported for this model.")
        return 0
    budget, level = (asked or {}).get("thinkingBudget"), (asked or {}).get("thinkingLevel")
    if level is not None and version < 3:
        raise Refusal("invalid", "Thinking level is not supported for this model.")
    if budget == 0 and "pro" in model:
        raise Refusal("invalid", "Budget 0 is invalid. This model only works in thinking mode.")
    if level is not None:
        return _BY_EFFORT[level.lower()]
    return USUAL_TOKENS if budget is None or budget < 0 else min(budget, USUAL_TOKENS)


def with_thinking(conversation: Conversation, completion: Completion) -> Completion:
    """Return the completion with its thinking, which may leave no tokens for an answer."""
    thinking = conversation.thinking_tokens
    if not thinking:
        return completion
    limit = conversation.max_tokens or math.inf
    left = int(min(limit - thinking, completion.output_tokens)) if limit > thinking else 0
    used = int(min(thinking, limit))
    counted = replace(completion.counted, thinking=used)
    if left < completion.output_tokens:
        cut = completion.text[: left * CHARACTERS_PER_TOKEN]
        return replace(completion, text=cut, tool=None, finish="length", output_tokens=used + left, counted=counted)
    return replace(completion, output_tokens=used + left, counted=counted)


def _openai(param: str, message: str) -> Refusal:
    return Refusal("invalid", message, param=param)
