"""What ``manage.py pause`` and ``manage.py resume`` tell who names nothing."""

from __future__ import annotations

from apps.jobs import queries
from apps.jobs.scheduling import pauses


def describe_pauses() -> str:
    """A line for each that is paused, and one of the names that can be."""
    paused = [f"Paused: {pause.describe()}." for pause in queries.pauses()] or ["Nothing is paused."]
    return "\n".join([*paused, f"Can be paused: {', '.join(pauses.pausable())}."])
