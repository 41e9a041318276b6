"""Many threads, few database connections: a thread takes a turn for its few statements and lets go before it waits.

On SQLite one thread of a process works with the database at a time, so that processes queue for its one writer, not
hundreds of threads; on PostgreSQL as many as the connection pool has connections. Elsewhere than in a worker with many
threads the turn is always free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

_turns: threading.Semaphore | None = None
_mine = threading.local()


def share_connections() -> None:
    """From here on the threads of this process share a few connections. Called once, when such a worker starts."""
    global _turns
    turns = 1 if connection.vendor == "sqlite" else settings.DATABASE_POOL_SIZE
    _turns = threading.Semaphore(turns)


@contextmanager
def database_turn() -> Iterator[None]:
    """This thread's turn at the database; its connection is given back at the end. Turns may be nested."""
    if _turns is None or getattr(_mine, "depth", 0):
        _mine.depth = getattr(_mine, "depth", 0) + 1
        try:
            yield
        finally:
            _mine.depth -= 1
        return
    with _turns:
        _mine.depth = 1
        try:
            yield
        finally:
            _mine.depth = 0
            if connection.vendor != "sqlite":  # SQLite's costs no server anything, and opening it anew does
                connection.close()
