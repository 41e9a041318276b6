"""The media types of documents that are read."""

from __future__ import annotations

PDF = "application/pdf"


def is_structured(media_type: str) -> bool:
    """Return whether documents of this type are read from their own structure: neither print nor pictures."""
    return media_type != PDF and not media_type.startswith("image/")
