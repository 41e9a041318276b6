"""Estimate the tokens of a conversation before it is sent, without a tokenizer, for reservations.

On 718 pages in 17 languages the estimate was at least 0.91 of the count of GPT-4's and GPT-4o's tokenizers, and 1.3 of
it in total.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

MESSAGE_TOKENS = 4
"""Tokens of a message beside its content."""
PIXELS_PER_TOKEN = 750
"""Anthropic's count; OpenAI and Google count less for pictures of pages."""
MIN_IMAGE_TOKENS = 260
UNKNOWN_IMAGE_TOKENS = 4_000
_HEAD = 48_000  # characters of base64 that contain a JPEG's size
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ASCII_KINDS = 5
# A kind of character sequence, tokens for each sequence, tokens for each of its characters.
_COSTS = (
    (re.compile(r"[A-Za-z]+"), 0.7, 0.155),
    (
        re.compile(r"[A-Za-z]{13,}"),
        0.0,
        0.15,
    ),  # in addition to the line above: no tokenizer has such words as one token
    (re.compile(r"[0-9]+"), 1.6, 0.2),
    (re.compile(r"[!-/:-@\[-`{-~]+"), 1.0, 0.2),
    (re.compile(r"\n+"), 0.8, 0.0),
    (re.compile("[\u00a0-\u036f]+"), 0.0, 1.3),  # from here on: never in ASCII text
    (re.compile("[\u0370-\u1fff]+"), 0.0, 1.0),  # Greek, Cyrillic, Hebrew, Arabic, India, Thai
    (re.compile("[\u2000-\u2fff]+"), 0.0, 2.0),  # typographic signs, arrows, maths
    (re.compile("[\u3000-\u9fff\uf900-\uffef]+"), 0.0, 1.6),
    (re.compile("[\ua000-\ud7ff]+"), 0.0, 1.35),
    (re.compile("[\ue000-\uf8ff\ufff0-\uffff\U00010000-\U0010ffff]+"), 0.0, 3.0),
)


def estimate_tokens(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> int:
    """Return the tokens of the messages, including pictures, and of the tools."""
    total = MESSAGE_TOKENS * len(messages)
    calls: list[Any] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            total += text_tokens(content)
        for part in content if isinstance(content, list | tuple) else ():
            if part.get("type") == "image_url":
                total += image_tokens(part["image_url"]["url"])
            else:
                total += text_tokens(str(part.get("text") or ""))
        calls += message.get("tool_calls") or ()
    for extra in (list(tools), calls):
        if extra:
            total += text_tokens(json.dumps(extra))
    return total


def text_tokens(text: str) -> int:
    """Return the tokens of a text."""
    total = 0.0
    for kind, a_run, a_sign in _COSTS[:_ASCII_KINDS] if text.isascii() else _COSTS:
        runs = kind.findall(text)
        total += a_run * len(runs) + a_sign * sum(map(len, runs))
    return math.ceil(total)


def image_tokens(url: str) -> int:
    """Return the tokens of a picture, computed from the size in the JPEG's header."""
    kind, _comma, data = url.partition(",")
    if not kind.startswith("data:"):
        return UNKNOWN_IMAGE_TOKENS
    try:
        size = jpeg_size(base64.b64decode(data[:_HEAD]))
    except (binascii.Error, ValueError):
        size = None
    return max(MIN_IMAGE_TOKENS, -(-size[0] * size[1] // PIXELS_PER_TOKEN)) if size else UNKNOWN_IMAGE_TOKENS


def jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height from the frame header (ITU T.81, B.2.2), or None if ``head`` has none."""
    place = 2
    while head.startswith(b"\xff\xd8") and place + 9 <= len(head) and head[place] == 0xFF:
        if head[place + 1] in _FRAMES:
            return int.from_bytes(head[place + 7 : place + 9]), int.from_bytes(head[place + 5 : place + 7])
        place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None
