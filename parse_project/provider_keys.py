"""The pair of keys with which secrets of providers are sealed and opened (``apps/core/sealing/sealed_secrets.py``)."""

from __future__ import annotations

from apps.core.sealing import key_pairs
from parse_project import env

PUBLIC, PRIVATE = "LEAFMILL_PROVIDER_PUBLIC_KEY", "LEAFMILL_PROVIDER_PRIVATE_KEYS"


def provider_keys() -> tuple[str, list[str]]:
    """Return the public key, "" if there is none, and the private keys.

    Raise BadVariable if a text is not a key, or if the private key of the public key is missing. It never shows a key.
    """
    public = env.secret(
        PUBLIC,
        "",
        "public key that seals the secrets of providers; empty: they are sealed with the key of all other secrets",
    )
    private = env.secret(
        PRIVATE,
        "",
        "private keys that open the secrets of providers, separated by commas; only workers of models need them",
    )
    keys = [key for part in private.split(",") if (key := part.strip())]
    for name, found in ((PUBLIC, [public] if public else []), (PRIVATE, keys)):
        if not all(map(key_pairs.is_key, found)):
            raise env.BadVariable(name, "...", "keys that python -m apps.core.sealing.key_pairs prints are expected")
    if public and keys and public not in map(key_pairs.public_key_of, keys):
        raise env.BadVariable(PRIVATE, "...", f"it must contain the private key of {PUBLIC}")
    return public, keys
