"""Rows that wait for a moment are sent when it comes: one thread of a process that put some off looks then.

Rescue would find them too, every few seconds. A provider's quota comes back in parts of a second, and what is not used
of it is lost.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError, connection

from apps.core.database_connections import database_turn
from apps.jobs import workflow
from apps.jobs.scheduling.dispatch import send_due

logger = logging.getLogger(__name__)
BETWEEN_LOOKS_SECONDS = 0.25


class WakeUpTimer:
    """Wakes up at the earliest moment that was asked for, then at the next."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake_up_in(self, seconds: float) -> None:
        with self._changed:
            self._moments.append(time.monotonic() + seconds)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="alarm", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            self._sleep_until_next()
            try:
                with database_turn():
                    send_due(queues=workflow.MODEL_QUEUES)
            except DatabaseError as error:
                logger.warning("Rows that are due could not be sent (%s); rescue does it", error)
            finally:
                connection.close()
            time.sleep(BETWEEN_LOOKS_SECONDS)

    def _sleep_until_next(self) -> None:
        with self._changed:
            while not self._moments:
                self._changed.wait()
            while (wait := min(self._moments) - time.monotonic()) > 0:
                self._changed.wait(wait)
            now = time.monotonic()
            self._moments = [moment for moment in self._moments if moment > now]


_timer: WakeUpTimer | None = None


def start() -> None:
    """Have due rows sent by this process; said by a worker when it starts."""
    global _timer
    _timer = WakeUpTimer()


def wake_up_in(seconds: float) -> None:
    """A row of this process is due in so many seconds. Elsewhere than in a worker nothing happens: rescue sends it."""
    if _timer is not None:
        _timer.wake_up_in(seconds)
