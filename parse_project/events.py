"""Task events for Flower, cheap enough for short tasks. Only workers import this module."""

from __future__ import annotations

import sys
from typing import Any

from celery import bootsteps
from celery.worker.consumer.events import Events

FLUSH_SECONDS = 1.0


class BufferedEvents(bootsteps.StartStopStep):
    """Sends task events once a second instead of with every task, and only from the loop that owns the connection.

    Celery's own buffer is flushed by the thread that fills it. On RabbitMQ that thread then waits for a confirmation on
    the connection that the loop is reading, and one of the two waits forever.
    """

    requires = (Events,)

    def start(self, consumer: Any) -> None:
        if consumer.hub is None:
            return
        scheduled = False

        def flush() -> None:
            nonlocal scheduled
            scheduled = False
            if consumer.event_dispatcher:
                consumer.event_dispatcher.flush()

        def schedule_flush() -> None:
            nonlocal scheduled
            if not scheduled:
                scheduled = True
                consumer.hub.call_soon(consumer.hub.call_later, FLUSH_SECONDS, flush)

        consumer.event_dispatcher.buffer_limit = sys.maxsize
        consumer.event_dispatcher.on_send_buffered = schedule_flush
