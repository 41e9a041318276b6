"""The limits that a provider announces in the headers of its answers, and how it counts tokens against them.

Sources: https://platform.openai.com/docs/guides/rate-limits, https://docs.anthropic.com/en/api/rate-limits,
https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# By family: a limit of ours and the header that announces it for a minute. Other servers use the same names for a day.
_HEADERS = {
    "openai": {"requests": "x-ratelimit-limit-requests", "tokens": "x-ratelimit-limit-tokens"},
    "anthropic": {
        "requests": "anthropic-ratelimit-requests-limit",
        "input_tokens": "anthropic-ratelimit-input-tokens-limit",
        "output_tokens": "anthropic-ratelimit-output-tokens-limit",
    },
}
_MIN_TOKENS = 40_000  # below, a single page could not be reserved
_BURNS_FIVE = re.compile(r"claude-(?:3-7|(?:opus|sonnet|haiku)-[4-9])")


def announced_limits(family: str, headers: Mapping[str, str]) -> dict[str, int]:
    """Return the limits for a minute that the headers of an answer announce."""
    found = {}
    for name, header in _HEADERS.get(family, {}).items():
        text = headers.get(header, "")
        if text.isdigit() and int(text) >= (1 if name == "requests" else _MIN_TOKENS):
            found[name] = int(text)
    return found


def quota_tokens_per_output_token(family: str, model: str) -> int:
    """Return how many tokens of quota an output token takes: 5 for Claude on Bedrock from 3.7 on, otherwise 1."""
    return 5 if family == "bedrock" and _BURNS_FIVE.search(model) else 1
