"""A request for a page suits the model of its deployment: size of picture, and marks for Claude's prompt cache."""

from __future__ import annotations

from typing import Any

import pytest

from apps.pages.model.blocks import Page
from apps.parsing.prompts.messages import load, page_messages
from apps.parsing.requests import picture_pixels, request_of
from tests.unit.pages.drawing import page, text_block
from tests.unit.providers.test_thinking import target

PAGE: Page = page(text_block("Sales"))
MARK = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("family", "model", "fields", "pixels"),
    [
        ("anthropic", "claude-sonnet-4-5", {}, 1568),
        ("anthropic", "claude-opus-4-7", {}, 2576),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", {}, 1568),
        ("vertex_ai", "claude-opus-5", {}, 2576),
        ("azure", "pages-prod", {"base_model": "gpt-5"}, 0),
        ("gemini", "gemini-2.5-flash", {}, 0),
        ("gemini", "gemini-2.5-flash", {"picture_pixels": 3072}, 3072),
        ("openai_compatible", "rednote-hilab/dots.ocr", {"dialect": "dots_ocr"}, 2324),
        ("openai_compatible", "rednote-hilab/dots.ocr", {"dialect": "dots_ocr", "picture_pixels": 1000}, 1000),
    ],
)
def test_the_size_of_a_picture_follows_the_model(family: str, model: str, fields: dict[str, Any], pixels: int) -> None:
    assert picture_pixels(target(family, model, **fields)) == pixels


def test_claude_keeps_the_instructions_and_an_agent_also_its_page() -> None:
    opening = page_messages(load("agent"), PAGE, image=b"\xff\xd8jpeg")
    followed = [*opening.messages, {"role": "assistant", "content": "ok"}]
    system, user, answer = request_of(followed, PAGE, target("anthropic", "claude-sonnet-4-5"), opening.tools).messages
    assert system["content"] == [{"type": "text", "text": opening.messages[0]["content"], **MARK}]
    assert [MARK.items() <= part.items() for part in user["content"]] == [False, False, True]
    assert answer == followed[-1]


def test_a_page_without_further_requests_is_not_kept() -> None:
    opening = page_messages(load("llm"), PAGE)
    system, user = request_of(opening.messages, PAGE, target("bedrock", "eu.anthropic.claude-sonnet-4-5-v1:0")).messages
    assert MARK.items() <= system["content"][0].items()
    assert user == opening.messages[1]


def test_other_models_get_no_marks() -> None:
    opening = page_messages(load("llm"), PAGE)
    assert list(request_of(opening.messages, PAGE, target("openai", "gpt-4o")).messages) == list(opening.messages)
