"""What Flower is told of tasks, at a cost that short tasks can bear. Imported by workers only."""

from __future__ import annotations

import sys
from typing import Any

from celery import bootsteps
from celery.worker.consumer.events import Events

SECONDS_BETWEEN = 1.0


class GatheredEvents(bootsteps.StartStopStep):
    """What Flower is told goes out once a second, not with every task, and only from the loop that owns the connection.

    Celery's own buffer is emptied by whichever thread fills it. On RabbitMQ that thread waits for a confirmation on the
    connection that the loop is reading, and one of the two never gets its answer.
    """

    requires = (Events,)

    def start(self, consumer: Any) -> None:
        if consumer.hub is None:
            return
        waiting = False

        def flush() -> None:
            nonlocal waiting
            waiting = False
            if consumer.event_dispatcher:
                consumer.event_dispatcher.flush()

        def gather() -> None:
            nonlocal waiting
            if not waiting:
                waiting = True
                consumer.hub.call_soon(consumer.hub.call_later, SECONDS_BETWEEN, flush)

        consumer.event_dispatcher.buffer_limit = sys.maxsize
        consumer.event_dispatcher.on_send_buffered = gather
