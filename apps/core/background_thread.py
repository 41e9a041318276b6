"""A background thread on shared state: started when there is work for the first time, then woken."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)


class BackgroundThread:
    """A daemon thread that runs ``loop``, and the ``condition`` that guards its state."""

    def __init__(self, name: str, loop: Callable[[], None]) -> None:
        self.condition = threading.Condition()
        self._name = name
        self._loop = loop
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Notify the thread of changed state; start it if it is not running. The caller holds ``condition``."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()
        self.condition.notify()


@contextmanager
def log_failure(work: str) -> Iterator[None]:
    """Log an error of the block instead of raising it, so that a thread's loop continues. Close its connection.

    An unavailable database is logged in one line, any other error with a traceback.
    """
    try:
        yield
    except DatabaseError as error:
        logger.warning("%s failed: %s", work, error)
    except Exception:
        logger.exception("%s failed", work)
    finally:
        connection.close()
