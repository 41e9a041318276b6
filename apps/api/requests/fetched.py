"""Documents that a request names by URL: fetched within limits of bytes and time, and from then on like an upload."""

from __future__ import annotations

import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

import httpcore
from django.conf import settings

from apps.api.requests.uploads import Upload, check_size
from apps.core.outbound import public_addresses
from apps.core.outbound import requests as outbound
from apps.core.outbound.errors import FetchFailed
from apps.pages.model.errors import DocumentError

FETCH_SECONDS = 30.0
MAX_REDIRECTS = 5
MAX_AT_ONCE = 8
"""Threads of the web process that may wait for other servers at once; it has 32."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_slots = threading.BoundedSemaphore(MAX_AT_ONCE)


class FetchTimeout(DocumentError):
    """The server of the document was too slow. Try again, or upload the document."""

    code = "fetch_timeout"


class FetchForbidden(DocumentError):
    """The server of the document refused the request. Send an address that needs no login, or upload the document."""

    code = "fetch_forbidden"


class FetchTlsError(DocumentError):
    """The certificate of the document's server is not valid. Check the address, or upload the document."""

    code = "fetch_tls_error"


@contextmanager
def fetched(url: str, *, proxy: str = "") -> Iterator[Upload]:
    """Yield the document at this URL, positioned at its first byte. It is not on disk any more when the block ends.

    Each address is resolved once and checked, those of redirects too (``addresses``). Raise UrlNotAllowed, FetchFailed,
    FetchTimeout, FetchForbidden, FetchTlsError or FileTooLarge.
    """
    if not _slots.acquire(timeout=FETCH_SECONDS):
        raise FetchTimeout("The service is fetching too many other documents. Try again, or upload the document.")
    try:
        with tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE) as spool:
            content = cast(BinaryIO, spool)
            try:
                last_url, size_bytes = _download(url, proxy, content)
            except httpcore.TimeoutException as error:
                raise FetchTimeout from error
            except outbound.ERRORS as error:
                is_tls = isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)
                raise (FetchTlsError if is_tls else FetchFailed) from error
            content.seek(0)
            name = unquote(urlsplit(last_url).path.rpartition("/")[2]) or "document"
            yield Upload(name, content, size_bytes)
    finally:
        _slots.release()


def _download(url: str, proxy: str, target: BinaryIO) -> tuple[str, int]:
    """Write the document to ``target``. Return the URL after all redirects, and the size in bytes."""
    until = time.monotonic() + FETCH_SECONDS
    for _hop in range(MAX_REDIRECTS + 1):
        seconds = max(0.0, until - time.monotonic())
        with outbound.send("GET", url, headers={"User-Agent": "leafmill"}, seconds=seconds, proxy=proxy) as response:
            if response.status in _REDIRECTS:
                url = public_addresses.redirected(url, outbound.header(response, "Location"))
                continue
            if 400 <= response.status < 500:
                raise FetchForbidden(f"The server of the document answered {response.status}. {_HINT}")
            if response.status != 200:
                raise FetchFailed(f"The server of the document answered {response.status}. {_HINT}")
            announced = outbound.header(response, "Content-Length")
            if announced.isascii() and announced.isdigit() and len(announced) < 20:
                check_size(int(announced))
            size_bytes = 0
            for chunk in response.iter_stream():
                size_bytes += len(chunk)
                check_size(size_bytes)
                target.write(chunk)
            return url, size_bytes
    raise FetchFailed(f"The address redirects more than {MAX_REDIRECTS} times. Send the last one.")


_HINT = "Check the address, or upload the document."
