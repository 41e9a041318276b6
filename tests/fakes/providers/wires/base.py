"""What the server asks of a wire, and the checks they share."""

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
        """Check path, credential and body, in the provider's order; Refusal says what is wrong."""

    def answer(self, conversation: Conversation, completion: Completion) -> dict[str, Any]:
        """The body of a 200."""

    def answer_headers(self) -> dict[str, str]:
        """What the provider sends beside the body."""

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """The provider's own error for this refusal."""


def number() -> int:
    """A number that no other answer of this process has."""
    return next(_numbers)


def json_reply(status: int, body: object, headers: dict[str, str]) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def check_model(wire: Wire, model: str) -> None:
    if not any(fnmatchcase(model, pattern) for pattern in wire.models):
        raise Refusal("model_not_found")


def is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def objects(value: object, wrong: Callable[[], Refusal], *, empty: bool = False) -> list[dict[str, Any]]:
    """``value`` if it is a list of JSON objects, and not an empty one unless ``empty``; else ``wrong()`` is raised."""
    if isinstance(value, list) and (value or empty) and all(isinstance(item, dict) for item in value):
        return value
    raise wrong()
