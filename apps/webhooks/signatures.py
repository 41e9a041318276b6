"""The signatures of a webhook: LlamaParse's own, and those of Standard Webhooks (https://www.standardwebhooks.com).

Both are HMAC-SHA256 with the secret of the webhook. LlamaParse signs the body. Standard Webhooks sign the id, the time
of the attempt and the body, so a recorded request cannot be sent again later or under another id.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

STANDARD_PREFIX = "whsec_"


def llamaparse_signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard_signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(standard_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def standard_key(secret: str) -> bytes:
    """Return the key: what ``whsec_`` encodes in base64, or the bytes of a secret without this prefix."""
    if secret.startswith(STANDARD_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
