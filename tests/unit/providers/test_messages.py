"""A model's message is sent back with what its own provider wants, and with nothing that others refuse."""

from __future__ import annotations

from typing import Any

import pytest

from apps.providers.requests.messages import messages_for

ANSWER: dict[str, Any] = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "index": 0,
            "id": "call_1__thought__c2lnbmVk",
            "type": "function",
            "function": {"name": "zoom", "arguments": '{"region": [1]}'},
            "provider_specific_fields": {"thought_signature": "c2lnbmVk"},
        }
    ],
    "provider_specific_fields": {"thought_signatures": ["c2lnbmVk"]},
    "reasoning_content": "Let me look.",
    "thinking_blocks": [{"type": "thinking", "thinking": "Let me look.", "signature": "s"}],
    "annotations": [],
}
RESULT = {"role": "tool", "tool_call_id": "call_1__thought__c2lnbmVk", "name": "zoom", "content": "closer"}
PLAIN_CALL = {"id": "call_1", "type": "function", "function": {"name": "zoom", "arguments": '{"region": [1]}'}}


@pytest.mark.parametrize(
    ("family", "model"), [("openai", "gpt-5"), ("azure", "pages"), ("openai_compatible", "m"), ("bedrock", "nova")]
)
def test_strict_server_gets_only_documented_fields(family: str, model: str) -> None:
    assert messages_for(family, model, [ANSWER, RESULT]) == [
        {"role": "assistant", "tool_calls": [PLAIN_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "closer"},
    ]


@pytest.mark.parametrize("family", ["gemini", "vertex_ai"])
def test_gemini_gets_its_signatures_back(family: str) -> None:
    answer, result = messages_for(family, "gemini-3-pro-preview", [ANSWER, RESULT])

    assert answer["tool_calls"] == ANSWER["tool_calls"]
    assert answer["provider_specific_fields"] == {"thought_signatures": ["c2lnbmVk"]}
    assert result["tool_call_id"] == ANSWER["tool_calls"][0]["id"]


@pytest.mark.parametrize("family", ["anthropic", "bedrock", "vertex_ai"])
def test_claude_gets_its_thinking_back(family: str) -> None:
    answer, _ = messages_for(family, "claude-sonnet-4-5", [ANSWER, RESULT])

    assert answer["thinking_blocks"] == ANSWER["thinking_blocks"]
    assert answer["tool_calls"] == [PLAIN_CALL]
    assert "provider_specific_fields" not in answer
