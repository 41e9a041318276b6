"""PostgreSQL that freezes, is slow or resolves a deadlock: an error within seconds, or another try."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction

from apps.accounts.models import Project
from apps.core.database_connections import retried_on_conflict
from parse_project import backends
from tests import services
from tests.acceptance.running_service import descendants
from tests.services import Service

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 16
MAX_SECONDS = 4.0  # 2 s by design; the machine of the tests may be busy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    server = services.start_postgres(tmp_path_factory.mktemp("frozen"))
    yield server
    server.close()


@pytest.fixture
def connect(server: Service) -> Iterator[Callable[[], Any]]:
    """Open connections of Django to the server."""
    opened: list[Any] = []
    options = backends.database(
        server.url, connection_seconds=60, statement_seconds=3, lock_seconds=1, create_folder=False
    )
    described = connections.configure_settings({"default": options})["default"]

    def connect() -> Any:
        from apps.core.postgresql.base import DatabaseWrapper

        opened.append(DatabaseWrapper(described, alias=f"watched-{len(opened)}"))
        opened[-1].inc_thread_sharing()
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def answer(connection: Any, statement: str = "SELECT 1") -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def freeze(server: Service, number: signal.Signals) -> None:
    for pid in [server.pid, *descendants(server.pid)]:
        os.kill(pid, number)


def test_a_frozen_server_is_an_error_within_seconds_and_is_used_again(
    server: Service, connect: Callable[[], Any]
) -> None:
    old = [connect() for _ in range(CLIENTS)]
    for connection in old:
        answer(connection)
    new = [connect() for _ in range(CLIENTS)]

    def seconds_until_error(connection: Any) -> float:
        begun = time.monotonic()
        with pytest.raises(OperationalError):
            answer(connection)
        return time.monotonic() - begun

    freeze(server, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(2 * CLIENTS) as threads:
            waits = list(threads.map(seconds_until_error, [*old, *new]))
    finally:
        freeze(server, signal.SIGCONT)

    assert max(waits) < MAX_SECONDS
    for connection in (*old, *new):
        connection.close()
    deadline = time.monotonic() + 10
    while True:
        try:
            assert answer(connect()) == (1,)
        except OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            break


def test_a_slow_statement_of_a_live_server_is_not_disturbed(connect: Callable[[], Any]) -> None:
    assert answer(connect(), "SELECT 1 FROM pg_sleep(2)") == (1,)


def test_a_statement_and_the_wait_for_a_lock_have_limits(connect: Callable[[], Any]) -> None:
    one, other = connect(), connect()
    with pytest.raises(OperationalError, match="statement timeout"):
        answer(one, "SELECT pg_sleep(5)")
    answer(one, "SELECT pg_advisory_lock(1)")
    with pytest.raises(OperationalError, match="lock timeout"):
        answer(other, "SELECT pg_advisory_lock(1)")


def test_a_deadlock_is_tried_again_and_nobody_sees_it(transactional_db: None) -> None:
    names = ["first", "second"]
    for name in names:
        Project.objects.create(name=name)
    both_hold_one = threading.Barrier(2)
    tries: list[str] = []

    @retried_on_conflict
    @transaction.atomic
    def rename(first: str, second: str) -> None:
        tries.append(first)
        Project.objects.select_for_update().get(name=first)
        if len(tries) <= len(names):
            both_hold_one.wait(10)
        Project.objects.select_for_update().get(name=second)

    def in_thread(pair: tuple[str, str]) -> None:
        try:
            rename(*pair)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(in_thread, [("first", "second"), ("second", "first")]))

    assert len(tries) > len(names)
