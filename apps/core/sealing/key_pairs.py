"""Seal a text with a public key, so that only processes with its private key can open it.

Texts are sealed with HPKE (RFC 9180, base mode) with X25519, HKDF-SHA256 and AES-256-GCM:
``pair.ID OF THE PUBLIC KEY.BASE64``. To make a new pair of keys:

    python -m apps.core.sealing.key_pairs
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hpke import Suite

PREFIX = "pair."
KEY_BYTES = 32
_INFO = b"leafmill secrets of providers"


class NoPrivateKey(Exception):
    """None of the private keys belongs to the public key that sealed the text, or the text was changed."""


def new_pair() -> tuple[str, str]:
    """Return a new private key and its public key, each as 44 characters of URL-safe base64."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    private = _text(X25519PrivateKey.generate().private_bytes_raw())
    return private, public_key_of(private)


def public_key_of(private: str) -> str:
    return _text(_private(private).public_key().public_bytes_raw())


def key_bytes(key: str) -> bytes:
    """Return the bytes of a key. Raise ValueError if they are not 32 bytes in URL-safe base64."""
    try:
        found = base64.b64decode(key, altchars=b"-_", validate=True)
    except binascii.Error:
        found = b""
    if len(found) != KEY_BYTES:
        raise ValueError("A key is 32 bytes in URL-safe base64")
    return found


def is_key(key: str) -> bool:
    """Return whether this can be a public or a private key."""
    try:
        return bool(key_bytes(key))
    except ValueError:
        return False


def seal(text: str, *, public: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    key = X25519PublicKey.from_public_bytes(key_bytes(public))
    return f"{PREFIX}{key_id(public)}.{_text(_suite().encrypt(text.encode(), key, info=_INFO))}"


def unseal(sealed: str, *, private: Sequence[str]) -> str:
    """Open a text with the private key that belongs to it. Raise NoPrivateKey."""
    from cryptography.exceptions import InvalidTag

    wanted = id_of(sealed)
    for key in private:
        if key_id(public_key_of(key)) == wanted:
            try:
                content = base64.urlsafe_b64decode(sealed.rpartition(".")[2])
                return _suite().decrypt(content, _private(key), info=_INFO).decode()
            except (InvalidTag, binascii.Error):
                break
    raise NoPrivateKey


def is_sealed(text: str) -> bool:
    """Return whether a public key has sealed the text."""
    return text.startswith(PREFIX)


def id_of(sealed: str) -> str:
    """Return the id of the public key that sealed the text."""
    return sealed.split(".")[1]


def key_id(public: str) -> str:
    return hashlib.sha256(key_bytes(public)).hexdigest()[:16]


def _suite() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _private(key: str) -> X25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(key_bytes(key))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii")


def main() -> None:
    """Print the two variables of a new pair."""
    private, public = new_pair()
    sys.stdout.write(f"LEAFMILL_PROVIDER_PUBLIC_KEY={public}\nLEAFMILL_PROVIDER_PRIVATE_KEYS={private}\n")


if __name__ == "__main__":
    main()
