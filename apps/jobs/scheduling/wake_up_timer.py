"""Send snoozed rows at the moment they are due, from one thread of the process that snoozed them.

Rescue sends them too, but only every few seconds. The quota of a provider refills within fractions of a second, and
quota that is not used is lost.
"""

from __future__ import annotations

import time

from apps.core.background_thread import BackgroundThread, log_failure
from apps.core.database_connections import borrowed_connection
from apps.jobs import workflow
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.pages.per_process import PerProcess

MIN_INTERVAL_SECONDS = 0.25


class WakeUpTimer:
    """A thread that wakes up at each requested moment and sends due rows. Unused until it is ``enabled``."""

    def __init__(self) -> None:
        self.enabled = False
        self._moments: list[float] = []
        self._thread = BackgroundThread("wake-up-timer", self._run)

    def wake_up_in(self, seconds: float) -> None:
        with self._thread.condition:
            self._moments.append(time.monotonic() + seconds)
            self._thread.wake()

    def _run(self) -> None:
        changed = self._thread.condition
        while True:
            with changed:
                changed.wait_for(lambda: self._moments)
                while (wait := min(self._moments) - time.monotonic()) > 0:
                    changed.wait(wait)
                now = time.monotonic()
                self._moments = [moment for moment in self._moments if moment > now]
            with log_failure("Sending the rows that are due"), borrowed_connection():
                dispatch_due(queues=workflow.MODEL_QUEUES)
            time.sleep(MIN_INTERVAL_SECONDS)


_timer = PerProcess(WakeUpTimer)


def start() -> None:
    """Let this process send its snoozed rows. A worker calls it when it starts."""
    _timer().enabled = True


def wake_up_in(seconds: float) -> None:
    """Send due rows in ``seconds``. Outside a worker nothing happens: rescue sends them."""
    if _timer().enabled:
        _timer().wake_up_in(seconds)
