"""The media types of documents that are read."""

from __future__ import annotations

PDF = "application/pdf"
_EXTENSIONS = (
    "pdf png jpg jpeg tif tiff gif bmp webp "
    "docx docm dotx dotm odt ott rtf xlsx xlsm xltx xltm xlsb xls ods ots pptx pptm potx potm ppsx ppsm odp otp "
    "csv tsv txt html htm xhtml md markdown adoc asciidoc org eml epub"
)
EXTENSIONS = tuple(f".{name}" for name in _EXTENSIONS.split())
"""The usual ends of the names of documents that are read. The type itself is found by the content."""


def is_structured(media_type: str) -> bool:
    """Return whether documents of this type are read from their own structure: neither print nor pictures."""
    return media_type != PDF and not media_type.startswith("image/")
