"""Errors that keep the service from starting."""

from __future__ import annotations


class CannotStart(Exception):
    """The group cannot be started; the message names the remedy."""
