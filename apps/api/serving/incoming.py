"""Receive the body of a request on the event loop, within limits of bytes and time."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

from django.conf import settings

from apps.api.request_errors import IncompleteUpload, UploadTimeout

WRITE_BYTES = 256 * 1024
MAX_DISCARD_SECONDS = 30.0
DISCARD_IDLE_SECONDS = 5.0
Receive = Callable[[], Awaitable[dict[str, Any]]]


class IncomingBody:
    """What has arrived of a body: in memory while it is small, else in a temporary file.

    A client that sends nothing for UPLOAD_IDLE_SECONDS, less than UPLOAD_MIN_BYTES_PER_SECOND, or for longer than
    UPLOAD_SECONDS, gets UploadTimeout.
    """

    def __init__(self, receive: Receive, disk: Executor) -> None:
        self.size_bytes = 0
        self.at_end = False
        self.file = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115
        self._receive = receive
        self._disk = disk
        self._unwritten: list[bytes] = []
        self._clock = asyncio.get_running_loop().time
        self._ends_at = self._clock() + settings.UPLOAD_SECONDS
        self._window_began_at = self._clock()
        self._window_bytes = 0

    async def receive_until(self, max_bytes: int) -> None:
        """Keep what arrives, until the end or until there are more than ``max_bytes``.

        Raise UploadTimeout, or IncompleteUpload if the connection ends first.
        """
        unwritten_bytes = 0
        while not self.at_end and self.size_bytes <= max_bytes:
            chunk = await self._next(settings.UPLOAD_IDLE_SECONDS)
            self._check_rate(len(chunk))
            self.size_bytes += len(chunk)
            self._unwritten.append(chunk)
            unwritten_bytes += len(chunk)
            if unwritten_bytes >= WRITE_BYTES:
                await self._write()
                unwritten_bytes = 0
        await self._write()

    async def discard(self) -> None:
        """Receive the rest and throw it away, within limits.

        A client that is still sending when the server closes the connection never sees the response: the kernel answers
        the unread bytes with a reset, and the reset discards what the client has received.
        """
        until = self._clock() + MAX_DISCARD_SECONDS
        allowed = 2 * settings.MAX_UPLOAD_BYTES
        try:
            while not self.at_end and allowed > 0 and self._clock() < until:
                allowed -= len(await self._next(DISCARD_IDLE_SECONDS))
        except (UploadTimeout, IncompleteUpload):
            return

    async def _next(self, idle_seconds: float) -> bytes:
        try:
            async with asyncio.timeout(min(idle_seconds, max(0.0, self._ends_at - self._clock()))):
                message = await self._receive()
        except TimeoutError:
            raise UploadTimeout from None
        if message["type"] != "http.request":
            self.at_end = True
            raise IncompleteUpload
        self.at_end = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    def _check_rate(self, arrived_bytes: int) -> None:
        self._window_bytes += arrived_bytes
        seconds = self._clock() - self._window_began_at
        if seconds < settings.UPLOAD_IDLE_SECONDS:
            return
        if self._window_bytes < seconds * settings.UPLOAD_MIN_BYTES_PER_SECOND and not self.at_end:
            raise UploadTimeout
        self._window_began_at, self._window_bytes = self._clock(), 0

    async def _write(self) -> None:
        """Write what has arrived. A thread does it where it reaches the disk, which can be slow."""
        chunks, self._unwritten = self._unwritten, []
        if self.size_bytes <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            self.file.writelines(chunks)
        else:
            await asyncio.get_running_loop().run_in_executor(self._disk, self.file.writelines, chunks)
