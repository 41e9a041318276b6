"""How a provider is reached besides its key: headers that a gateway wants, and a proxy of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

HEADERS, PROXY = "headers", "proxy"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e]{0,4000}")
_OF_THE_CONNECTION = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})


def headers_of(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that every request carries; those of the secrets are a JSON object in a string."""
    secret = json.loads(secrets[HEADERS]) if secrets.get(HEADERS) else {}
    return {str(name): str(value) for name, value in {**(settings.get(HEADERS) or {}), **secret}.items()}


def access_problems(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> list[str]:
    """Return what is wrong with headers and proxy, as sentences that repeat no value."""
    problems = []
    plain = settings.get(HEADERS, {})
    try:
        found = headers_of({HEADERS: plain if isinstance(plain, Mapping) else {}}, secrets)
    except (ValueError, AttributeError, TypeError):
        found = {}
        problems.append('headers: the secret is a JSON object in a string: {"X-Api-Key": "..."}')
    if not isinstance(plain, Mapping):
        problems.append("headers: an object of names and values is expected")
    for name, value in found.items():
        if not _NAME.fullmatch(name) or name.lower() in _OF_THE_CONNECTION or not _VALUE.fullmatch(value):
            problems.append(f"headers: {name[:60]!r} cannot be sent as a header")
    proxy = settings.get(PROXY)
    parts = urlsplit(proxy) if isinstance(proxy, str) else None
    is_usable = parts is not None and parts.scheme in ("http", "https") and parts.hostname and not parts.username
    if proxy is not None and not is_usable:
        problems.append(
            "proxy: an http(s) address without a user is expected. With a user, set HTTPS_PROXY for the workers"
        )
    return problems
