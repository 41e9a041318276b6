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
    if connection.vendor == "sqlite":
        _turns = threading.Semaphore(1)
        return
    options = connection.settings_dict
    options["CONN_MAX_AGE"], options["CONN_HEALTH_CHECKS"] = 0, False
    # Two more than turns: for the timer's and the leases' threads.
    options["OPTIONS"]["pool"] = {"min_size": 1, "max_size": settings.DATABASE_POOL_SIZE + 2, "timeout": 30}
    _turns = threading.Semaphore(settings.DATABASE_POOL_SIZE)


@contextmanager
def database_turn() -> Iterator[None]:
    """This thread's turn at the database; its connection is given back at the end. Turns may be nested."""
    if _turns is None or _depth():
        _mine.depth = _depth() + 1
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
            connection.close()  # a file handle and a cache for each of hundreds of threads on SQLite, too


def _depth() -> int:
    depth: int = getattr(_mine, "depth", 0)
    return depth
