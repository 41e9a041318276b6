"""Which addresses a user's URL may reach: public ones, and networks that the caller allows. Plain Python, no Django.

A host name is resolved once. Every address that it has is checked, and the connection goes to one of those, so a name
that resolves to a different address later gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

from apps.pages.model.errors import ParseError

Networks = Sequence[IPv4Network | IPv6Network]
MAX_URL_CHARS = 2048
# ``is_global`` of Python calls some of these global: metadata services, NAT64, 6to4 and deprecated ranges.
_DENIED_V4 = [
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
]
_PUBLIC_V6 = ip_network("2000::/3")
_DENIED_V6 = [ip_network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_OPEN_PORTS_BELOW_1024 = frozenset({80, 443})
# Databases, brokers and caches that are often reachable without a password.
_DENIED_PORTS = frozenset({1433, 1521, 2049, 2375, 2376, 2379, 3306, 5432, 5672, 6379, 9200, 10250, 11211, 27017})


class UrlNotAllowed(ParseError):
    """The address must not be fetched. Send an https URL of a public host."""

    code = "url_not_allowed"


class HostUnknown(OSError):
    """The host name has no address."""


@dataclass(frozen=True)
class CheckedUrl:
    """The parts of a URL that passed ``check_url``."""

    scheme: str
    host: str
    port: int


def check_url(url: str, *, networks: Networks = ()) -> CheckedUrl:
    """Return the parts of an http or https URL. Raise UrlNotAllowed for one that no request may be sent to.

    Nothing is resolved: a name that has a forbidden address is refused when the request is sent.
    """
    if len(url) > MAX_URL_CHARS:
        raise UrlNotAllowed(f"The URL is longer than {MAX_URL_CHARS} characters. Send a shorter one.")
    if not url.isascii() or any(character <= " " or character in '\\"<>^`{|}\x7f' for character in url):
        raise UrlNotAllowed("The URL has characters that a URL cannot contain. Send it percent-encoded.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlNotAllowed("The URL is malformed. Send one such as https://example.org/file.pdf.") from None
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if scheme not in ("http", "https") or not host:
        raise UrlNotAllowed("Only http and https URLs with a host are supported.")
    if "@" in parts.netloc:
        raise UrlNotAllowed("The URL contains a user name or password. Send it without them.")
    if "%" in host:
        raise UrlNotAllowed("The host of the URL is not a plain name or address.")
    port = port if port is not None else 443 if scheme == "https" else 80
    with suppress(ValueError):  # a name is resolved when the request is sent
        check_address(ip_address(host), port, networks=networks)
    return CheckedUrl(scheme, host, port)


def redirected(url: str, location: str) -> str:
    """Return the URL to which a response redirects. Raise UrlNotAllowed for one that gives up TLS."""
    following = urljoin(url, location)
    if url.lower().startswith("https:") and not following.lower().startswith("https:"):
        raise UrlNotAllowed("The address redirects from https to http. Send an address that keeps https.")
    return following


def resolve(host: str, port: int, *, networks: Networks = ()) -> list[str]:
    """Return the addresses of a host, if a request may be sent to every one of them.

    Raise UrlNotAllowed if not, and HostUnknown if there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise HostUnknown(f"The host name {host} has no address.") from error
    addresses = [str(address[0]).partition("%")[0] for *_, address in found]
    for address in addresses:
        check_address(ip_address(address), port, networks=networks)
    return list(dict.fromkeys(addresses))


def check_address(address: IPv4Address | IPv6Address, port: int, *, networks: Networks = ()) -> None:
    """Raise UrlNotAllowed unless the address is public and the port usual, or one of ``networks`` has the address."""
    if is_in(address, networks):
        return
    if isinstance(address, IPv4Address):
        is_public = not any(address in network for network in _DENIED_V4)
    else:
        is_public = address in _PUBLIC_V6 and not any(address in network for network in _DENIED_V6)
    if not is_public:
        raise UrlNotAllowed(
            "The URL leads to a private or reserved address. The operator can allow its network: OUTBOUND_NETWORKS."
        )
    if port in _DENIED_PORTS or (port < 1024 and port not in _OPEN_PORTS_BELOW_1024):
        raise UrlNotAllowed(f"The port {port} is not one that serves documents or webhooks.")


def is_in(address: IPv4Address | IPv6Address, networks: Networks) -> bool:
    return any(address.version == network.version and address in network for network in networks)
