"""Signed links to one file. They need no API key and expire."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from rest_framework.request import Request

_SALT = "leafmill.file-link"
MAX_LINK_SECONDS = 7 * 24 * 3600


def origin(request: HttpRequest | Request) -> str:
    """Return the beginning of links to this service: PUBLIC_URL, or else the scheme and host of the request."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def signed_path(document_id: str, *, seconds: int) -> tuple[str, datetime]:
    """Return a path that serves the file without a key, and when the path expires."""
    expires = int(time.time()) + seconds
    token = signing.Signer(salt=_SALT).sign_object([document_id, expires])
    return f"/api/v1/beta/files/signed/{token}", datetime.fromtimestamp(expires, UTC)


def document_id_of(token: str) -> str | None:
    """Return the document of a signed path; None if the token is forged or has expired."""
    try:
        document_id, expires = signing.Signer(salt=_SALT).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return str(document_id) if expires > time.time() else None
