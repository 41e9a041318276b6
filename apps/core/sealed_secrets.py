"""Encrypt stored secrets with a key derived from SECRET_KEY."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class BrokenSeal(Exception):
    """The sealed text cannot be decrypted: SECRET_KEY has changed since it was sealed."""


def seal(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    from cryptography.fernet import InvalidToken

    try:
        return _fernet().decrypt(sealed.encode("ascii")).decode()
    except InvalidToken as error:
        raise BrokenSeal from error


def _fernet() -> Fernet:
    from cryptography.fernet import Fernet

    key = hashlib.sha256(b"leafmill sealing\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
