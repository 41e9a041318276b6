"""How long workers wait before they try an unreachable broker again. Every worker uses it, OCR workers included.

Celery(name, amqp="apps.core.broker_connection:AMQP")
"""

from __future__ import annotations

from typing import Any

import kombu
from celery.app import amqp

MAX_RECONNECT_SECONDS = 3.0


class Connection(kombu.Connection):
    """Tries an unreachable broker every few seconds.

    kombu waits up to 30 seconds between two attempts, so after a long outage workers would stay idle for half a minute
    beside a broker that is back and full of messages.
    """

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("interval_start", 1.0)
        kwargs.setdefault("interval_step", 1.0)
        kwargs.setdefault("interval_max", MAX_RECONNECT_SECONDS)
        return super().ensure_connection(*args, **kwargs)


class AMQP(amqp.AMQP):
    Connection = Connection
