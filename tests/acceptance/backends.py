"""The three sets of backends on which the service is tested; each starts real servers and ends them after the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests import rabbitmq, services
from tests.acceptance.running_service import Backends
from tests.services import Service

EMBEDDED, REDIS, RABBITMQ = "embedded", "postgres+redis", "postgres+rabbitmq"


@contextmanager
def embedded_backends(folder: Path) -> Iterator[Backends]:
    """SQLite in the data folder and the bundled Valkey."""
    with ExitStack() as cleanup:
        broker = _closed_by(cleanup, services.start_valkey(folder))
        yield _backends(EMBEDDED, broker=broker, redis=broker)


@contextmanager
def redis_backends(folder: Path) -> Iterator[Backends]:
    with ExitStack() as cleanup:
        database = _closed_by(cleanup, services.start_postgres(folder))
        broker = _closed_by(cleanup, services.start_redis(folder))
        yield _backends(REDIS, broker=broker, redis=broker, database=database)


@contextmanager
def rabbitmq_backends(folder: Path) -> Iterator[Backends]:
    """RabbitMQ for messages and a Redis for chord counters."""
    with ExitStack() as cleanup:
        database = _closed_by(cleanup, services.start_postgres(folder))
        redis = _closed_by(cleanup, services.start_redis(folder))
        broker = _closed_by(cleanup, rabbitmq.start_rabbitmq(folder))
        yield _backends(RABBITMQ, broker=broker, redis=redis, database=database)


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Backends]]] = {
    EMBEDDED: embedded_backends,
    REDIS: redis_backends,
    RABBITMQ: rabbitmq_backends,
}
# These two cover each kind of broker and each database once. The set marked `long` mixes them; make chaos runs it too.
TESTED_BACKENDS = [EMBEDDED, pytest.param(REDIS, marks=pytest.mark.long), RABBITMQ]


def on_backends(usual: str, *long: str) -> pytest.MarkDecorator:
    """Mark a test to run on one set of backends, and on the ``long`` sets in make chaos."""
    params = [usual, *(pytest.param(name, marks=pytest.mark.long) for name in long)]
    return pytest.mark.parametrize("backends", params, indirect=True, scope="session")


mostly_on_rabbitmq = on_backends(RABBITMQ, EMBEDDED, REDIS)
only_on_rabbitmq = on_backends(RABBITMQ)


def _backends(name: str, *, broker: Service, redis: Service, database: Service | None = None) -> Backends:
    def flush() -> None:
        if broker is not redis:
            rabbitmq.purge_rabbitmq(broker.url, list(settings.QUEUES))
        services.flush_redis(redis.url)

    def start_broker() -> None:
        broker.start()

    environment = {"CELERY_BROKER_URL": broker.url, "REDIS_URL": redis.url}
    servers = {"broker": broker}
    if redis is not broker:
        servers["redis"] = redis
    if database is not None:
        servers["database"] = database
        environment["DATABASE_URL"] = database.url
    return Backends(
        name,
        environment,
        flush=flush,
        stop_broker=broker.stop,
        start_broker=start_broker,
        servers=servers,
    )


def _closed_by(cleanup: ExitStack, server: Service) -> Service:
    cleanup.callback(server.close)
    return server
