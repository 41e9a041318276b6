"""Facts about a document that are known before its pages are read."""

from __future__ import annotations

import msgspec


class DocumentFacts(msgspec.Struct, frozen=True):
    """Facts known before any page is read; ``warnings`` are public codes."""

    media_type: str
    page_count: int
    title: str = ""
    warnings: tuple[str, ...] = ()
