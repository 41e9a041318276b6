"""The errors of JSON schemas that users send."""

from __future__ import annotations

from typing import Any

from apps.pages.model.errors import ParseError

MAX_MESSAGE_CHARS = 300

Schema = dict[str, Any]


class InvalidSchema(ParseError):
    """The JSON schema cannot be used. Send a JSON Schema (2020-12) of type object, without remote references."""

    code = "invalid_schema"


class SchemaTooLarge(ParseError):
    """The JSON schema is too large. Send one of at most 64 KB, or extract fewer values at once."""

    code = "schema_too_large"


def shortened(text: object) -> str:
    """Return a text for a message: in one line, of at most ``MAX_MESSAGE_CHARS`` characters."""
    words = " ".join(str(text).split())
    return words if len(words) <= MAX_MESSAGE_CHARS else f"{words[:MAX_MESSAGE_CHARS]}…"
