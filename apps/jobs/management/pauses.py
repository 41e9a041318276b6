"""The output of ``manage.py pause`` and ``manage.py resume`` without a name."""

from __future__ import annotations

from apps.jobs import queries
from apps.jobs.scheduling import pauses


def describe_pauses() -> str:
    """Return a line for each pause, and a line with the names that can be paused."""
    paused = [f"Paused: {pause.describe()}." for pause in queries.pauses()] or ["Nothing is paused."]
    return "\n".join([*paused, f"Can be paused: {', '.join(pauses.pausable())}."])
