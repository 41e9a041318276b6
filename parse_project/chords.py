"""Celery's Redis backend as a counter of chords.

Nobody here waits for a task's result. The stock backend nevertheless subscribes to every member of a chord that is
published: a command each, memory that grows, and after a restart of Redis a process that can publish no more.
"""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend


class ChordCounter(RedisBackend):
    """Counts the members of a chord and publishes its body; results are not waited for."""

    def add_pending_result(self, result: Any, weak: bool = False, start_drainer: bool = True) -> Any:
        return result

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """No subscription."""


def backend_url(redis_url: str) -> str:
    """How Celery is told to use this backend: the class, then the server (``socket`` for a Unix socket)."""
    return f"{__name__}:ChordCounter+{redis_url.removeprefix('redis+')}"
