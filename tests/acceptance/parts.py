"""The three sets of parts the service is tested on, started for real and ended after the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests import rabbitmq, services
from tests.acceptance.stack import Parts
from tests.services import Service

EMBEDDED, REDIS, RABBITMQ = "embedded", "postgres+redis", "postgres+rabbitmq"


@contextmanager
def embedded_parts(folder: Path) -> Iterator[Parts]:
    """SQLite in the data folder and the bundled Valkey."""
    with ExitStack() as ended:
        broker = _until_closed(ended, services.start_valkey(folder))
        yield _parts(EMBEDDED, broker=broker, redis=broker)


@contextmanager
def redis_parts(folder: Path) -> Iterator[Parts]:
    with ExitStack() as ended:
        database = _until_closed(ended, services.start_postgres(folder))
        broker = _until_closed(ended, services.start_redis(folder))
        yield _parts(REDIS, broker=broker, redis=broker, database=database)


@contextmanager
def rabbitmq_parts(folder: Path) -> Iterator[Parts]:
    """RabbitMQ for messages, a Redis beside it for the chords."""
    with ExitStack() as ended:
        database = _until_closed(ended, services.start_postgres(folder))
        redis = _until_closed(ended, services.start_redis(folder))
        broker = _until_closed(ended, rabbitmq.start_rabbitmq(folder))
        yield _parts(RABBITMQ, broker=broker, redis=redis, database=database)


PARTS: dict[str, Callable[[Path], AbstractContextManager[Parts]]] = {
    EMBEDDED: embedded_parts,
    REDIS: redis_parts,
    RABBITMQ: rabbitmq_parts,
}
# Each kind of broker and of database once; make chaos also runs the set with the broker of the one and the database of
# the other.
SETS = [EMBEDDED, pytest.param(REDIS, marks=pytest.mark.long), RABBITMQ]
mostly_on_rabbitmq = pytest.mark.parametrize(
    "parts",
    [RABBITMQ, *(pytest.param(other, marks=pytest.mark.long) for other in (EMBEDDED, REDIS))],
    indirect=True,
    scope="session",
)


def _parts(name: str, *, broker: Service, redis: Service, database: Service | None = None) -> Parts:
    def flush() -> None:
        if broker is not redis:
            rabbitmq.purge_rabbitmq(broker.url, _queues())
        services.flush_redis(redis.url)

    def start_broker() -> None:
        broker.start()

    environment = {"CELERY_BROKER_URL": broker.url, "REDIS_URL": redis.url}
    if database is not None:
        environment["DATABASE_URL"] = database.url
    servers = {service.name: service for service in (broker, redis, database) if service is not None}
    return Parts(
        name,
        environment,
        flush=flush,
        stop_broker=broker.stop,
        start_broker=start_broker,
        pids=lambda: {name: service.pid for name, service in servers.items()},
    )


def _queues() -> list[str]:
    return list(settings.QUEUES)


def _until_closed(ended: ExitStack, service: Service) -> Service:
    ended.callback(service.close)
    return service
