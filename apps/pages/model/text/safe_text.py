"""Remove dangerous characters from text that comes from a file."""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_TEXT_CHARACTERS = 200_000
# NUL and lone surrogates replace a lost character. The other C0 controls and the bidi overrides carry no text.
_LOST = re.compile("[\\x00\\ud800-\\udfff]")
_DROPPED = re.compile("[\\x01-\\x08\\x0b-\\x1f\\x7f\\u202a-\\u202e\\u2066-\\u2069\\ufffe\\uffff]")
_SUSPECT = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f\\ud800-\\udfff\\u202a-\\u202e\\u2066-\\u2069\\ufffe\\uffff]")


def clean(text: str) -> str:
    """Keep tab and newline, remove other controls and bidi overrides, replace NUL and lone surrogates by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    if not _SUSPECT.search(text):
        return text
    return _DROPPED.sub("", _LOST.sub(REPLACEMENT, text))
