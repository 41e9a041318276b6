"""Celery's Redis backend, reduced to a counter of chords.

No process waits for task results. Celery's own backend nevertheless subscribes to every member of a published chord.
That costs a command per member and growing memory, and after a restart of Redis the process can no longer publish.
"""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend


class ChordCounter(RedisBackend):
    """Counts the members of a chord and publishes its body; does not subscribe to results."""

    def add_pending_result(self, result: Any, weak: bool = False, start_drainer: bool = True) -> Any:
        return result

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """No subscription."""


def backend_url(redis_url: str) -> str:
    """Return Celery's ``result_backend``: this class, then the server (``socket`` for a Unix socket)."""
    return f"{__name__}:ChordCounter+{redis_url.removeprefix('redis+')}"
