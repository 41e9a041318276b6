"""The address of the client that sent a request, also behind proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest

IPV6_NETWORK_BITS = 64  # one subscriber has at least a network of this size
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address_of(meta: Mapping[str, Any]) -> Address | None:
    """Return the address of the client of a request, by its META; None if it has none, as on a Unix socket.

    With TRUSTED_PROXIES it is the address that the outermost of these proxies wrote into X-Forwarded-For.
    """
    sent = [each.strip() for each in meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    proxies = settings.TRUSTED_PROXIES
    direct = str(meta.get("REMOTE_ADDR") or "")
    try:
        address = ipaddress.ip_address(sent[-proxies] if 0 < proxies <= len(sent) else direct)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(meta: Mapping[str, Any]) -> str:
    """Return the address of the client, or its network of 64 bits if it has IPv6."""
    address = address_of(meta)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address or meta.get("REMOTE_ADDR") or "")


def login_address(request: HttpRequest) -> str | None:
    """Return the address for which failed logins are counted; of an IPv6 network the first address."""
    return network_of(request.META).partition("/")[0] if address_of(request.META) else None
