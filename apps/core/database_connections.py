"""Many threads, few database connections: a thread takes a turn for its few statements and lets go before it waits.

On SQLite one thread of a process works with the database at a time, so that processes queue for its one writer, not
hundreds of threads; on PostgreSQL as many as ``settings.DATABASE_POOL_SIZE``. Connections stay open between turns and
go from thread to thread as they are: to open Django's connection anew costs more than most of the statements do.
Elsewhere than in a worker with many threads the turn is always free, and a thread keeps its own connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections

# A server that was restarted is noticed before a connection is used that lay idle for so long.
IDLE_SECONDS = 1.0

_shared: _SharedConnections | None = None
_mine = threading.local()


def share_connections() -> None:
    """From here on the threads of this process share a few connections. Called once, when such a worker starts."""
    global _shared
    _shared = _SharedConnections(1 if connection.vendor == "sqlite" else settings.DATABASE_POOL_SIZE)


def close_shared() -> None:
    """Close what no thread uses now; whoever takes a turn opens it again."""
    if _shared is not None:
        _shared.close()


@contextmanager
def database_turn() -> Iterator[None]:
    """This thread's turn at the database; its connection is given back at the end. Turns may be nested."""
    if _shared is None or _depth():
        _mine.depth = _depth() + 1
        try:
            yield
        finally:
            _mine.depth -= 1
        return
    with _shared.lent():
        _mine.depth = 1
        try:
            yield
        finally:
            _mine.depth = 0


def _depth() -> int:
    depth: int = getattr(_mine, "depth", 0)
    return depth


class _SharedConnections:
    """Connections of this process, lent to one thread at a time; the one that was used last is lent first."""

    def __init__(self, most: int) -> None:
        self._turns = threading.Semaphore(most)
        self._idle: list[tuple[Any, float]] = []

    @contextmanager
    def lent(self) -> Iterator[None]:
        with self._turns:
            lent, own = self._take(), connections.all(initialized_only=True)
            connections[DEFAULT_DB_ALIAS] = lent
            try:
                yield
            finally:
                del connections[DEFAULT_DB_ALIAS]
                for one in own:  # of a thread that had asked the database outside of a turn
                    connections[DEFAULT_DB_ALIAS] = one
                lent.close_if_unusable_or_obsolete()
                self._idle.append((lent, time.monotonic()))

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> Any:
        try:
            lent, since = self._idle.pop()
        except IndexError:  # asked for, not looked at: another thread may be quicker in between
            made = connections.create_connection(DEFAULT_DB_ALIAS)
            made.inc_thread_sharing()
            return made
        lent.health_check_done = time.monotonic() - since < IDLE_SECONDS
        return lent
