"""What keeps the service from starting, and a load from being planned."""

from __future__ import annotations


class CannotStart(Exception):
    """The group cannot be started; the message is a sentence that says what to do."""


class CannotPlan(Exception):
    """What was asked cannot be planned or simulated; the message is a sentence that says what to do."""
