"""Count tokens without the vocabulary of a model, which would have to be fetched."""

from __future__ import annotations

import re

TOKENIZER = "subwords-1"
"""The name of this way to count. Another way gets another name."""
# Scripts that are written without spaces, or whose letters are rarely one token with their neighbours.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKENS = re.compile(
    rf"[{_UNSPACED}]"
    r"|[A-Za-z\u00c0-\u024f]{1,5}"
    r"|\d{1,3}"
    rf"|[^\W\d_{_UNSPACED}]{{1,2}}"
    r"|-{1,4}|[^\w\s]|_"
)


def count_tokens(text: str) -> int:
    """Return the number of tokens: five Latin letters, two of other scripts, three digits, or one other sign each.

    Chinese, Japanese, Korean and scripts without spaces have one token for each character. Words never share a token,
    so the tokens of two texts with a blank between them are the sum of both.
    """
    return sum(1 for _ in _TOKENS.finditer(text))
