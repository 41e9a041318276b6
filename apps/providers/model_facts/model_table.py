"""The public table of models that litellm ships: output limits, thinking and prices of several thousand models.

The file is read without importing litellm, which takes seconds. Nothing is fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_FILE = "model_prices_and_context_window_backup.json"
# The names under which the table lists a family's models, the most specific first.
_PREFIXES: dict[str, tuple[str, ...]] = {
    "openai": ("",),
    "azure": ("azure/", ""),
    "anthropic": ("",),
    "bedrock": ("bedrock/", ""),
    "vertex_ai": ("vertex_ai/", ""),
    "gemini": ("gemini/", ""),
}
_REGION = re.compile(r"^(?:us|eu|apac|jp|au|ca|sa|us-gov|global)\.")
_DATE = re.compile(r"[-@]\d{4}-?\d{2}-?\d{2}(?:-v\d+(?::\d+)?)?$|-v\d+(?::\d+)?$|-\d{3}$")


@lru_cache(maxsize=512)
def entry_of(family: str, model: str) -> Mapping[str, Any]:
    """Return what the table says about a family's model; {} if it does not list it."""
    for prefix in _PREFIXES.get(family, ()):
        for name in _spellings(model):
            if prefix + name in table():
                return table()[prefix + name]
    return {}


def _spellings(model: str) -> Iterator[str]:
    """Yield the model's name, then without a region, a fine-tuning's name and a date."""
    yield model
    name = model.rsplit("/", 1)[-1]  # the ARN of an inference profile ends with the model's name
    yield name
    if name.startswith("ft:"):
        name = name.split(":")[1]
        yield name
    name = _REGION.sub("", name)
    yield name
    yield _DATE.sub("", name)


@cache
def table() -> dict[str, dict[str, Any]]:
    """Return the whole table, by the names of the models; {} if litellm is not installed."""
    found = find_spec("litellm")
    if found is None or found.origin is None:
        return {}
    entries: dict[str, dict[str, Any]] = json.loads(Path(found.origin).with_name(_FILE).read_text(encoding="utf-8"))
    return entries
