"""One call over HTTP: its limits, its response, and what happens right before it is sent and when an error arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class CallLimits:
    """The limits of one call: seconds, and bytes of the body of its response."""

    connect_seconds: float = 5.0
    first_byte_seconds: float = 120.0
    idle_seconds: float = 20.0
    total_seconds: float = 180.0
    response_bytes: int = 4 * 1024 * 1024


class Withheld(Exception):
    """The call was stopped right before sending, because its provider requested a pause (Retry-After)."""


class Call:
    """One HTTP call and its response.

    ``sent_at`` is when its last byte was written, by ``clock`` (epoch seconds); None if none was. ``status`` and
    ``headers`` are the response's, ``body`` its body, ``error_body`` if it is an error: the SDKs report them
    inconsistently.

    ``before_sending`` runs right before anything is sent and may raise ``Withheld``. ``on_error`` runs when an error
    response has arrived, before the SDKs process it. Both run in a thread, so they may wait for the quota store.
    ``abort`` closes its connection at once. ``extra_headers`` and ``proxy`` are the provider's own (access.py).

    ``offline``: gets the body of the request instead of the network, and returns the body of the response. Batches use
    it, which carry many requests at once.
    """

    def __init__(
        self,
        limits: CallLimits,
        *,
        clock: Callable[[], float] = time.time,
        before_sending: Callable[[], None] | None = None,
        on_error: Callable[[Call], None] | None = None,
        offline: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + limits.total_seconds
        self.is_withheld = False
        self.sent_at: float | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = b""
        self.error_body = b""
        self.abort: Callable[[], None] = lambda: None
        self.extra_headers: Mapping[str, str] = {}
        self.proxy: str | None = None
        self.offline = offline
        self._clock = clock
        self._before_sending = before_sending
        self._on_error = on_error

    async def check_before_sending(self) -> None:
        """Run ``before_sending``, and note if it raised ``Withheld``."""
        if self._before_sending is not None:
            try:
                await asyncio.to_thread(self._before_sending)
            except Withheld:
                self.is_withheld = True  # the SDKs wrap the exception
                raise

    def note_write(self) -> None:
        self.sent_at = self._clock()

    def seconds_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    async def note_error(self, body: bytes) -> None:
        """Store the body of an error response, and run ``on_error``."""
        self.error_body = body
        if self._on_error is not None:
            await asyncio.to_thread(self._on_error, self)


_current: ContextVar[Call] = ContextVar("call")


@contextmanager
def calling(call: Call) -> Iterator[Call]:
    """Let requests that this task sends inside the block belong to the call."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def current_call() -> Call:
    """Return the call that this task sends."""
    return _current.get()
