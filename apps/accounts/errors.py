"""Errors of projects, and of keys that clients send to repeat a request safely.

ProjectBeingDeleted (a ParseError)
IdempotencyKeyError (a ParseError)
  IdempotencyKeyReused, IdempotencyKeyInUse
"""

from __future__ import annotations

from apps.pages.model.errors import ParseError


class ProjectBeingDeleted(ParseError):
    """The project is being deleted. Wait until it is gone, or use another name."""

    code = "conflict"


class IdempotencyKeyError(ParseError):
    """The idempotency key cannot be used."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(IdempotencyKeyError):
    """The idempotency key was sent before with another request. Send a new key with each new request."""

    code = "idempotency_key_reused"


class IdempotencyKeyInUse(IdempotencyKeyError):
    """A request with this idempotency key is still being processed. Send it again in a moment, with the same key."""

    code = "idempotency_key_in_use"
    retryable = True
