"""The connection to a provider: every read and write obeys the limits of its call.

The SDKs have a time-out per read, which a server that sends a byte per second never reaches, and no limit of bytes. So
this module limits a call where the bytes arrive: it has a deadline, a time until the first byte, a time between two
bytes, and a number of bytes. Responses are not compressed, so that the number of bytes is the real one.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

_FIRST_ERROR = 300
_WRITTEN_AT_ONCE = 64 * 1024
# SDKs discard a paid response if a count of tokens is a string. Replace it by 0, which later counts as implausible.
# Inside a string the quotes would be escaped, so the text of a response is never changed.
_COUNT_AS_TEXT = re.compile(
    rb'("(?:\w{1,40}_tokens|\w{1,40}TokenCount|(?:in|out)putTokens|totalTokens)"\s{0,9}:\s{0,9})"[^"\\]{0,40}"'
)


@dataclass(frozen=True)
class CallLimits:
    """The limits of one call: seconds, and bytes of its response including headers."""

    connect_seconds: float = 5.0
    first_byte_seconds: float = 120.0
    idle_seconds: float = 20.0
    total_seconds: float = 180.0
    response_bytes: int = 4 * 1024 * 1024


class ResponseTooLarge(httpcore.ReadError):
    """The provider's response has more bytes than a completion can need."""


class Withheld(Exception):
    """The call was stopped right before sending, because its provider requested a pause (Retry-After)."""


class Call:
    """One HTTP call and its response.

    ``sent_at`` is when its last byte was written, by ``clock`` (epoch seconds); None if none was. ``status`` and
    ``headers`` are the response's, ``error_body`` its body if it is an error: the SDKs report them inconsistently.

    ``before_sending`` runs right before anything is sent and may raise ``Withheld``. ``on_error`` runs when an error
    response has arrived, before the SDKs process it.
    """

    def __init__(self, limits: CallLimits) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + limits.total_seconds
        self.clock: Callable[[], float] = time.time
        self.before_sending: Callable[[], None] = lambda: None
        self.on_error: Callable[[], None] = lambda: None
        self.is_withheld = False
        self.sent_at: float | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.error_body = b""
        self._received = 0

    def check_before_sending(self) -> None:
        """Run ``before_sending``, and note if it raised ``Withheld``."""
        try:
            self.before_sending()
        except Withheld:
            self.is_withheld = True  # the SDKs wrap the exception
            raise

    def time_to_connect(self) -> float:
        return min(self.limits.connect_seconds, self._left())

    def time_to_read(self) -> float:
        return min(self.limits.idle_seconds if self._received else self.limits.first_byte_seconds, self._left())

    def note_write(self) -> None:
        self.sent_at = self.clock()
        self._received = 0

    def note_read(self, size: int) -> None:
        self._received += size
        if self._received > self.limits.response_bytes:
            raise ResponseTooLarge(f"more than {self.limits.response_bytes} bytes")

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the call exceeded its time limit")
        return left


_current = threading.local()


@contextmanager
def calling(limits: CallLimits) -> Iterator[Call]:
    """Make a call the current one of this thread inside the block."""
    _current.call = call = Call(limits)
    try:
        yield call
    finally:
        _current.call = None


def current_call() -> Call:
    """Return the current call of this thread."""
    call: Call | None = getattr(_current, "call", None)
    return call or Call(CallLimits())


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        call = current_call()
        chunk = self._stream.read(max_bytes, call.time_to_read())
        call.note_read(len(chunk))
        return chunk

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write in parts: the time-out applies to each send, and a server that reads slowly reaches the deadline."""
        call = current_call()
        if call.sent_at is None:
            call.check_before_sending()
        for start in range(0, len(buffer), _WRITTEN_AT_ONCE):
            part = buffer[start : start + _WRITTEN_AT_ONCE]
            self._stream.write(part, min(call.limits.idle_seconds, call.time_to_read()))
            call.note_write()

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, current_call().time_to_connect()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._backend.connect_tcp(host, port, current_call().time_to_connect(), local_address, socket_options)
        return _BoundedStream(stream)


class _Transport(httpx.HTTPTransport):
    """httpx's transport over bounded connections."""

    def __init__(self, *, connections: int) -> None:
        super().__init__(limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections))
        self._pool._network_backend = _BoundedBackend()  # noqa: SLF001 (httpx has no argument for it)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = super().handle_request(request)
        call = current_call()
        call.status, call.headers = response.status_code, response.headers
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise httpx.DecodingError("the response is compressed, although that was not requested", request=request)
        with closing(response):
            body = response.read()
        if response.status_code >= _FIRST_ERROR:
            call.error_body = body
            call.on_error()
        return httpx.Response(
            response.status_code, headers=response.headers, content=_COUNT_AS_TEXT.sub(rb"\g<1>0", body)
        )


def http_client(*, connections: int) -> httpx.Client:
    """Return a client for many threads. It follows no redirects, so a page and a key go only to the configured host."""
    return httpx.Client(transport=_Transport(connections=connections), follow_redirects=False, timeout=None)  # noqa: S113
