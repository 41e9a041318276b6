"""The parameters of a request: the limit of its answer, thinking, and what the deployment adds and does not refuse.

Servers with OpenAI's protocol get them unchanged, in ``extra_body``, because litellm drops what it does not know there.
For the other families litellm translates them.
"""

from __future__ import annotations

from typing import Any

from apps.providers.catalog import Target
from apps.providers.model_facts.dialects import DIALECTS
from apps.providers.model_facts.model_table import entry_of
from apps.providers.model_facts.thinking import DISABLED, MIN_BUDGET_TOKENS, Thinking, refuses_sampling, thinking_of
from apps.providers.requests.families import FAMILIES

SAMPLING = frozenset({"temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"})
OLD_LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
_MARGIN = 1.5  # thinking differs from page to page


def model_of(target: Target) -> str:
    """Return the model behind the deployment, by which its parameters are chosen."""
    return target.base_model or target.model


def max_output_tokens(target: Target) -> int:
    """Return the largest limit of an answer: the deployment's own, the provider's, or the one that it taught."""
    published = entry_of(target.family, model_of(target)).get("max_output_tokens")
    limits = [target.max_output_tokens, target.learnt.max_output_tokens, published]
    return min(int(limit) for limit in limits if limit)


def output_limit(target: Target, answer_tokens: int) -> int:
    """Return the limit of an answer of ``answer_tokens``: the thinking counts, so it is added."""
    return min(answer_tokens + thinking_allowance(target), max_output_tokens(target))


def thinking_allowance(target: Target) -> int:
    """Return how many tokens to leave for thinking, by the model, the deployment's wish and its answers so far."""
    plan, seen = _thinking(target), target.learnt.thinking_tokens
    if plan.is_budget or seen is None:
        return plan.tokens
    return max(0 if plan.is_guess else plan.tokens, round(seen * _MARGIN))


def request_parameters(target: Target, *, answer_tokens: int, limit: int) -> dict[str, Any]:
    """Return litellm's arguments for a request whose answer, without thinking, has up to ``answer_tokens``.

    ``limit``: the limit of the answer with its thinking. A budget of thinking is reduced to what fits below it.
    """
    plan, refused = _thinking(target), target.learnt.refused
    form = DIALECTS[target.dialect].parameters if target.family == "openai_compatible" else {}
    sent: dict[str, Any] = {**form, **target.parameters, **plan.parameters}
    sent.update(sent.pop("extra_body", None) or {})
    if plan.is_budget and isinstance(sent.get("thinking"), dict):
        budget = min(int(sent["thinking"].get("budget_tokens", 0)), limit - answer_tokens)
        sent["thinking"] = {**sent["thinking"], "budget_tokens": budget} if budget >= MIN_BUDGET_TOKENS else DISABLED
    if refuses_sampling(target.family, model_of(target), plan):
        refused |= SAMPLING
    sent = {name: value for name, value in sent.items() if name not in refused}
    if not FAMILIES[target.family].sdk:
        return {OLD_LIMIT: limit, **sent}
    return {"extra_body": {_limit_name(target): limit, **sent}}


def optional_parameters(target: Target) -> set[str]:
    """Return the names of the parameters that a request can leave out, those of the limit included."""
    return {*_thinking(target).parameters, *target.parameters, OLD_LIMIT, NEW_LIMIT} - target.learnt.refused


def _thinking(target: Target) -> Thinking:
    return thinking_of(target.family, model_of(target), target.thinking, target.parameters)


def _limit_name(target: Target) -> str:
    """Return the name of the limit: OpenAI has a new one, which older and compatible servers do not know."""
    takes_new = target.family == "openai" or (
        target.family == "azure" and not model_of(target).startswith(("gpt-4", "gpt-3")) and target.base_model != ""
    )
    name = NEW_LIMIT if takes_new else OLD_LIMIT
    other = OLD_LIMIT if takes_new else NEW_LIMIT
    return other if name in target.learnt.refused else name
