"""FIFO queues of uploads that wait for a slot: an API key may send only some uploads at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

POLL_SECONDS = 0.5


class Waiter:
    """An upload in the queue of its key. ``has_acquired``: it got a slot, so the next one may get one, too."""

    def __init__(self, queue: deque[Waiter], *, seconds: float) -> None:
        self.has_acquired = False
        self.notified = asyncio.Event()
        self._queue = queue
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + seconds

    async def may_retry(self) -> bool:
        """Wait until this upload is the first of its queue and may retry. Return False after its deadline."""
        while (left := self._deadline - self._clock()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(POLL_SECONDS, left)):
                    await self.notified.wait()
            self.notified.clear()
            if self._queue[0] is self and self._clock() < self._deadline:
                return True
        return False


class SlotQueues:
    """One queue of waiting uploads for each API key, by the name of its slots.

    Only the first upload of a queue tries to acquire a slot, because each try runs Django: 200 uploads that each tried
    every ``POLL_SECONDS`` would leave no time for other requests. Polling finds slots that other processes release; a
    slot released in this process notifies the first upload.
    """

    def __init__(self) -> None:
        self._queues: dict[str, deque[Waiter]] = {}

    @contextmanager
    def joined(self, name: str, *, seconds: float) -> Iterator[Waiter]:
        """Join the end of the queue, for at most ``seconds``."""
        queue = self._queues.setdefault(name, deque())
        waiter = Waiter(queue, seconds=seconds)
        queue.append(waiter)
        try:
            yield waiter
        finally:
            queue.remove(waiter)
            if not queue:
                del self._queues[name]
            elif waiter.has_acquired:
                self.notify(name)

    def notify(self, name: str) -> None:
        """Let the first upload of the queue retry now."""
        if queue := self._queues.get(name):
            queue[0].notified.set()
