"""Addresses at which an OCR worker reads a page image and writes its answer.

They are paths if the worker shares our storage folder. Otherwise they are links to our own service, signed for one key,
one direction and a limited time.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from django.conf import settings
from django.core import signing

from apps.documents import storage

_SALT = "leafmill.ocr-exchange"
READ, WRITE = "r", "w"
PATH = "/api/ocr-exchange"
MAX_ANSWER_BYTES = 64 << 20
_VALID_SECONDS = 3600


class Grant(NamedTuple):
    """The access that a link grants: one storage key in one direction."""

    direction: str
    key: str


def address_to_read(key: str) -> str:
    """Return the path or link at which an OCR worker reads this key."""
    return _address(READ, key)


def address_to_write(key: str) -> str:
    """Return the path or link at which an OCR worker writes this key."""
    return _address(WRITE, key)


def grant_of(token: str) -> Grant | None:
    """Return the access that a link's token grants; None if the token is forged or has expired."""
    try:
        direction, key, expires = signing.Signer(salt=_SALT).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Grant(direction, key) if expires > time.time() else None


def _address(direction: str, key: str) -> str:
    base = settings.OCR_EXCHANGE_URL
    path = None if base else storage.local_path(key)
    if path is not None:
        return str(path)
    token = signing.Signer(salt=_SALT).sign_object([direction, key, int(time.time()) + _VALID_SECONDS])
    return f"{base or settings.PUBLIC_URL}{PATH}/{token}"
