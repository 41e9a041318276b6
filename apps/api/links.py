"""Links to ourselves that need no key: signed, for one file, until a moment."""

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
    """What links to ourselves begin with: PUBLIC_URL, else where the request came in."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def signed_path(document_id: str, *, seconds: int) -> tuple[str, datetime]:
    """The path that serves the file, and when it stops to."""
    expires = int(time.time()) + seconds
    token = signing.Signer(salt=_SALT).sign_object([document_id, expires])
    return f"/api/v1/beta/files/signed/{token}", datetime.fromtimestamp(expires, UTC)


def document_id_of(token: str) -> str | None:
    """The document that a signed path is for; None when it is forged or has expired."""
    try:
        document_id, expires = signing.Signer(salt=_SALT).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return str(document_id) if expires > time.time() else None
