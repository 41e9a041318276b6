"""The pair of keys with which secrets of providers are sealed and opened (``apps/core/sealing/sealed_secrets.py``)."""

from __future__ import annotations

from apps.core.sealing import key_pairs
from parse_project import env

PUBLIC, PRIVATE = "LEAFMILL_PROVIDER_PUBLIC_KEY", "LEAFMILL_PROVIDER_PRIVATE_KEYS"


def provider_keys() -> tuple[str, list[str]]:
    """Return the public key, "" if there is none, and the private keys.

    Text that is no key, or private keys without that of the public key, stop the start. Keys are not printed.
    """
    public = env.secret(
        PUBLIC, "", "seals secrets of providers for processes with its private key; empty: they are sealed like others"
    )
    private = env.secret(
        PRIVATE, "", "open what their public keys sealed, separated by commas; only workers of models need them"
    )
    keys = [key for part in private.split(",") if (key := part.strip())]
    for name, found in ((PUBLIC, [public] if public else []), (PRIVATE, keys)):
        if not all(map(key_pairs.is_key, found)):
            raise env.BadVariable(name, "...", "keys that python -m apps.core.sealing.key_pairs prints are expected")
    if public and keys and public not in map(key_pairs.public_key_of, keys):
        raise env.BadVariable(PRIVATE, "...", f"it must contain the private key of {PUBLIC}")
    return public, keys
