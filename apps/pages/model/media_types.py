"""The media types of documents that are read."""

from __future__ import annotations

from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES

PDF = "application/pdf"
_EXTENSIONS = (
    "pdf png jpg jpeg tif tiff gif bmp webp "
    "docx docm dotx dotm odt ott rtf xlsx xlsm xltx xltm xlsb xls ods ots pptx pptm potx potm ppsx ppsm odp otp "
    "csv tsv txt html htm xhtml md markdown adoc asciidoc org eml msg epub xml"
)
EXTENSIONS = tuple(f".{name}" for name in _EXTENSIONS.split())
"""The usual ends of the names of documents that are read. The type itself is found by the content."""
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
# These may hold a whole PDF: ZIP and the office formats in it, older office files, gzip, 7z, RAR.
_ARCHIVES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")


def printed_type_of(head: bytes) -> str:
    """Return the type of a PDF or an image by the file's first bytes, never by its name; "" for any other file."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if not head.startswith(_ARCHIVES) and b"%PDF-" in head[: MAX_HEADER_OFFSET_BYTES + 4]:
        return PDF
    return ""


def is_structured(media_type: str) -> bool:
    """Return whether documents of this type are read from their own structure: neither print nor pictures."""
    return media_type != PDF and not media_type.startswith("image/")
