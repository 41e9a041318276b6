"""The messages of a conversation as each family accepts them.

litellm adds fields of its own to a model's message, which strict servers refuse. Only what a provider wants back is
sent: Gemini its thought signatures, Claude its thinking blocks.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

_FIELDS = ("role", "content", "tool_calls", "tool_call_id")
_SIGNATURE_MARK = "__thought__"  # litellm appends Gemini's signature to the id of a tool call


def picture_part(image: bytes, **fields: str) -> dict[str, Any]:
    """Return the part of a message that shows a JPEG."""
    url = "data:image/jpeg;base64," + base64.b64encode(image).decode("ascii")
    return {"type": "image_url", "image_url": {"url": url, **fields}}


def messages_for(family: str, model: str, messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages for this family and model. Some may be answers of other models."""
    is_claude = "claude" in model.lower()
    is_gemini = not is_claude and family in ("gemini", "vertex_ai")
    wanted = {
        *_FIELDS,
        *(["thinking_blocks"] if is_claude else []),
        *(["provider_specific_fields"] if is_gemini else []),
    }
    kept = []
    for message in messages:
        found = {name: value for name, value in message.items() if name in wanted and value is not None}
        if not is_gemini:
            if "tool_call_id" in found:
                found["tool_call_id"] = _plain_id(found["tool_call_id"])
            if "tool_calls" in found:
                calls = [(_plain_id(call["id"]), call["function"]) for call in found["tool_calls"]]
                found["tool_calls"] = [
                    {
                        "id": plain_id,
                        "type": "function",
                        "function": {"name": function["name"], "arguments": function.get("arguments") or "{}"},
                    }
                    for plain_id, function in calls
                ]
        kept.append(found)
    return kept


def _plain_id(identifier: str) -> str:
    return identifier.partition(_SIGNATURE_MARK)[0]
