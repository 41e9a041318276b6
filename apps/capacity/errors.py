"""Errors of capacity plans and simulations."""

from __future__ import annotations


class CannotPlan(Exception):
    """The load cannot be planned or simulated. The message states the reason and the next step."""
