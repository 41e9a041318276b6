"""Signs of life of a worker: a heartbeat file for cheap probes, and the signal ``alive`` for the database.

Every worker has it, OCR workers included. ``alive`` is sent when a worker starts to consume messages and then every
``ALIVE_SECONDS``; each kind of worker connects a receiver that records it.

``WORKER_HEARTBEAT_FILE`` names the file; without the variable nothing is written. The file contains one word and is
rewritten every few seconds:

    taking     the worker consumes messages
    waiting    it does not: the broker is unreachable, or the worker finishes its tasks and stops

A worker whose broker is unreachable is alive, because ending it would not bring the broker back. A worker whose main
loop has not run for a minute although it should consume is not: the file gets old and ``alive`` is not sent.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.utils.dispatch import Signal

from parse_project import env

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
ALIVE_SECONDS = 15.0
STALLED_SECONDS = 60.0
TAKING, WAITING = "taking", "waiting"
# The sender is Celery's consumer. The signal is sent from a separate thread of the worker's main process.
alive = Signal(name="alive")


class Pulse:
    """The last run of the main loop, and the heartbeat file if there is one. Times are of one monotonic clock."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._looped_at: float | None = None

    def record_loop(self, now: float) -> None:
        """Record that the main loop, which consumes messages, runs."""
        self._looped_at = now

    def stop_consuming(self) -> None:
        """Record that no messages are consumed until the next ``record_loop``."""
        self._looped_at = None

    def is_stalled(self, now: float) -> bool:
        """Return whether the loop should consume messages but has not run for ``STALLED_SECONDS``."""
        return self._looped_at is not None and now - self._looped_at > STALLED_SECONDS

    def beat(self, now: float) -> None:
        """Write the file unless the loop is stalled."""
        if self._path is None or self.is_stalled(now):
            return
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            draft.write_text(f"{WAITING if self._looped_at is None else TAKING}\n", encoding="ascii")
            draft.replace(self._path)
        except OSError as error:
            logger.warning("The heartbeat file could not be written: %s", error)


class Heartbeat(bootsteps.StartStopStep):
    """Celery bootstep: starts when the worker consumes, stops when the connection is lost or the worker ends.

    Threads write the file and send ``alive``, because the main loop blocks while it reconnects to the broker and while
    it waits for the last tasks of the pool. They are two because a receiver of ``alive`` may be slow.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        super().__init__(consumer)
        name = env.text("WORKER_HEARTBEAT_FILE", "", "file that every worker writes every 5 seconds, for probes")
        self._pulse = Pulse(Path(name) if name else None)
        self._timer: Any = None
        self._ready = threading.Event()
        threading.Thread(target=self._write_file, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._send_alive, args=(consumer,), name="alive", daemon=True).start()

    def start(self, consumer: Any) -> None:
        self._record_loop()
        self._timer = consumer.timer.call_repeatedly(BEAT_SECONDS, self._record_loop)
        self._ready.set()

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pulse.stop_consuming()

    def _record_loop(self) -> None:
        self._pulse.record_loop(time.monotonic())

    def _write_file(self) -> None:
        while True:
            self._pulse.beat(time.monotonic())
            time.sleep(BEAT_SECONDS)

    def _send_alive(self, consumer: Any) -> None:
        self._ready.wait()
        while True:
            if not self._pulse.is_stalled(time.monotonic()):
                alive.send(sender=consumer)
            time.sleep(ALIVE_SECONDS)
