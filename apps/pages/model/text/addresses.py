"""The addresses of links that results may have. A browser runs what follows other schemes, such as ``javascript:``."""

from __future__ import annotations

import re

_SHOWN_SCHEMES = re.compile(r"(?:https?|mailto|ftp|tel):[^\s<>]+", re.IGNORECASE)


def is_shown_address(address: str) -> bool:
    return _SHOWN_SCHEMES.fullmatch(address) is not None
