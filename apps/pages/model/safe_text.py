"""Text from a file is made safe before anybody else sees it."""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_TEXT_CHARACTERS = 200_000
# NUL and lone surrogates stand for a character that was there; the other C0 controls, and the marks that turn the order
# of what follows on a reader's screen, stand for nothing.
_LOST = re.compile("[\\x00\\ud800-\\udfff]")
_DROPPED = re.compile("[\\x01-\\x08\\x0b-\\x1f\\x7f\\u202a-\\u202e\\u2066-\\u2069\\ufffe\\uffff]")
_SUSPECT = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f\\ud800-\\udfff\\u202a-\\u202e\\u2066-\\u2069\\ufffe\\uffff]")


def clean(text: str) -> str:
    """Tab and newline stay, other control characters and bidi overrides go, NUL and lone surrogates become U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    if not _SUSPECT.search(text):
        return text
    return _DROPPED.sub("", _LOST.sub(REPLACEMENT, text))
