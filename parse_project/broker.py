"""kombu's transport for Redis: cheaper for processes with many short tasks, and not stopped by a broken message."""

from __future__ import annotations

import uuid
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from kombu.utils.json import loads

MAX_SHOWN = 200
UNREADABLE = "unreadable"
_DECODER = object.__new__(redis.Channel)  # only its codecs are used


class Channel(redis.Channel):
    """Reuses one client per connection pool; kombu creates one for every message and acknowledgement."""

    _cached: tuple[Any, Any] | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        pool, client = self._cached or (None, None)
        if client is None or pool is not self.pool:
            client = super()._create_client()  # type: ignore[misc]
            self._cached = self.pool, client
        return client


class Transport(redis.Transport):
    Channel = Channel

    def _deliver(self, message: Any, queue: Any) -> Any:
        """Deliver an entry of a queue. One that is no message becomes a message that nobody takes.

        kombu would raise out of the worker's event loop, and the worker would end.
        """
        try:
            properties = message["properties"]
            _ = properties["delivery_tag"], properties["delivery_info"].items()
            _DECODER.decode_body(message["body"], properties.get("body_encoding"))
        except Exception:  # whatever somebody else has written there
            delivery = {"exchange": "", "routing_key": queue}
            properties = {"delivery_tag": str(uuid.uuid4()), "delivery_info": delivery}
            shown = str(message)[:MAX_SHOWN]
            message = {"body": shown, "content-type": UNREADABLE, "headers": {}, "properties": properties}
        return super()._deliver(message, queue)


def loads_or_text(text: str) -> Any:
    """Read an entry of a queue; return its text if it is not JSON."""
    try:
        return loads(text)
    except ValueError:
        return text


def install() -> None:
    """Use this transport for all later connections to Redis."""
    redis.loads = loads_or_text  # type: ignore[attr-defined]
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
