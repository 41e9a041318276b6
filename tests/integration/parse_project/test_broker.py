"""The Redis transport: connections and clients are reused, also after a restart of the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from ocr_worker.celery import app as ocr_app
from parse_project import broker
from parse_project.celery import app as service_app
from parse_project.celery import configuration
from tests import services
from tests.services import Service


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Service]:
    """A Redis that only this test uses, so that it can be restarted and its connections counted."""
    service = services.start_redis(tmp_path)
    yield service
    service.close()


@pytest.fixture
def connection(server: Service) -> Iterator[Connection]:
    """A connection with the options of our Celery application."""
    options = configuration()["broker_transport_options"]
    with Connection(server.url, connect_timeout=1, transport_options=options) as connection:
        yield connection


@pytest.fixture
def queue(connection: Connection) -> Iterator[Any]:
    with connection.SimpleQueue("messages") as queue:
        yield queue


def connections(server: Service) -> int:
    with services.redis_client(server.url) as client:
        return len(client.client_list())


def exchange(queue: Any, text: str) -> str:
    """Send, receive and acknowledge a message. Return the received text."""
    queue.put({"text": text})
    message = queue.get(timeout=10)
    message.ack()
    return str(message.payload["text"])


def test_messages_share_the_connections(server: Service, queue: Any) -> None:
    exchange(queue, "first")
    before = connections(server)

    assert [exchange(queue, str(number)) for number in range(100)] == [str(number) for number in range(100)]

    assert connections(server) == before


def test_messages_share_one_client(queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange(queue, "first")
    built: list[Any] = []
    build = redis.Redis.__init__

    def counted(self: Any, *arguments: Any, **named: Any) -> None:
        built.append(self)
        build(self, *arguments, **named)

    monkeypatch.setattr(redis.Redis, "__init__", counted)
    for number in range(20):
        exchange(queue, str(number))

    assert built == []


@pytest.mark.parametrize("app", [service_app, ocr_app], ids=["service", "ocr"])
def test_a_worker_never_waits_long_before_it_tries_an_unreachable_broker_again(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _seconds: None)
    with (
        app.connection_for_read(f"redis://127.0.0.1:{services.free_port()}/0") as connection,
        pytest.raises(OperationalError),
    ):
        connection.ensure_connection(lambda _error, wait: waits.append(wait), max_retries=30)

    assert len(waits) == 30
    assert max(waits) <= 3


def test_a_client_sends_again_after_a_restart_of_the_server(server: Service, connection: Connection) -> None:
    with connection.SimpleQueue("messages") as sender:
        sender.put({"text": "before"})
        server.stop()
        with pytest.raises(connection.connection_errors + connection.channel_errors):
            sender.put({"text": "lost"})
        server.start()

        sender.put({"text": "after"})

    with Connection(server.url) as other, other.SimpleQueue("messages") as receiver:
        assert [receiver.get(timeout=10).payload["text"] for _ in range(2)] == ["before", "after"]


def test_an_entry_that_is_no_message_is_delivered_as_one_that_nobody_takes(server: Service, queue: Any) -> None:
    """kombu would end the worker."""
    raw = (b"", b"no JSON", b"{}", b"[]", b"[1, 2, 3]", b'{"body": "!", "properties": {"body_encoding": "base64"}}')
    with services.redis_client(server.url) as client:
        client.lpush("messages", *raw)

    for _ in raw:
        message = queue.get(timeout=10)
        assert message.content_type == broker.UNREADABLE
        message.ack()
    assert exchange(queue, "after") == "after"
