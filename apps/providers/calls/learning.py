"""Learn from a refused request or a cut answer: how to call the same deployment again, and what to remember."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from apps.providers import learnt
from apps.providers.calls.lessons import lesson_of
from apps.providers.calls.usage import TokenUsage
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed
from apps.providers.model_facts.thinking import EFFORT_TOKENS
from apps.providers.requests.request_parameters import max_output_tokens, optional_parameters

_CHARACTERS_PER_TOKEN = 4
_MIN_CHARACTERS_PER_TOKEN = 3
_MIN_THINKING_TOKENS = EFFORT_TOKENS["medium"]  # to leave for a model whose thinking did not fit


def taught(target: Target, failed: CallFailed, *, limit: int) -> Target | None:
    """Return the deployment as it has to be called after a refusal; None if the refusal teaches nothing new.

    A lesson about the deployment is stored. One about the page changes only the returned deployment.
    """
    if failed.facts.http_status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return None
    lesson = lesson_of(failed.facts.body, sent=optional_parameters(target), limit=limit)
    if lesson is None or lesson.refused in target.learnt.refused:
        return None
    known = target.learnt
    if lesson.refused:
        learnt.learn_refused(target.id, lesson.refused)
        return replace(target, learnt=replace(known, refused=known.refused | {lesson.refused}))
    assert lesson.max_output_tokens is not None
    if not lesson.of_page:
        learnt.learn_max_output_tokens(target.id, lesson.max_output_tokens)
    return replace(target, learnt=replace(known, max_output_tokens=lesson.max_output_tokens))


def raised_limit(target: Target, *, limit: int, answer_tokens: int, thinking_tokens: int) -> int | None:
    """Return a larger limit for an answer that ended at ``limit``; None if the deployment accepts none."""
    wanted = 2 * limit
    if thinking_tokens:
        wanted = max(wanted, answer_tokens + max(2 * thinking_tokens, _MIN_THINKING_TOKENS))
    more = min(wanted, max_output_tokens(target))
    return more if more > limit else None


def cut_off(target: Target, *, limit: int, thinking_tokens: int) -> str:
    """Describe an answer that ended at its limit, and what to change."""
    thinking = f", of which {thinking_tokens:,} went into thinking" if thinking_tokens else ""
    remedy = "A larger one is asked for" if limit < max_output_tokens(target) else "Raise max_output_tokens"
    remedy += " or let it think less (thinking)" if thinking_tokens and limit >= max_output_tokens(target) else ""
    return f"the answer of {target.name} ended at its limit of {limit:,} tokens{thinking}. {remedy}."


def thinking_tokens_of(message: Any, usage: TokenUsage | None, *, visible_characters: int, is_cut: bool) -> int:
    """Return how many tokens of thinking a response has.

    Many servers do not count them, and some show only a summary. Then they are the output without what is visible, if
    the response shows thinking, or if it has reached its limit with nothing to see.
    """
    if usage is not None and usage.reasoning_tokens:
        return usage.reasoning_tokens
    shown = getattr(message, "reasoning_content", None) or ""
    if not shown and not (is_cut and not visible_characters):
        return 0
    output = (usage.output_tokens if usage is not None else None) or 0
    return max(output - visible_characters // _MIN_CHARACTERS_PER_TOKEN, len(shown) // _CHARACTERS_PER_TOKEN)
