"""``public_addresses`` with the networks that the operator allows: the setting OUTBOUND_NETWORKS."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings

from apps.core.outbound import public_addresses
from apps.core.outbound.public_addresses import CheckedUrl, HostUnknown, UrlNotAllowed

NEEDS_TLS = "Webhooks go to public hosts with TLS only. Send an https URL."
__all__ = ["CheckedUrl", "HostUnknown", "UrlNotAllowed", "check_host", "check_url"]


def check_url(url: str) -> CheckedUrl:
    """Return the parts of an http or https URL. Raise UrlNotAllowed for one that no request may be sent to."""
    return public_addresses.check_url(url, networks=settings.OUTBOUND_NETWORKS)


def check_host(host: str, port: int, *, needs_tls: bool = False) -> list[str]:
    """Return the addresses of a host to which a request may be sent, in the order to try them.

    ``needs_tls``: the request has no TLS, so only networks that the operator allows will do. Raise UrlNotAllowed, and
    HostUnknown if the name has no address.
    """
    found = public_addresses.resolve(host, port, networks=settings.OUTBOUND_NETWORKS)
    allowed = (public_addresses.is_in(ip_address(each), settings.OUTBOUND_NETWORKS) for each in found)
    if needs_tls and not all(allowed):
        raise UrlNotAllowed(NEEDS_TLS)
    return found
