"""A thread that works in the background on state it shares with others: started at the first work, woken by more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)


class BackgroundThread:
    """A daemon thread that runs ``loop``, and the ``condition`` that guards the state it works on."""

    def __init__(self, name: str, loop: Callable[[], None]) -> None:
        self.condition = threading.Condition()
        self._name = name
        self._loop = loop
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Notify the thread that the state has changed, and start it if it does not run. Hold ``condition``."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()
        self.condition.notify()


@contextmanager
def log_failure(what: str) -> Iterator[None]:
    """Log an error of the block instead of raising it, so that a thread's loop goes on, and close its connection.

    A database that is unavailable costs one line, any other error a traceback.
    """
    try:
        yield
    except DatabaseError as error:
        logger.warning("%s failed: %s", what, error)
    except Exception:
        logger.exception("%s failed", what)
    finally:
        connection.close()
