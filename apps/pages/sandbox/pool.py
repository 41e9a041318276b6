"""A few readers for a process of many threads: a thread borrows one for as long as it asks about a document."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.pages.model.errors import Stopped
from apps.pages.sandbox.process import ReaderProcess

if TYPE_CHECKING:
    from apps.pages.sandbox.client import Reader

_LOOK_UP_SECONDS = 0.15
StartProcess = Callable[[Callable[[], ReaderProcess]], ReaderProcess]


class ReaderPool:
    """At most ``size`` readers, each started when all others are busy. May be used from any thread.

    A reader dies with the thread that started it (``PR_SET_PDEATHSIG`` means threads), so one thread of the pool
    starts them all and lives as long as the pool.
    """

    def __init__(self, size: int, make: Callable[[StartProcess], Reader]) -> None:
        if size < 1:
            raise ValueError("A pool holds at least one reader.")
        self._make = make
        self._readers: list[Reader] = []
        self._made_by = os.getpid()
        # The last one given back is the next one lent, and the empty places lie below.
        self._free: queue.LifoQueue[Reader | None] = queue.LifoQueue()
        for _place in range(size):
            self._free.put(None)
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="reader-starter")

    @contextmanager
    def reader(self, *, should_stop: Callable[[], bool] | None = None) -> Iterator[Reader]:
        """A reader for this thread alone, inside the block. Waits for one; ``Stopped`` when ``should_stop`` says so."""
        reader = self._take(should_stop)
        try:
            if reader is None:
                reader = self._make(self._start)
                self._readers.append(reader)
            yield reader
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """End all readers; to be called when no thread uses one any more."""
        if os.getpid() != self._made_by:
            return
        for reader in self._readers:
            reader.close()
        self._starter.shutdown()

    def _take(self, should_stop: Callable[[], bool] | None) -> Reader | None:
        if should_stop is None:
            return self._free.get()
        while True:
            try:
                return self._free.get(timeout=_LOOK_UP_SECONDS)
            except queue.Empty:
                if should_stop():
                    raise Stopped from None

    def _start(self, process: Callable[[], ReaderProcess]) -> ReaderProcess:
        return self._starter.submit(process).result()
