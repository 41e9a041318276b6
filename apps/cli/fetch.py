"""A document taken from an address that somebody typed: http or https, public hosts only, bounded in size and time.

The host is resolved once, every address is looked at, and the connection goes to the address that was looked at: a name
that points elsewhere a moment later gains nothing. Redirects are followed by hand and looked at again. Proxies from the
environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from apps.pages.model.errors import DocumentError

MAX_BYTES = 512 << 20
_CONNECT_SECONDS, _SILENCE_SECONDS, _TOTAL_SECONDS = 5.0, 10.0, 60.0
_MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_CHUNK_BYTES = 1 << 16
_FORWARDS_TO_OTHER_ADDRESSES = tuple(
    ipaddress.ip_network(net)
    for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
)
# Public by their number, and still a cloud's own services.
_CLOUD_SERVICES = {ipaddress.ip_address(address) for address in ("168.63.129.16", "192.0.0.192", "100.100.100.200")}


class UrlNotAllowed(DocumentError):
    """Only public http and https addresses are fetched. Download the document and pass the file."""

    code = "url_not_allowed"


class FetchFailed(DocumentError):
    """The document could not be fetched. Check the address, or download it and pass the file."""

    code = "fetch_failed"


class FetchTooLarge(DocumentError):
    """The document at this address is larger than 512 MB. Download it, split it and pass the parts."""

    code = "fetch_too_large"


def fetch_document(url: str, target: Path) -> Path:
    """Fetch ``url`` into ``target`` and return it. Raises ``UrlNotAllowed``, ``FetchFailed``, ``FetchTooLarge``."""
    until = time.monotonic() + _TOTAL_SECONDS
    try:
        for _redirect in range(_MAX_REDIRECTS + 1):
            forward = _fetch_once(urlsplit(url), target, until)
            if forward is None:
                return target
            url = urljoin(url, forward)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed from error
    raise FetchFailed(f"The address redirects more than {_MAX_REDIRECTS} times. Pass the final address.")


def _fetch_once(url: SplitResult, target: Path, until: float) -> str | None:
    """One request; the address it forwards to, or None when the document was written."""
    connection = _connection(url)
    try:
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", path, headers={"Accept": "*/*", "User-Agent": "leafmill"})
        response = connection.getresponse()
        if response.status in {301, 302, 303, 307, 308}:
            return response.getheader("Location") or ""
        if response.status != 200:
            raise FetchFailed(f"The address answered {response.status}. Check it, or download the document yourself.")
        _store(response, target, until)
        return None
    finally:
        connection.close()


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    """A connection to a checked address; the host's name stays what it is for TLS and the Host header."""
    if (
        url.scheme not in _PORTS
        or not url.hostname
        or url.username
        or (url.port or _PORTS[url.scheme]) not in {80, 443}
    ):
        raise UrlNotAllowed
    port = url.port or _PORTS[url.scheme]
    ends = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    addresses = [str(end[4][0]) for end in ends]
    if not addresses or not all(is_public(address) for address in addresses):
        raise UrlNotAllowed
    plain = socket.create_connection((addresses[0], port), timeout=_CONNECT_SECONDS)
    plain.settimeout(_SILENCE_SECONDS)
    if url.scheme == "http":
        connection = http.client.HTTPConnection(url.hostname, port, timeout=_SILENCE_SECONDS)
        connection.sock = plain
        return connection
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(url.hostname, port, timeout=_SILENCE_SECONDS, context=context)
    connection.sock = context.wrap_socket(plain, server_hostname=url.hostname)
    return connection


def is_public(address: str) -> bool:
    """Whether this is an address of the open internet, whatever way it is written; not ours, not a cloud's inside."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        if number.ipv4_mapped is not None:
            return is_public(str(number.ipv4_mapped))
        if any(number in network for network in _FORWARDS_TO_OTHER_ADDRESSES):
            return False
    return number.is_global and not number.is_multicast and number not in _CLOUD_SERVICES


def _store(response: http.client.HTTPResponse, target: Path, until: float) -> None:
    size = 0
    with target.open("wb") as out:
        while chunk := response.read1(_CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_BYTES:
                raise FetchTooLarge
            if time.monotonic() > until:
                raise FetchFailed(
                    f"The document took longer than {_TOTAL_SECONDS:.0f} s. Download it and pass the file."
                )
            out.write(chunk)
