"""Bound a model's thinking, and leave tokens for it in the limit of an answer.

OpenAI, Gemini, vLLM, Ollama and llama.cpp count thinking in the limit of an answer; Claude's limit must exceed its
budget. A deployment's ``thinking`` says how much: as little as the model can ("", "off"), low, medium, high, or a
number of tokens. Parameters that the deployment sends itself take precedence.

Sources: https://platform.openai.com/docs/guides/reasoning, https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking,
https://ai.google.dev/gemini-api/docs/thinking, https://docs.vllm.ai/en/latest/features/reasoning_outputs.html,
https://docs.ollama.com/capabilities/thinking
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.providers.model_facts.model_table import entry_of

OFF = "off"
DISABLED = {"type": "disabled"}
MIN_BUDGET_TOKENS = 1024
"""Claude's smallest budget."""
EFFORT_TOKENS = {"none": 0, "minimal": 2_500, "low": 4_000, "medium": 8_000, "high": 16_000, "xhigh": 32_000}
"""How many tokens to leave for each effort. A page takes 1,000 to 3,000 at the usual ones."""
UNKNOWN_TOKENS = 4_000
"""For a model of an OpenAI-compatible server, until its answers show whether it thinks."""
_EFFORTS = tuple(EFFORT_TOKENS)
_MAX_MINIMAL_TOKENS = 128  # Gemini 2.5 Pro cannot think with less

# Models of OpenAI-compatible servers by their names: the request parameters that switch thinking off. The first match
# counts. None: thinking cannot be switched off. {}: the model does not think.
_UNKNOWN: dict[str, Any] = {"": None}
_OLLAMA = re.compile(r":[\w.-]+$")  # a tag, as in qwen3:8b; Ollama switches thinking off by the effort "none"
_OF_NAMES: tuple[tuple[re.Pattern[str], dict[str, Any] | None], ...] = (
    (re.compile(r"qwen-?3.*(?:instruct|coder|embed)|qwen-?(?:1|2)"), {}),
    (re.compile(r"thinking|reason|deepseek-?r1|qwq|magistral|kimi-?k2\.?[5-9]"), None),
    (re.compile(r"gpt-?oss"), {"reasoning_effort": "low"}),
    (re.compile(r"qwen-?3|glm-?(?:4\.[5-9]|[5-9])|smollm-?3"), {"chat_template_kwargs": {"enable_thinking": False}}),
    (re.compile(r"deepseek-?v(?:3\.[1-9]|[4-9])"), {"chat_template_kwargs": {"thinking": False}}),
    (re.compile(r"llama|gemma-?[123]|mistral|pixtral|phi-?3|internvl|minicpm|moondream|granite"), {}),
)


@dataclass(frozen=True)
class Thinking:
    """What a deployment's requests say about thinking, and how many tokens it may take beside the answer.

    ``is_budget``: ``tokens`` is a budget in the request itself, which must be below the limit of the answer.
    ``is_guess``: the server may ignore the parameters, or the model is unknown; its answers show what it does.
    """

    tokens: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_budget: bool = False
    is_guess: bool = False


def thinking_of(family: str, model: str, wish: str, given: Mapping[str, Any]) -> Thinking:
    """Return how a model thinks. ``wish``: the deployment's ``thinking``; ``given``: the parameters it sends itself."""
    if given.get("thinking") == DISABLED and family in ("gemini", "vertex_ai") and "claude" not in model.lower():
        given, wish = {**given, "thinking": None}, OFF  # Gemini has no such value: its budget or level is the least
    own = _thinking_in(given)
    if own is not None:
        return own
    name = model.lower()
    if family == "openai_compatible":
        return _on_a_compatible_server(name, wish)
    if "claude" in name:
        return _of_claude(family, name, wish)
    if family in ("gemini", "vertex_ai"):
        return _of_gemini(name, wish)
    return _by_effort(family, name, wish)


def efforts_of(family: str, model: str) -> tuple[str, ...]:
    """Return the efforts that a model of OpenAI, Azure or Bedrock accepts, from the least; () if it takes none."""
    facts = {**entry_of("openai", model), **entry_of(family, model)}
    name = model.lower().rsplit("/", 1)[-1]
    if not re.search(r"(?:^|[.:])(?:gpt-[5-9]|o[1-9](?:-|$)|gpt-oss)|nova-2", name):
        return ()
    if re.search(r"-chat|-search|o1-(?:mini|preview)", name):
        return ()
    if "-pro" in name and name.startswith("gpt"):
        return ("high",)
    least = "low"
    if facts.get("supports_none_reasoning_effort") or (not facts and re.match(r"gpt-(?:5\.|[6-9])", name)):
        least = "none"
    elif facts.get("supports_minimal_reasoning_effort") or (not facts and re.match(r"gpt-5(?!\.)", name)):
        least = "minimal"
    return tuple(each for each in _EFFORTS[_EFFORTS.index(least) : 5] if each in (least, "low", "medium", "high"))


def refuses_sampling(family: str, model: str, thinking: Thinking) -> bool:
    """Return whether the model refuses temperature and the like, as OpenAI's and Claude's do while they think."""
    if "claude" in model.lower():
        return thinking.tokens > 0
    if family not in ("openai", "azure"):
        return False
    efforts = efforts_of(family, model)
    return bool(efforts) and thinking.parameters.get("reasoning_effort") != "none"


def _thinking_in(given: Mapping[str, Any]) -> Thinking | None:
    """Return the thinking that a deployment's own parameters ask for; None if they say nothing about it."""
    everything = {**given, **(given.get("extra_body") or {})}
    effort = everything.get("reasoning_effort") or (everything.get("reasoning") or {}).get("effort")
    if isinstance(effort, str):
        return Thinking(EFFORT_TOKENS.get(effort, UNKNOWN_TOKENS))
    asked = everything.get("thinking")
    if isinstance(asked, Mapping):
        budget = asked.get("budget_tokens")
        if isinstance(budget, int):
            return Thinking(budget, is_budget=True)
        return Thinking(0 if asked.get("type") == "disabled" else EFFORT_TOKENS["medium"])
    template = everything.get("chat_template_kwargs")
    switches = [template[name] for name in ("enable_thinking", "thinking") if name in template] if template else []
    return Thinking(UNKNOWN_TOKENS if switches[0] else 0) if switches else None


def _on_a_compatible_server(name: str, wish: str) -> Thinking:
    known = next((off for pattern, off in _OF_NAMES if pattern.search(name)), _UNKNOWN)
    if known == {}:
        return Thinking()
    if known is _UNKNOWN or (known is None and not _OLLAMA.search(name)):
        return Thinking(_tokens_of(wish, least=UNKNOWN_TOKENS), is_guess=True)
    if known and "reasoning_effort" in known:
        effort = _nearest(wish, ("low", "medium", "high"))
        return Thinking(_tokens_of(wish, least=EFFORT_TOKENS["low"]), {"reasoning_effort": effort})
    if _OLLAMA.search(name):
        effort = _nearest(wish, ("none", "low", "medium", "high"))
        return Thinking(_tokens_of(wish, least=UNKNOWN_TOKENS), {"reasoning_effort": effort}, is_guess=True)
    switch = dict.fromkeys((known or {})["chat_template_kwargs"], wish not in ("", OFF))
    return Thinking(_tokens_of(wish, least=UNKNOWN_TOKENS), {"chat_template_kwargs": switch}, is_guess=True)


def _of_claude(family: str, name: str, wish: str) -> Thinking:
    facts = entry_of(family, name)
    if not (facts.get("supports_reasoning") or re.search(r"claude-(?:3-7|[a-z]+-[4-9])", name)):
        return Thinking()
    if facts.get("thinking_always_on"):
        effort = _nearest(wish, ("low", "medium", "high"))
        return Thinking(_tokens_of(wish, least=EFFORT_TOKENS["low"]), {"reasoning_effort": effort})
    if wish in ("", OFF):  # without the parameter, models before adaptive thinking do not think
        return Thinking(0, {"thinking": DISABLED} if facts.get("supports_adaptive_thinking") else {})
    budget = max(MIN_BUDGET_TOKENS, _tokens_of(wish, least=MIN_BUDGET_TOKENS))
    return Thinking(budget, {"thinking": {"type": "enabled", "budget_tokens": budget}}, is_budget=True)


def _of_gemini(name: str, wish: str) -> Thinking:
    version = re.search(r"gemini-(\d+(?:\.\d+)?)", name)
    number = float(version[1]) if version else 3.0 if "latest" in name else 0.0
    if number < 2.5 or "image" in name:
        return Thinking()
    is_pro = "pro" in name
    if number < 3:
        budget = _tokens_of(wish, least=_MAX_MINIMAL_TOKENS if is_pro else 0)
        return Thinking(budget, {"thinking": {"type": "enabled", "budget_tokens": budget}})
    least = "low" if is_pro or entry_of("gemini", name).get("supports_minimal_reasoning_effort") is False else "minimal"
    effort = _nearest(wish, (least, "low", "medium", "high"))
    return Thinking(_tokens_of(wish, least=EFFORT_TOKENS[least]), {"reasoning_effort": effort})


def _by_effort(family: str, name: str, wish: str) -> Thinking:
    efforts = efforts_of(family, name)
    if "nova-2" in name and wish in ("", OFF):  # it thinks only if asked to
        return Thinking()
    if not efforts:
        always = re.search(r"deepseek.r1|gpt-\d+\.\d+-chat|^chat-latest|search-api|o1-(?:mini|preview)", name)
        return Thinking(UNKNOWN_TOKENS if always else 0)
    effort = _nearest(wish, efforts)
    return Thinking(_tokens_of(wish, least=EFFORT_TOKENS[efforts[0]]), {"reasoning_effort": effort})


def _nearest(wish: str, efforts: tuple[str, ...]) -> str:
    """Return the effort for a wish: the least for "" and "off", and for a number the largest that it allows."""
    if wish in efforts:
        return wish
    tokens = int(wish) if wish.isdigit() else EFFORT_TOKENS.get(wish, 0)
    fitting = [effort for effort in efforts if EFFORT_TOKENS[effort] <= tokens]
    return fitting[-1] if fitting else efforts[0]


def _tokens_of(wish: str, *, least: int) -> int:
    """Return how many tokens of thinking a wish allows, at least ``least``."""
    return max(least, int(wish) if wish.isdigit() else EFFORT_TOKENS.get(wish, 0))
