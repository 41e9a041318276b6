"""The threads of a worker share a few database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, transaction

from apps.accounts.models import Project
from apps.core import database_connections
from apps.core.database_connections import borrowed_connection

POOL_SIZE = 3


@pytest.fixture
def small_pool(settings: Any) -> None:
    settings.DATABASE_POOL_SIZE = POOL_SIZE


@pytest.fixture
def pool(small_pool: None, shared_connections: None) -> None:
    """Make this process share connections as a worker with many threads does."""


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    """Return the result of each thread, or the error it ended with."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def connection_identity() -> int:
    """Return the identity of the current connection: the server process, or the SQLite handle."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        return id(connection.connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_many_threads_use_few_connections(pool: None) -> None:
    meeting = threading.Barrier(20)

    def work() -> set[int]:
        meeting.wait()
        used: set[int] = set()
        for _ in range(10):
            with borrowed_connection(), transaction.atomic(), borrowed_connection():
                Project.objects.count()
                used.add(connection_identity())
            close_old_connections()  # as Celery does around each task
        return used

    found = in_threads(20, work)

    assert [each for each in found if isinstance(each, Exception)] == []
    used = set[int]().union(*found)  # type: ignore[arg-type]

    assert 1 <= len(used) <= (1 if connection.vendor == "sqlite" else POOL_SIZE)


def test_a_returned_connection_is_used_by_the_next_thread(pool: None) -> None:
    def work() -> int:
        with borrowed_connection():
            return connection_identity()

    assert in_threads(1, work) == in_threads(1, work)


def test_a_failed_transaction_leaves_nothing_for_the_next_thread(pool: None) -> None:
    def fail() -> None:
        with borrowed_connection(), transaction.atomic():
            Project.objects.create(name="lost")
            raise IntegrityError

    def count() -> int:
        with borrowed_connection():
            return Project.objects.filter(name="lost").count()

    assert isinstance(in_threads(1, fail)[0], IntegrityError)
    assert in_threads(1, count) == [0]


def test_a_connection_closed_by_the_server_is_opened_again(pool: None, monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no server")

    def work() -> int:
        with borrowed_connection():
            return connection_identity()

    first = in_threads(1, work)[0]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({first})")

    failed = in_threads(1, work)[0]
    again = in_threads(1, work)[0]

    assert isinstance(failed, DatabaseError)  # reused within IDLE_SECONDS, so it was not checked
    assert isinstance(again, int)

    monkeypatch.setattr(database_connections, "IDLE_SECONDS", 0.0)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({again})")
    assert isinstance(in_threads(1, work)[0], int)
