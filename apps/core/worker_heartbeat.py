"""By what others see that a worker lives: a file for probes that may cost nothing, and a word to the database.

Every worker of ours has it, those of the service too. The signal ``alive`` is sent as soon as a worker takes messages
and then every ``WORD_SECONDS`` while it lives; whoever receives it tells the database in its own way.

``WORKER_HEARTBEAT_FILE`` names the file; without the variable nothing is written. It holds one word and is written
anew every few seconds while the worker lives:

    taking     messages are taken
    waiting    they are not: the broker is away, or the worker ends what it holds and then itself

A worker whose broker is away is alive, since ending it would not bring the broker back. One whose main loop has stood
still for a minute, though it should take messages, is not: the file grows old and no word is sent.
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
WORD_SECONDS = 15.0
STILL_SECONDS = 60.0
TAKING, WAITING = "taking", "waiting"
# The sender is Celery's consumer. It comes from a thread of its own in the worker's main process.
alive = Signal(name="alive")


class Pulse:
    """When the main loop turned last, and the file, if there is to be one. Times are seconds of one monotonic clock."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._turned_at: float | None = None

    def turned(self, now: float) -> None:
        """The main loop, which takes messages, has come round."""
        self._turned_at = now

    def let_go(self) -> None:
        """From now on no messages are taken, until the loop turns again."""
        self._turned_at = None

    def stands_still(self, now: float) -> bool:
        """Whether the loop should take messages and has not come round for long."""
        return self._turned_at is not None and now - self._turned_at > STILL_SECONDS

    def beat(self, now: float) -> None:
        """Write the file, unless the loop stands still."""
        if self._path is None or self.stands_still(now):
            return
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            draft.write_text(f"{WAITING if self._turned_at is None else TAKING}\n", encoding="ascii")
            draft.replace(self._path)
        except OSError as error:
            logger.warning("The heartbeat could not be written: %s", error)


class Heartbeat(bootsteps.StartStopStep):
    """Celery's step: started with the taking of messages, stopped when the connection is lost or the worker ends.

    Threads write and tell, because the main loop stands while it looks for its broker and while it waits for the pool's
    last tasks; two, because telling may take a while.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: Any) -> None:
        super().__init__(consumer)
        name = env.text("WORKER_HEARTBEAT_FILE", "", "file that every worker writes every 5 seconds, for probes")
        self._pulse = Pulse(Path(name) if name else None)
        self._timer: Any = None
        self._ready = threading.Event()
        threading.Thread(target=self._write, name="heartbeat", daemon=True).start()
        threading.Thread(target=self._tell, args=(consumer,), name="alive", daemon=True).start()

    def start(self, consumer: Any) -> None:
        self._turned()
        self._timer = consumer.timer.call_repeatedly(BEAT_SECONDS, self._turned)
        self._ready.set()

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pulse.let_go()

    def _turned(self) -> None:
        self._pulse.turned(time.monotonic())

    def _write(self) -> None:
        while True:
            self._pulse.beat(time.monotonic())
            time.sleep(BEAT_SECONDS)

    def _tell(self, consumer: Any) -> None:
        self._ready.wait()
        while True:
            if not self._pulse.stands_still(time.monotonic()):
                alive.send(sender=consumer)
            time.sleep(WORD_SECONDS)
