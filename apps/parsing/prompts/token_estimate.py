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
import string
from collections.abc import Mapping, Sequence
from typing import Any

from apps.providers.model_facts.picture_tokens import picture_tokens

MESSAGE_TOKENS = 4
"""Tokens of a message beside its content."""
UNKNOWN_IMAGE_TOKENS = 4_000
_HEAD = 48_000  # characters of base64 that contain a JPEG's size
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# The kinds of ASCII characters: tokens for each sequence, tokens for each of its characters.
_A_WORD, _A_LETTER = 0.7, 0.155
_LONG_WORD, _A_LONG_LETTER = 13, 0.15  # in addition: no tokenizer has such words as one token
_A_NUMBER, _A_DIGIT = 1.6, 0.2
_A_MARK, _A_SIGN = 1.0, 0.2
_A_BREAK = 0.8
# The same for other characters, whose sequences have no cost of their own.
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_OTHERS = (
    (re.compile("[\u00a0-\u036f]+"), 1.3),
    (re.compile("[\u0370-\u1fff]+"), 1.0),  # Greek, Cyrillic, Hebrew, Arabic, India, Thai
    (re.compile("[\u2000-\u2fff]+"), 2.0),  # typographic signs, arrows, maths
    (re.compile("[\u3000-\u9fff\uf900-\uffef]+"), 1.6),
    (re.compile("[\ua000-\ud7ff]+"), 1.35),
    (re.compile("[\ue000-\uf8ff\ufff0-\uffff\U00010000-\U0010ffff]+"), 3.0),
)


def _only(kept: str) -> bytes:
    """Return the table for ``bytes.translate`` that keeps these ASCII characters, as x, and makes blanks of others."""
    return bytes(ord("x") if chr(code) in kept else ord(" ") for code in range(256))


_LETTERS, _DIGITS = _only(string.ascii_letters), _only(string.digits)
_SIGNS, _BREAKS = _only(string.punctuation), _only("\n")


def estimate_tokens(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = (), *, model: str = ""
) -> int:
    """Return the tokens of the messages, including pictures as ``model`` counts them, and of the tools."""
    total = MESSAGE_TOKENS * len(messages)
    calls: list[Any] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            total += text_tokens(content)
        for part in content if isinstance(content, list | tuple) else ():
            if part.get("type") == "image_url":
                total += image_tokens(part["image_url"]["url"], model)
            else:
                total += text_tokens(str(part.get("text") or ""))
        calls += message.get("tool_calls") or ()
    for extra in (list(tools), calls):
        if extra:
            total += text_tokens(json.dumps(extra))
    return total


def text_tokens(text: str) -> int:
    """Return the tokens of a text."""
    data = text.encode("utf-8", "surrogatepass")
    words = list(map(len, data.translate(_LETTERS).split()))
    total = _A_WORD * len(words) + _A_LETTER * sum(words)
    total += _A_LONG_LETTER * sum(length for length in words if length >= _LONG_WORD)
    for table, a_sequence, a_sign in ((_DIGITS, _A_NUMBER, _A_DIGIT), (_SIGNS, _A_MARK, _A_SIGN)):
        sequences = data.translate(table).split()
        total += a_sequence * len(sequences) + a_sign * sum(map(len, sequences))
    total += _A_BREAK * len(data.translate(_BREAKS).split())
    if not text.isascii():
        others = "".join(_NOT_ASCII.findall(text))
        for kind, a_sign in _OTHERS:
            total += a_sign * sum(map(len, kind.findall(others)))
    return math.ceil(total)


def image_tokens(url: str, model: str) -> int:
    """Return the tokens of a picture, computed from the size in the JPEG's header."""
    kind, _comma, data = url.partition(",")
    if not kind.startswith("data:"):
        return UNKNOWN_IMAGE_TOKENS
    try:
        size = jpeg_size(base64.b64decode(data[:_HEAD]))
    except (binascii.Error, ValueError):
        size = None
    return picture_tokens(model, *size) if size and all(size) else UNKNOWN_IMAGE_TOKENS


def jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height from the frame header (ITU T.81, B.2.2), or None if ``head`` has none."""
    place = 2
    while head.startswith(b"\xff\xd8") and place + 9 <= len(head) and head[place] == 0xFF:
        if head[place + 1] in _FRAMES:
            return int.from_bytes(head[place + 7 : place + 9]), int.from_bytes(head[place + 5 : place + 7])
        place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None
