"""What a refused request teaches: a parameter that the deployment does not take, or the largest limit of an answer.

Providers name the parameter in ``error.param``, in ``detail[].loc``, or only in the sentence of the message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

_MIN_LIMIT = 16
# Our name of a parameter -> how providers write it.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "top_p": ("topP", "nucleus"),
    "top_k": ("topK",),
    "presence_penalty": ("presencePenalty",),
    "frequency_penalty": ("frequencyPenalty",),
    "thinking": (
        "Thinking",
        "budget_tokens",
        "thinking_budget",
        "thinkingBudget",
        "thinking_config",
        "thinkingConfig",
        "budget",
    ),
    "reasoning_effort": (
        "Thinking level",
        "reasoning.effort",
        "thinking_level",
        "thinkingLevel",
        "reasoningConfig",
        "output_config",
    ),
    "max_tokens": ("maxOutputTokens", "max_output_tokens", "maxTokens", "maximum tokens", "maximum output tokens"),
    "safety_settings": ("safetySettings",),
    "service_tier": ("serviceTier",),
}
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
_TOO_LARGE = re.compile(
    r"too large|at most|less than or equal|maximum allowed|exceeds? the (?:model )?limit|supported range|valid range"
    r"|must be (?:less|lower|below|<)|lower than|maximum value",
    re.I,
)
_EXCLUSIVE = re.compile(r"\(exclusive\)", re.I)
# What the context leaves beside the prompt: vLLM's "20000 > 8192 - 1200", OpenAI's "maximum context length is 8192
# tokens. However, you requested 9000 tokens (1000 in the messages, 8000 in the completion)".
_CONTEXT_LEFT = re.compile(
    r"\b(?P<whole>\d{3,7}) - (?P<prompt>\d{1,7})\b"
    r"|context length is (?P<length>\d{3,7}) tokens.{0,80}\((?P<messages>\d{1,7}) in the (?:messages|prompt)"
)
_NUMBER = re.compile(r"(?<![\w.-])\d{2,7}(?![\w.-]*\d)")


@dataclass(frozen=True)
class Lesson:
    """A parameter that is not taken, or the largest limit of an answer (``of_page``: of an answer to this page)."""

    refused: str = ""
    max_output_tokens: int | None = None
    of_page: bool = False


def lesson_of(body: str, *, sent: Collection[str], limit: int) -> Lesson | None:
    """Return what the body of a 400 or 422 teaches; None if it is about something else.

    ``sent``: the optional parameters of the request, by our names. ``limit``: the limit of its answer.
    """
    named, text = _named(body)
    left = _CONTEXT_LEFT.search(text)
    if left is not None:
        tokens = int(left["whole"] or left["length"]) - int(left["prompt"] or left["messages"])
        return Lesson(max_output_tokens=tokens, of_page=True) if _MIN_LIMIT <= tokens < limit else None
    about = [
        name
        for name in sorted(sent, key=len, reverse=True)
        if named.split(".")[0] == name or _position(name, named, text) < len(text)
    ]
    if not about:
        return None
    if about[0] in _LIMITS or (_LIMITS & set(about) and _TOO_LARGE.search(text)):
        numbers = [int(number) for number in _NUMBER.findall(text)] if _TOO_LARGE.search(text) else []
        largest = max((number for number in numbers if number < limit), default=0)
        largest -= 1 if _EXCLUSIVE.search(text) else 0
        if largest >= _MIN_LIMIT:
            return Lesson(max_output_tokens=largest)
    first = min(about, key=lambda name: _position(name, named, text))
    return Lesson(refused=first)


def _named(body: str) -> tuple[str, str]:
    """Return the parameter that the response names in a field of its own ("" if none), and its message."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", body
    error = found.get("error", found) if isinstance(found, dict) else {}
    if isinstance(error, dict) and isinstance(error.get("param"), str):
        return error["param"], str(error.get("message") or body)
    details = found.get("detail") if isinstance(found, dict) else None
    if isinstance(details, list) and details and isinstance(details[0], dict) and details[0].get("loc"):
        return str(details[0]["loc"][-1]), body
    return "", str(error.get("message") or body) if isinstance(error, dict) else body


def _position(name: str, named: str, text: str) -> int:
    """Return where the message names the parameter; -1 if a field of its own names it, the text's length if nothing."""
    if named.split(".")[0] == name:
        return -1
    spelled = (name, *_SPELLINGS.get(name, ()))
    places = [found.start() for word in spelled if (found := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text))]
    return min(places, default=len(text))
