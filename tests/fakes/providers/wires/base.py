"""The interface of a wire (the API format of a family), and the checks that wires share."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import count
from typing import Any, Protocol

from tests.fakes.providers.conversation import Call, Completion, Conversation, Refusal, Reply

_numbers = count(1)


class Wire(Protocol):
    """A family of providers.

    ``usage_key`` is where an answer holds its token counts; ``filters_by_error``: a filtered prompt is an error there.
    """

    family: str
    usage_key: str
    filters_by_error: bool
    models: tuple[str, ...]

    def read(self, call: Call) -> Conversation:
        """Check path, credential and body, in the provider's order. Raise Refusal with the first error."""

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        """Return the body of a 200."""

    def answer_headers(self) -> dict[str, str]:
        """Return the provider's headers of a 200."""

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """Return the provider's error response for this refusal."""


def number() -> int:
    """Return a number that no other response of this process has."""
    return next(_numbers)


def json_reply(status: int, body: object, headers: dict[str, str]) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def check_model(wire: Wire, model: str) -> None:
    if not any(fnmatchcase(model, pattern) for pattern in wire.models):
        raise Refusal("model_not_found")


def is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def objects(value: object, wrong: Callable[[], Refusal], *, empty: bool = False) -> list[dict[str, Any]]:
    """Return ``value`` if it is a list of JSON objects, not empty unless ``empty``. Otherwise raise ``wrong()``."""
    if isinstance(value, list) and (value or empty) and all(isinstance(item, dict) for item in value):
        return value
    raise wrong()
