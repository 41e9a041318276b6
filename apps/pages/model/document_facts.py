"""Facts about a document that are known before its pages are read."""

from __future__ import annotations

import msgspec


class DocumentFacts(msgspec.Struct, frozen=True):
    """Media type, page count and title. ``warnings`` are public codes."""

    media_type: str
    page_count: int
    title: str = ""
    warnings: tuple[str, ...] = ()
