"""Signed links to one file, or to one file of a result. They need no API key and expire."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from rest_framework.request import Request

_FILE_SALT, _RESULT_SALT = "leafmill.file-link", "leafmill.result-link"
MAX_LINK_SECONDS = 7 * 24 * 3600


def origin(request: HttpRequest | Request) -> str:
    """Return the beginning of links to this service: PUBLIC_URL, or else the scheme and host of the request."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def signed_path(document_id: str, *, seconds: int) -> tuple[str, datetime]:
    """Return a path that serves the file without a key, and when the path expires."""
    token, expires_at = _signed([document_id], _FILE_SALT, seconds)
    return f"/api/v1/beta/files/signed/{token}", expires_at


def document_id_of(token: str) -> str | None:
    """Return the document of a signed path; None if the token is forged or has expired."""
    names = _names_of(token, _FILE_SALT)
    return names[0] if names is not None and len(names) == 1 else None


def signed_result_path(job_id: str, name: str, *, seconds: int) -> str:
    """Return a path that serves a file of a job's result without a key."""
    return signed_result_link(job_id, name, seconds=seconds)[0]


def signed_result_link(job_id: str, name: str, *, seconds: int) -> tuple[str, datetime]:
    """Return a path that serves a file of a job's result without a key, and when the path expires."""
    token, expires_at = _signed([job_id, name], _RESULT_SALT, seconds)
    return f"/api/v2/parse/signed/{token}", expires_at


def result_of(token: str) -> tuple[str, str] | None:
    """Return the job and the name of the file of a signed path; None if the token is forged or has expired."""
    names = _names_of(token, _RESULT_SALT)
    return (names[0], names[1]) if names is not None and len(names) == 2 else None


def _signed(names: list[str], salt: str, seconds: int) -> tuple[str, datetime]:
    expires = int(time.time()) + seconds
    return signing.Signer(salt=salt).sign_object([*names, expires]), datetime.fromtimestamp(expires, UTC)


def _names_of(token: str, salt: str) -> list[str] | None:
    try:
        *names, expires = signing.Signer(salt=salt).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return [str(name) for name in names] if expires > time.time() else None
