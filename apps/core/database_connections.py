"""A pool of database connections for workers with many threads.

A thread borrows a connection for a few statements and returns it before it waits. On SQLite one thread of a process
uses the database at a time, so that processes queue for its single writer, not hundreds of threads; on PostgreSQL
``settings.DATABASE_POOL_SIZE`` threads. Connections stay open between uses and move from thread to thread: setting up
a Django connection costs more than most of the statements. In a process without a pool each thread keeps its own
connection.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db import Error as DatabaseFailure
from django.db.backends.base.base import BaseDatabaseWrapper

# Check a connection before its next use if it was idle for this long: the server may have been restarted.
IDLE_SECONDS = 1.0
MAX_CONFLICTS = 5
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_pool: _Pool | None = None
_thread = threading.local()
_commits_asynchronously = False


def share_connections() -> None:
    """Make the threads of this process share a pool. Called once, when a worker with many threads starts."""
    global _pool
    _pool = _Pool(1 if connection.vendor == "sqlite" else settings.DATABASE_POOL_SIZE)


def close_idle_connections() -> None:
    """Close the connections that no thread uses; the next thread opens a new one."""
    if _pool is not None:
        _pool.close()


@contextmanager
def borrowed_connection() -> Iterator[None]:
    """Borrow a connection from the pool for the block; wait until one is free. Blocks may be nested.

    Without a pool the thread uses its own connection. If that broke in the block, it is closed, so that the next block
    opens a new one: Django itself looks at it only before and after requests and tasks.
    """
    depth = getattr(_thread, "depth", 0)
    with _pool.borrow() if _pool is not None and not depth else nullcontext():
        _thread.depth = depth + 1
        try:
            yield
        except DatabaseFailure:
            if _pool is None and not depth:
                connection.close_if_unusable_or_obsolete()
            raise
        finally:
            _thread.depth = depth


def commit_asynchronously(created: BaseDatabaseWrapper) -> None:
    """Let PostgreSQL answer commits on this connection before they are on disk, except for durable transactions."""
    global _commits_asynchronously
    if created.vendor == "postgresql":
        _commits_asynchronously = True
        with created.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO OFF")


@contextmanager
def durable_transaction() -> Iterator[None]:
    """Open a transaction whose commit survives a power cut. On SQLite other commits may be lost in one."""
    is_sqlite = connection.vendor == "sqlite" and not connection.in_atomic_block
    if is_sqlite:
        _execute("PRAGMA synchronous=FULL")
    try:
        with transaction.atomic():
            if _commits_asynchronously:
                _execute("SET LOCAL synchronous_commit TO ON")
            yield
    finally:
        if is_sqlite and connection.connection is not None:
            _execute("PRAGMA synchronous=NORMAL")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def retried_on_conflict(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run the function again if PostgreSQL ended its transaction in favour of another (deadlock, serialization error).

    The function must open its outermost transaction itself. Within one of the caller nothing is repeated.
    """

    @wraps(work)
    def retried(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for _ in range(MAX_CONFLICTS):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                code = getattr(error.__cause__, "sqlstate", None)
                if code not in _CONFLICTS or connection.in_atomic_block:
                    raise
                time.sleep(random.uniform(0.01, 0.1))
        return work(*args, **kwargs)

    return retried


class _Pool:
    """Open connections, each lent to one thread at a time; the most recently used one is lent first."""

    def __init__(self, size: int) -> None:
        self._free = threading.Semaphore(size)
        self._idle: list[tuple[Any, float]] = []

    @contextmanager
    def borrow(self) -> Iterator[None]:
        with self._free:
            borrowed, own = self._pop_or_create(), connections.all(initialized_only=True)
            connections[DEFAULT_DB_ALIAS] = borrowed
            try:
                yield
            finally:
                del connections[DEFAULT_DB_ALIAS]
                for each in own:  # the thread used the database before it borrowed
                    connections[DEFAULT_DB_ALIAS] = each
                borrowed.close_if_unusable_or_obsolete()
                self._idle.append((borrowed, time.monotonic()))

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()

    def _pop_or_create(self) -> Any:
        try:
            found, idle_since = self._idle.pop()
        except IndexError:  # not checked beforehand, because another thread may pop in between
            created = connections.create_connection(DEFAULT_DB_ALIAS)
            created.inc_thread_sharing()
            return created
        found.health_check_done = time.monotonic() - idle_since < IDLE_SECONDS
        return found
