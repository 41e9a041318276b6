"""The media types of documents that are read."""

from __future__ import annotations

from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES

PDF = "application/pdf"
_EXTENSIONS = (
    "pdf png jpg jpeg tif tiff webp gif avif heic heif bmp svg "
    "docx docm dotx dotm odt ott rtf xlsx xlsm xltx xltm xlam xls xlsb ods ots pptx pptm potx potm ppsx ppsm odp otp "
    "csv tsv tab html htm xhtml md markdown adoc asciidoc org epub eml msg xml txt json "
    "doc dot wps wpd hwp sxw stw fodt pages sxc stc fods numbers ppt pps pot sxi sti fodp key "
    "odg otg fodg sxd std vsd vsdx vsdm vstx vstm pub"
)
EXTENSIONS = tuple(f".{name}" for name in _EXTENSIONS.split())
"""The usual extensions of documents that are read or converted first. The content decides the type."""
MAX_BRANDS_BYTES = 1024
_AVIF = frozenset((b"avif", b"avis"))
_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
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
    if head[4:8] == b"ftyp" and (media_type := _type_of_brands(head)):
        return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if not head.startswith(_ARCHIVES) and b"%PDF-" in head[: MAX_HEADER_OFFSET_BYTES + 4]:
        return PDF
    return ""


def _type_of_brands(head: bytes) -> str:
    """Return the type by the brands of the first box of the file (ISO/IEC 23008-12, 10.2); "" if none is known."""
    box = head[8 : min(int.from_bytes(head[:4], "big"), MAX_BRANDS_BYTES)]
    brands = {box[start : start + 4] for start in range(0, len(box), 4)}
    if not brands.isdisjoint(_AVIF):
        return "image/avif"
    return "image/heic" if not brands.isdisjoint(_HEIC) else ""


def is_structured(media_type: str) -> bool:
    """Return whether documents of this type are read from their own structure: neither print nor pictures."""
    return media_type != PDF and not media_type.startswith("image/")
