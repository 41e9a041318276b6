"""Celery's road to Redis, without what it costs processes that send many short tasks."""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """kombu builds a client for every message and every acknowledgement; one for each pool of connections does."""

    _kept: tuple[Any, Any] | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        pool, client = self._kept or (None, None)
        if client is None or pool is not self.pool:
            client = super()._create_client()  # type: ignore[misc]
            self._kept = self.pool, client
        return client


class Transport(redis.Transport):
    Channel = Channel


def use() -> None:
    """From the next connection on."""
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
