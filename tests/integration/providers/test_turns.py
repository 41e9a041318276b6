"""Threads of a worker share a few database connections, one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, close_old_connections, connection, transaction

from apps.accounts.models import Project
from apps.core import database_connections
from apps.core.database_connections import database_turn

MOST = 3


@pytest.fixture
def few(settings: Any) -> None:
    settings.DATABASE_POOL_SIZE = MOST


@pytest.fixture
def shared(few: None, shared_connections: None) -> None:
    """This process as a worker of many threads."""


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    """What each thread returned, or the error it ended with."""
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


def backend() -> int:
    """Which connection to the database this is: the server's process, or the handle in this one."""
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        return id(connection.connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_many_threads_hold_few_connections(shared: None) -> None:
    meeting = threading.Barrier(20)

    def work() -> set[int]:
        meeting.wait()
        used: set[int] = set()
        for _ in range(10):
            with database_turn(), transaction.atomic(), database_turn():
                Project.objects.count()
                used.add(backend())
            close_old_connections()  # as Celery does around each task
        return used

    found = in_threads(20, work)

    assert [each for each in found if isinstance(each, Exception)] == []
    used = set[int]().union(*found)  # type: ignore[arg-type]

    assert 1 <= len(used) <= (1 if connection.vendor == "sqlite" else MOST)


def test_a_connection_is_kept_for_the_next_thread(shared: None) -> None:
    def work() -> int:
        with database_turn():
            return backend()

    assert in_threads(1, work) == in_threads(1, work)


def test_an_error_in_one_turn_leaves_nothing_for_the_next(shared: None) -> None:
    def fail() -> None:
        with database_turn(), transaction.atomic():
            Project.objects.create(name="lost")
            raise IntegrityError

    def count() -> int:
        with database_turn():
            return Project.objects.filter(name="lost").count()

    assert isinstance(in_threads(1, fail)[0], IntegrityError)
    assert in_threads(1, count) == [0]


def test_a_connection_that_the_server_ended_is_opened_again(shared: None, monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor == "sqlite":
        return  # has no server

    def work() -> int:
        with database_turn():
            return backend()

    first = in_threads(1, work)[0]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({first})")

    surprised = in_threads(1, work)[0]
    again = in_threads(1, work)[0]

    assert isinstance(surprised, DatabaseError)  # used again at once: nobody looks whether it is well
    assert isinstance(again, int)

    monkeypatch.setattr(database_connections, "IDLE_SECONDS", 0.0)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend({again})")
    assert isinstance(in_threads(1, work)[0], int)
