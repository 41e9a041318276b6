"""Fetch a document from a URL: http or https, public hosts only, limited in size and time.

The host name is resolved once. All its IP addresses are checked, and the connection goes to a checked one, so a name
that resolves to another address a moment later (DNS rebinding) gains nothing. Redirects get the same checks. Proxies
from the environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from apps.pages.model.errors import DocumentError

MAX_BYTES = 512 << 20
_CONNECT_SECONDS, _IDLE_SECONDS, _TOTAL_SECONDS = 5.0, 10.0, 60.0
_MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_CHUNK_BYTES = 1 << 16
_FORWARDS_TO_OTHER_ADDRESSES = tuple(
    ipaddress.ip_network(net)
    for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
)
# These addresses are public, but clouds use them for internal services.
_CLOUD_SERVICES = {ipaddress.ip_address(address) for address in ("168.63.129.16", "192.0.0.192", "100.100.100.200")}


class AddressNotPublic(DocumentError):
    """Only public http and https addresses are fetched. Download the document and pass the file."""

    code = "url_not_allowed"


class FetchFailed(DocumentError):
    """The document could not be fetched. Check the address, or download the document and pass the file."""

    code = "fetch_failed"


class FetchTooLarge(DocumentError):
    """The document at this address is larger than 512 MB. Download it, split it and pass the parts."""

    code = "fetch_too_large"


def fetch_document(url: str, target: Path) -> Path:
    """Fetch ``url`` into ``target`` and return it. Raise AddressNotPublic, FetchFailed or FetchTooLarge."""
    deadline = time.monotonic() + _TOTAL_SECONDS
    try:
        for _redirect in range(_MAX_REDIRECTS + 1):
            address = urlsplit(url)
            with closing(connect(address)) as connection:
                path = (address.path or "/") + (f"?{address.query}" if address.query else "")
                connection.request("GET", path, headers={"Accept": "*/*", "User-Agent": "leafmill"})
                response = connection.getresponse()
                if response.status in {301, 302, 303, 307, 308}:
                    url = urljoin(url, response.getheader("Location") or "")
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


def connect(url: SplitResult) -> http.client.HTTPConnection:
    """Connect to a checked IP address of the host. TLS and the Host header use its name. Raise AddressNotPublic."""
    if (
        url.scheme not in _PORTS
        or not url.hostname
        or url.username
        or (url.port or _PORTS[url.scheme]) not in {80, 443}
    ):
        raise AddressNotPublic
    port = url.port or _PORTS[url.scheme]
    found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    addresses = [str(socket_address[0]) for *_, socket_address in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise AddressNotPublic
    plain = socket.create_connection((addresses[0], port), timeout=_CONNECT_SECONDS)
    plain.settimeout(_IDLE_SECONDS)
    if url.scheme == "http":
        connection = http.client.HTTPConnection(url.hostname, port, timeout=_IDLE_SECONDS)
        connection.sock = plain
        return connection
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(url.hostname, port, timeout=_IDLE_SECONDS, context=context)
    connection.sock = context.wrap_socket(plain, server_hostname=url.hostname)
    return connection


def is_public(address: str) -> bool:
    """Return whether this is an address of the public internet, and not an internal service of a cloud."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        if number.ipv4_mapped is not None:
            return is_public(str(number.ipv4_mapped))
        if any(number in network for network in _FORWARDS_TO_OTHER_ADDRESSES):
            return False
    return number.is_global and not number.is_multicast and number not in _CLOUD_SERVICES


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
