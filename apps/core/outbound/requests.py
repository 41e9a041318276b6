"""Send one request to a user's URL: to a checked address, with a deadline for all of it, without following redirects.

Environment variables with proxies are ignored, and responses are not decompressed, so that a limit of bytes is one.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpcore
import httpx
from httpcore import SyncBackend

from apps.core.outbound import addresses

ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError)
"""What ``send`` raises when there is no response. UrlNotAllowed is raised if there must be no request."""


@contextmanager
def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    seconds: float,
    content: bytes = b"",
    proxy: str = "",
    needs_tls: bool = False,
) -> Iterator[httpcore.Response]:
    """Yield the response, whose body is read with ``iter_stream``. ``seconds`` are for everything, the body included.

    With ``needs_tls``, plain http goes only to networks that the operator allows.
    """
    target = addresses.check_url(url)
    backend = _CheckedBackend(time.monotonic() + seconds, needs_tls=needs_tls and target.scheme == "http")
    pool: httpcore.ConnectionPool
    if proxy:
        addresses.check_url(proxy)
        pool = httpcore.HTTPProxy(proxy, network_backend=backend, ssl_context=_tls())
    else:
        pool = httpcore.ConnectionPool(network_backend=backend, ssl_context=_tls())
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    sent = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    sent.append((b"Accept-Encoding", b"identity"))
    with pool, pool.stream(method, url, headers=sent, content=content, extensions={"timeout": timeouts}) as response:
        yield response


def header(response: httpcore.Response, name: str) -> str:
    """Return the first header of this name, or ""."""
    wanted = name.lower().encode("ascii")
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == wanted), "")


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that may be reached, and ends every wait at the deadline (of the monotonic clock)."""

    def __init__(self, deadline: float, *, needs_tls: bool) -> None:
        self._deadline = deadline
        self._needs_tls = needs_tls
        self._plain = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        found = addresses.check_host(host, port, needs_tls=self._needs_tls)
        for address in found[:-1]:
            try:
                return self._connect(address, port)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(found[-1], port)

    def _connect(self, address: str, port: int) -> httpcore.NetworkStream:
        stream = self._plain.connect_tcp(address, port, timeout=_left(self._deadline, httpcore.ConnectTimeout))
        return _DeadlineStream(stream, self._deadline)


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, error: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise error("The request took too long")
    return left
