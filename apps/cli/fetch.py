"""Fetch a document from a URL: http or https, public hosts only, limited in size and time.

Addresses are checked as for documents that the service fetches (apps/core/outbound/public_addresses.py), those of
redirects too. Proxies from the environment are not used.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from apps.core.outbound import public_addresses
from apps.core.outbound.errors import FetchFailed
from apps.pages.model.errors import DocumentError

MAX_BYTES = 512 << 20
_CONNECT_SECONDS, _IDLE_SECONDS, _TOTAL_SECONDS = 5.0, 10.0, 60.0
_MAX_REDIRECTS = 3
_CHUNK_BYTES = 1 << 16


class FetchTooLarge(DocumentError):
    """The document at this address is larger than 512 MB. Download it, split it and pass the parts."""

    code = "fetch_too_large"


def fetch_document(url: str, target: Path) -> Path:
    """Fetch ``url`` into ``target`` and return it. Raise UrlNotAllowed, FetchFailed or FetchTooLarge."""
    deadline = time.monotonic() + _TOTAL_SECONDS
    try:
        for _redirect in range(_MAX_REDIRECTS + 1):
            address = urlsplit(url)
            with closing(connect(url)) as connection:
                path = (address.path or "/") + (f"?{address.query}" if address.query else "")
                connection.request("GET", path, headers={"Accept": "*/*", "User-Agent": "leafmill"})
                response = connection.getresponse()
                if response.status in {301, 302, 303, 307, 308}:
                    url = public_addresses.redirected(url, response.getheader("Location") or "")
                    continue
                if response.status != 200:
                    raise FetchFailed(
                        f"The server responded with status {response.status}. "
                        "Check the address, or download the document and pass the file."
                    )
                _download(response, target, deadline)
                return target
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed from error
    raise FetchFailed(f"The address redirects more than {_MAX_REDIRECTS} times. Pass the final address.")


def connect(url: str) -> http.client.HTTPConnection:
    """Connect to a checked IP address of the host. TLS and the Host header use its name. Raise UrlNotAllowed."""
    target = public_addresses.check_url(url)
    addresses = public_addresses.resolve(target.host, target.port)
    plain = socket.create_connection((addresses[0], target.port), timeout=_CONNECT_SECONDS)
    plain.settimeout(_IDLE_SECONDS)
    if target.scheme == "http":
        connection = http.client.HTTPConnection(target.host, target.port, timeout=_IDLE_SECONDS)
        connection.sock = plain
        return connection
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(target.host, target.port, timeout=_IDLE_SECONDS, context=context)
    connection.sock = context.wrap_socket(plain, server_hostname=target.host)
    return connection


def _download(response: http.client.HTTPResponse, target: Path, deadline: float) -> None:
    size = 0
    with target.open("wb") as out:
        while chunk := response.read1(_CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_BYTES:
                raise FetchTooLarge
            if time.monotonic() > deadline:
                raise FetchFailed(
                    f"The download took longer than {_TOTAL_SECONDS:.0f} s. Download the document and pass the file."
                )
            out.write(chunk)
