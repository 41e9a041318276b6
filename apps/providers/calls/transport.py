"""The connections to providers: every read and write obeys the limits of its call.

The SDKs have a time-out per read, which a server that sends a byte per second never reaches, and no limit of bytes. So
this module limits a call where the bytes arrive: it has a deadline, a time until the first byte, a time between two
parts of the body, and a number of bytes. Responses are not compressed, so that the number of bytes is the real one.
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx
from yarl import URL

from apps.pages.per_process import PerProcess
from apps.providers.calls.connection import Call, current_call

_FIRST_ERROR = 300
_WRITTEN_AT_ONCE = 64 * 1024
# aiohttp's own words for a line or a number of headers beyond its limits.
_HEADERS_TOO_LARGE = re.compile("Too many headers|more than")
# SDKs discard a paid response if a count of tokens is a string. Replace it by 0, which later counts as implausible.
# Inside a string the quotes would be escaped, so the text of a response is never changed.
_COUNT_AS_TEXT = re.compile(
    rb'("(?:\w{1,40}_tokens|\w{1,40}TokenCount|(?:in|out)putTokens|totalTokens)"\s{0,9}:\s{0,9})"[^"\\]{0,40}"'
)


class ResponseTooLarge(httpx.ReadError):
    """The provider's response has more bytes than a completion can need."""


def http_client() -> httpx.AsyncClient:
    """Return a client for one event loop.

    It follows no redirects, so a page and a key go only to the configured host.
    """
    return httpx.AsyncClient(transport=_Transport(), follow_redirects=False, timeout=None)  # noqa: S113


shared_http_client = PerProcess(http_client)
"""The client of this process, for its event loop."""


class _Request(aiohttp.ClientRequest):
    """A request that checks its call right before sending: the connection is open, and no byte was written."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        call = current_call()
        await call.check_before_sending()
        call.abort = conn.transport.abort
        call.note_write()
        return await super().send(conn)


class _Transport(httpx.AsyncBaseTransport):
    """A transport of httpx over aiohttp, which costs a fraction of httpx's own pool. Use it in one event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call, body = current_call(), b""
        request.headers.update({"Accept-Encoding": "identity", **call.extra_headers})
        content = await request.aread()
        if call.offline is not None:
            call.status, call.body = HTTPStatus.OK, _with_counts(call.offline(content))
            return httpx.Response(HTTPStatus.OK, content=call.body, request=request)
        try:
            with _as_httpx_errors():
                async with asyncio.timeout(call.seconds_left()):
                    body = await self._exchange(request, content, call)
        except BaseException:
            call.abort()  # a polite close would wait until the server has read what is still buffered
            raise
        finally:
            if call.status is not None and call.status >= _FIRST_ERROR:
                await call.note_error(body)
        call.body = _with_counts(body)
        return httpx.Response(call.status or 0, headers=list(call.headers.items()), content=call.body, request=request)

    async def _exchange(self, request: httpx.Request, content: bytes, call: Call) -> bytes:
        """Send the request, store status and headers in the call, and return the body."""
        limits = call.limits
        timeout = aiohttp.ClientTimeout(
            connect=limits.connect_seconds, sock_connect=limits.connect_seconds, sock_read=limits.first_byte_seconds
        )
        async with self._open_session().request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=request.headers.multi_items(),
            data=_parts(content, call) if content else None,
            allow_redirects=False,
            proxy=call.proxy or self._proxy_for(request.url),
            timeout=timeout,
        ) as response:
            call.status, call.headers = response.status, response.headers
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise httpx.DecodingError("the response is compressed, although that was not requested")
            parts: list[bytes] = []
            received = 0
            while True:
                async with asyncio.timeout(limits.idle_seconds):
                    part = await response.content.readany()
                if not part:
                    return b"".join(parts)
                parts.append(part)
                received += len(part)
                if received > limits.response_bytes:
                    raise ResponseTooLarge(f"more than {limits.response_bytes} bytes")

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session, made at first use because it belongs to the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=httpx.create_ssl_context()),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                request_class=_Request,
            )
        return self._session

    def _proxy_for(self, url: httpx.URL) -> str | None:
        """Return the proxy that the environment sets for the address (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)."""
        key = url.scheme, url.host
        if key not in self._proxies:
            proxies = urllib.request.getproxies()
            proxy = proxies.get(url.scheme) or proxies.get("all")
            self._proxies[key] = None if urllib.request.proxy_bypass(url.host) else proxy
        return self._proxies[key]


async def _parts(content: bytes, call: Call) -> AsyncIterator[bytes]:
    """Yield the request's body in parts, and note when each was written."""
    for start in range(0, len(content), _WRITTEN_AT_ONCE):
        yield content[start : start + _WRITTEN_AT_ONCE]
        call.note_write()


def _with_counts(body: bytes) -> bytes:
    return _COUNT_AS_TEXT.sub(rb"\g<1>0", body)


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Turn errors of aiohttp into those of httpx, which the SDKs expect.

    None becomes a ConnectError or RemoteProtocolError, because litellm sends the request again after these.
    """
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error) or "the call exceeded its time limit") from error
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
        raise httpx.NetworkError(str(error)) from error
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError) as error:
        if _HEADERS_TOO_LARGE.search(str(error)):
            raise ResponseTooLarge(str(error)) from error
        raise httpx.ReadError(str(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise httpx.ReadError(str(error)) from error
