"""The tokens of a picture, as the families of models count them.

Sources: https://platform.openai.com/docs/guides/images-vision and
https://docs.anthropic.com/en/docs/build-with-claude/vision
"""

from __future__ import annotations

import math

PIXELS_PER_TOKEN = 750
"""Claude's count. It is taken for every model without an own one here, because others count less."""
MIN_PICTURE_TOKENS = 260
# OpenAI: a base, and tokens for each tile of 512 pixels of a picture within 2048, its shorter side at most 768.
_TILES = {"gpt-4o-mini": (2833, 5667), "gpt-4o": (85, 170), "gpt-4.1": (85, 170), "gpt-5": (70, 140), "o3": (75, 150)}
_TILE, _LONGEST, _SHORTEST = 512, 2048, 768
# OpenAI: tokens for each patch of 32 pixels; a picture with more patches than the limit is scaled down.
_PATCHES = {"gpt-4.1-mini": 1.62, "gpt-4.1-nano": 2.46, "gpt-5-mini": 1.62, "gpt-5-nano": 2.46, "o4-mini": 1.72}
_PATCH, _MAX_PATCHES = 32, 1536


def picture_tokens(model: str, width: float, height: float) -> int:
    """Return the tokens of a picture, sent in full detail. ``width`` and ``height`` are in pixels."""
    known = _known_name(model)
    if known in _PATCHES:
        patches = min(math.ceil(width / _PATCH) * math.ceil(height / _PATCH), _MAX_PATCHES)
        tokens = math.ceil(patches * _PATCHES[known])
    elif known in _TILES:
        base, of_tile = _TILES[known]
        scale = min(1.0, _LONGEST / max(width, height), _SHORTEST / min(width, height))
        tokens = base + of_tile * math.ceil(width * scale / _TILE) * math.ceil(height * scale / _TILE)
    else:
        tokens = math.ceil(width * height / PIXELS_PER_TOKEN)
    return max(MIN_PICTURE_TOKENS, tokens)


def counts_pictures(model: str) -> bool:
    """Return whether the count of the model is known; otherwise ``picture_tokens`` is the most that it may be."""
    return bool(_known_name(model)) or "claude" in model.lower()


def _known_name(model: str) -> str:
    """Return the longest name in the tables that the model's name is, or begins with before a "-"; "" if none is."""
    name = model.lower().rsplit("/", 1)[-1]
    matching = [known for known in (*_TILES, *_PATCHES) if name == known or name.startswith(f"{known}-")]
    return max(matching, key=len, default="")
