"""Tokens that an installation sets for its own machinery: the autoscaler, the collector of metrics."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare


def sends_token(request: HttpRequest, token: str) -> bool:
    """Whether the request carries ``Authorization: Bearer TOKEN``; true for everybody where ``token`` is empty."""
    if not token:
        return True
    scheme, _, sent = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(sent.strip(), token)
