"""An event loop in a thread of its own, for work of which hundreds wait at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from apps.pages.per_process import PerProcess

Result = TypeVar("Result")
# For blocking work that the coroutines hand to threads. It takes milliseconds, so hundreds of coroutines need few.
_BLOCKING_THREADS = 16


class EventLoopThread:
    """A running event loop. Any thread may run coroutines on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_BLOCKING_THREADS, thread_name_prefix="blocking"))
        threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine on the loop, and wait in this thread for its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


event_loop = PerProcess(EventLoopThread)
