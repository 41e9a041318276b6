"""Find the type and page count of a file before any page is read. Runs only inside the sandboxed child."""

from __future__ import annotations

from typing import Any

from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import (
    DamagedDocument,
    EmptyDocument,
    EmptyFile,
    EncryptedDocument,
    TooManyPages,
    UnsupportedDocument,
    UnsupportedEncryption,
    WrongPassword,
)
from apps.pages.model.safe_text import clean
from apps.pages.reading import images

PDF = "application/pdf"
# Readers accept this much in front of the header (PDF 32000-1, annex H.3).
MAX_HEADER_OFFSET_BYTES = 1024
MAX_TITLE_CHARACTERS = 300
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


def media_type_of(head: bytes) -> str:
    """The type by the first bytes, never by the name; UnsupportedDocument when it is none of ours."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if b"%PDF" in head[: MAX_HEADER_OFFSET_BYTES + 4]:
        return PDF
    raise UnsupportedDocument


def inspect_document(path: str, *, password: str | None = None, max_pages: int) -> DocumentFacts:
    """Type, page count and title. Raises the DocumentErrors of errors.py; runs no content stream."""
    with open(path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
        head = file.read(MAX_HEADER_OFFSET_BYTES + 4)
    if not head:
        raise EmptyFile
    media_type = media_type_of(head)
    facts = _inspect_pdf(path, password) if media_type == PDF else _inspect_image(path, media_type)
    if facts.page_count == 0:
        raise EmptyDocument
    if facts.page_count > max_pages:
        raise TooManyPages(
            f"The document has {facts.page_count} pages; {max_pages} are allowed. "
            "Split it, or raise MAX_PAGES_PER_DOCUMENT."
        )
    return facts


def _inspect_image(path: str, media_type: str) -> DocumentFacts:
    return DocumentFacts(media_type=media_type, page_count=images.count_frames(path, media_type))


def _inspect_pdf(path: str, password: str | None) -> DocumentFacts:
    import pikepdf

    try:
        with pikepdf.open(path, password=password or "", suppress_warnings=True) as pdf:
            if password is None and pdf.is_encrypted and not pdf.user_password_matched:
                raise EncryptedDocument
            count = _page_count(pdf)
            repaired = bool(pdf.get_warnings())
            title = _title(pdf)
    except pikepdf.PasswordError as error:
        if password is not None:
            raise WrongPassword from error
        return _inspect_with_pdfium(path, None)  # which opens files whose attachments alone are encrypted
    except EncryptedDocument:
        raise
    except DamagedDocument:
        return _inspect_with_pdfium(path, password)
    except Exception as error:
        if "encryption" in str(error).lower() and "unsupported" in str(error).lower():
            raise UnsupportedEncryption from error
        return _inspect_with_pdfium(path, password)
    return DocumentFacts(PDF, count, title, ("document_repaired",) if repaired else ())


def _page_count(pdf: Any) -> int:
    """Leaves of the page tree: the declared /Count may lie, and the tree may loop."""
    return len(pdf.pages)


def _inspect_with_pdfium(path: str, password: str | None) -> DocumentFacts:
    """Second opinion on a file that qpdf gives up on."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        # A file object: the reader's path may be a descriptor of a file that has no name any more.
        with open(path, "rb") as source, pypdfium2.PdfDocument(source, password=password) as pdf:  # noqa: PTH123
            return DocumentFacts(PDF, len(pdf), "", ("document_repaired",))
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == raw.FPDF_ERR_PASSWORD:
            raise (EncryptedDocument if password is None else WrongPassword) from error
        if code == raw.FPDF_ERR_SECURITY:
            raise UnsupportedEncryption from error
        raise DamagedDocument from error


def _title(pdf: Any) -> str:
    try:
        return " ".join(clean(str(pdf.docinfo.get("/Title", ""))).split())[:MAX_TITLE_CHARACTERS]
    except Exception:  # a title is a courtesy; whatever is wrong with it, the pages matter more
        return ""
