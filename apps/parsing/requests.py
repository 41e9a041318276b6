"""What a request for a page has for a deployment: the size of its picture, its prompt, its limit, cache marks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.pages.model.blocks import Page
from apps.parsing.page_parser import answer_tokens
from apps.parsing.prompts.token_estimate import estimate_tokens
from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.catalog import Target
from apps.providers.model_facts.dialects import DIALECTS
from apps.providers.requests.request_parameters import model_of

# Claude scales larger pictures down to this, https://docs.anthropic.com/en/docs/build-with-claude/vision
CLAUDE_PIXELS, NEW_CLAUDE_PIXELS = 1568, 2576
_FIRST_NEW_CLAUDE = (4, 7)
_CLAUDE = re.compile(r"claude-(?:opus|sonnet|haiku)-(\d{1,2})(?:-(\d{1,2})(?!\d))?")
# A form with boxes has about twice the tokens of Markdown.
TOKENS_OF_DIALECT = 2
_FINISHED = frozenset({"stop", "tool_calls", "end_turn"})


def picture_pixels(target: Target) -> int:
    """Return the longest side of a page's picture for the deployment; 0 for that of the usual resolution."""
    if target.picture_pixels or DIALECTS[target.dialect].picture_pixels:
        return target.picture_pixels or DIALECTS[target.dialect].picture_pixels
    model = model_of(target).lower()
    if "claude" not in model:
        return 0
    version = _CLAUDE.search(model)
    is_new = version is not None and (int(version.group(1)), int(version.group(2) or 0)) >= _FIRST_NEW_CLAUDE
    return NEW_CLAUDE_PIXELS if is_new else CLAUDE_PIXELS


def is_finished(answer: CompletionResponse) -> bool:
    """Return whether the provider says that the answer is complete."""
    return answer.finish_reason in _FINISHED


def request_of(
    messages: Sequence[Mapping[str, Any]], page: Page, target: Target, tools: Sequence[Mapping[str, Any]] = ()
) -> CompletionRequest:
    """Return the request with these messages to the deployment."""
    limit = answer_tokens(page) * (TOKENS_OF_DIALECT if target.dialect else 1)
    tokens = estimate_tokens(messages, tools, model=model_of(target))
    if "claude" in model_of(target).lower():
        messages = with_cache_marks(messages, goes_on=bool(tools))
    return CompletionRequest(messages, tools=tools, max_tokens=limit, input_tokens=tokens)


def with_cache_marks(messages: Sequence[Mapping[str, Any]], *, goes_on: bool) -> list[Mapping[str, Any]]:
    """Return the messages with the marks up to which Claude keeps a prompt for the next request.

    ``goes_on``: more requests of this conversation follow, so its first message is kept with the picture. Other
    providers keep prompts by themselves. What is too short is not kept, and costs nothing.
    """
    marked = list(messages)
    for place, message in enumerate(marked[:2]):
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if message["role"] == "system" or goes_on:
            parts[-1] = {**parts[-1], "cache_control": {"type": "ephemeral"}}
            marked[place] = {**message, "content": parts}
    return marked
