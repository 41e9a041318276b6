"""Bearer tokens for clients that are not users: the autoscaler, the metrics collector."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare


def sends_token(request: HttpRequest, token: str) -> bool:
    """Return whether the request has ``Authorization: Bearer TOKEN``. An empty ``token`` admits every request."""
    if not token:
        return True
    scheme, _, sent = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return scheme.lower() == "bearer" and constant_time_compare(sent.strip(), token)
