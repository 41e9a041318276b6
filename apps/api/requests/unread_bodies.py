"""Read the body of a refused request to its end before the response is sent.

A client that is still sending when the server closes the connection never sees the response: the kernel answers the
unread bytes with a reset, and the reset discards what the client has received. So the rest of the body is read and
thrown away first, within limits, as in nginx's ``lingering_close``. This is done below Django, for every view and every
refusal alike.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings

MAX_DRAIN_SECONDS = 30.0
MAX_DRAINING = 24
"""Threads that may read unread bodies at once. The web process has 32, so stalled clients cannot occupy them all."""
MAX_SLOT_WAIT_SECONDS = 2.0
CHUNK_BYTES = 64 * 1024
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class DrainUnreadBodies:
    """WSGI middleware: after ``application`` has made its response, read what it left of the request's body.

    The limits are ``MAX_DRAIN_SECONDS`` and twice MAX_UPLOAD_MB. Beyond them the response is sent at once, and a client
    that goes on sending may lose it.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._slots = threading.BoundedSemaphore(MAX_DRAINING)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = CountedBody(environ)
        environ["wsgi.input"] = body
        response = self._application(environ, start_response)
        if body.has_unread_bytes and not body.awaits_permission and self._slots.acquire(timeout=MAX_SLOT_WAIT_SECONDS):
            try:
                _drain(body)
            finally:
                self._slots.release()
        return response


class CountedBody:
    """The stream of a request's body. It knows whether the body has been read to its end."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._source = environ["wsgi.input"]
        length = str(environ.get("CONTENT_LENGTH") or "")
        self._announced = int(length) if length.isascii() and length.isdigit() else None
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING")) and bool(environ.get("wsgi.input_terminated"))
        self._at_end = self._announced is None and not is_chunked
        self._waits = "100-continue" in str(environ.get("HTTP_EXPECT", "")).lower()
        self._read_bytes = 0

    @property
    def has_unread_bytes(self) -> bool:
        return not self._at_end and self.remaining != 0

    @property
    def remaining(self) -> int | None:
        """The number of unread bytes; None in a chunked body."""
        return None if self._announced is None else max(0, self._announced - self._read_bytes)

    @property
    def awaits_permission(self) -> bool:
        """The client sends the body only after ``100 Continue``, which the first read asks for."""
        return self._waits and not self._read_bytes

    def read(self, size: int | None = None) -> bytes:
        return self._counted(self._source.read() if size is None or size < 0 else self._source.read(size), size)

    def readline(self, size: int | None = None) -> bytes:
        return self._counted(self._source.readline() if size is None else self._source.readline(size), size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> CountedBody:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def _counted(self, chunk: bytes, size: int | None) -> bytes:
        self._read_bytes += len(chunk)
        if not chunk and size != 0:
            self._at_end = True
        return chunk


def _drain(body: CountedBody) -> None:
    """Read the rest of the body, unless it is too long. Stop when it takes too long or the client is gone."""
    allowed = 2 * settings.MAX_UPLOAD_BYTES
    until = time.monotonic() + MAX_DRAIN_SECONDS
    if (body.remaining or 0) > allowed:
        return
    try:
        while body.has_unread_bytes and allowed > 0 and time.monotonic() < until:
            allowed -= len(body.read(min(CHUNK_BYTES, body.remaining or CHUNK_BYTES)))
    except OSError:
        return
