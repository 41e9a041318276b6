"""Uploads that wait until another upload of their key has ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PAUSE_SECONDS = 0.5


class Turn:
    """An upload that waits. ``has_found_place``: it is received now, so there may be a place for the next one, too."""

    def __init__(self, queue: deque[Turn], *, seconds: float) -> None:
        self.has_found_place = False
        self.woken = asyncio.Event()
        self._queue = queue
        self._clock = asyncio.get_running_loop().time
        self._ends_at = self._clock() + seconds

    async def comes(self) -> bool:
        """Wait until this upload is the first of its key and may ask again. Return False when its time is over."""
        while (left := self._ends_at - self._clock()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(PAUSE_SECONDS, left)):
                    await self.woken.wait()
            self.woken.clear()
            if self._queue[0] is self and self._clock() < self._ends_at:
                return True
        return False


class PlaceQueues:
    """The uploads that wait, in the order in which they came, by the name of the places of their key.

    Only the first upload of a key asks for a place, because each question is a run of Django: 200 uploads that each
    asked every ``PAUSE_SECONDS`` would leave no time for other requests. Places that end in other processes are found
    by asking; one that ends in this process wakes the first upload.
    """

    def __init__(self) -> None:
        self._queues: dict[str, deque[Turn]] = {}

    @contextmanager
    def joined(self, name: str, *, seconds: float) -> Iterator[Turn]:
        """Wait at the end of the queue for at most ``seconds``."""
        queue = self._queues.setdefault(name, deque())
        turn = Turn(queue, seconds=seconds)
        queue.append(turn)
        try:
            yield turn
        finally:
            queue.remove(turn)
            if not queue:
                del self._queues[name]
            elif turn.has_found_place:
                self.wake(name)

    def wake(self, name: str) -> None:
        """Let the first upload that waits ask now."""
        if queue := self._queues.get(name):
            queue[0].woken.set()
