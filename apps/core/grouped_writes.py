"""Write the small changes of many threads together, in one transaction of few statements.

Each thread waits until its change is written, so it may rely on it. Only a worker with many threads collects changes;
elsewhere each is written at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from apps.core.background_thread import BackgroundThread
from apps.core.database_connections import borrowed_connection

Change = TypeVar("Change")
Result = TypeVar("Result")

_collects = False


def start() -> None:
    """Collect changes in this process from now on."""
    global _collects
    _collects = True


class GroupedWrites(Generic[Change, Result]):
    """Collects changes of one kind for ``seconds``, then writes them.

    ``write`` writes some changes, all or none, and returns a result for each. If it raises an error for several of
    them, they are written one by one, so that a change that cannot be written does not affect others.
    """

    def __init__(self, name: str, write: Callable[[Sequence[Change]], Sequence[Result]], *, seconds: float) -> None:
        self._write = write
        self._seconds = seconds
        self._waiting: list[tuple[Change, Future[Result]]] = []
        self._thread = BackgroundThread(name, self._run)

    def write(self, change: Change) -> Result:
        """Write the change together with others, and return its result. Raise the error of ``write``."""
        if not _collects:
            with borrowed_connection():
                return self._write([change])[0]
        future: Future[Result] = Future()
        with self._thread.condition:
            self._waiting.append((change, future))
            self._thread.wake()
        return future.result()

    def _run(self) -> None:
        while True:
            with self._thread.condition:
                self._thread.condition.wait_for(lambda: self._waiting)
            time.sleep(self._seconds)
            with self._thread.condition:
                group, self._waiting = self._waiting, []
            self._write_group(group)

    def _write_group(self, group: Sequence[tuple[Change, Future[Result]]]) -> None:
        try:
            with borrowed_connection():
                results = self._write([change for change, _ in group])
        except Exception as error:
            if len(group) == 1:
                group[0][1].set_exception(error)
            else:
                for each in group:
                    self._write_group([each])
            return
        for (_, future), result in zip(group, results, strict=True):
            future.set_result(result)
