"""A few readers for a process of many threads: a thread borrows one while it works on a document."""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from apps.pages.model.errors import Stopped
from apps.pages.per_process import PerProcess
from apps.pages.sandbox.client import PAGE_WORK, Reader

_STOP_CHECK_SECONDS = 0.15


class ReaderPool:
    """At most ``size`` readers; another is started only when all are busy. May be used from any thread.

    A reader dies with the thread that started it (``PR_SET_PDEATHSIG`` applies to threads), so one thread of the pool
    starts them all and lives as long as the pool.
    """

    def __init__(self, size: int, work: str = PAGE_WORK) -> None:
        if size < 1:
            raise ValueError("A pool needs at least one reader.")
        self._work = work
        self._readers: list[Reader] = []
        self._made_by = os.getpid()
        # Last in, first out: None (a reader not started yet) is at the bottom, so that a started one is lent first.
        self._free: queue.LifoQueue[Reader | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="reader-starter")

    @contextmanager
    def reader(self, *, should_stop: Callable[[], bool] | None = None) -> Iterator[Reader]:
        """Lend a reader to this thread for the block; wait for a free one.

        Raise ``Stopped`` if ``should_stop`` returns True while waiting.
        """
        timeout = None if should_stop is None else _STOP_CHECK_SECONDS
        while True:
            try:
                reader = self._free.get(timeout=timeout)
                break
            except queue.Empty:
                if should_stop is not None and should_stop():
                    raise Stopped from None
        try:
            if reader is None:
                reader = Reader(
                    work=self._work,
                    start_process=lambda make_process: self._starter.submit(make_process).result(),
                )
                self._readers.append(reader)
            yield reader
        finally:
            self._free.put(reader)

    def close(self) -> None:
        """End all readers. Call it when no thread uses one any more."""
        if os.getpid() != self._made_by:
            return
        for reader in self._readers:
            reader.close()
        self._starter.shutdown()


class _Pools:
    """The pools of one process, one for each size, work and purpose."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str], ReaderPool] = {}
        self._lock = threading.Lock()

    def of(self, size: int, work: str, purpose: str) -> ReaderPool:
        key = size, work, purpose
        with self._lock:
            if key not in self._known:
                self._known[key] = ReaderPool(size, work)
                atexit.register(self._known[key].close)
            return self._known[key]


_pools = PerProcess(_Pools)


def reader_pool(size: int, work: str = PAGE_WORK, *, purpose: str = "") -> ReaderPool:
    """Return this process's pool of at most ``size`` readers, for any number of threads. It ends with the process.

    ``work``: the module with what its readers can do. ``purpose``: only calls with the same one share the pool, so that
    short work does not wait for long work.

    with pool.reader_pool(4).reader() as reader: ...
    """
    return _pools().of(size, work, purpose)
