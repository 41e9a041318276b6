"""A file inside a document, which may be a document of its own."""

from __future__ import annotations

import msgspec


class ContainedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """``name``: its path in an archive, or its name. ``size_bytes``: of the content that follows.

    ``code`` and ``detail``: why it has no content that could be parsed, as in errors.py; "" if it has.
    """

    name: str
    size_bytes: int = 0
    code: str = ""
    detail: str = ""
