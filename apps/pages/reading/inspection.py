"""Find the type and page count of a file before any page is read. Runs only inside the sandboxed child."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from apps.pages.model.conversions import conversion_of
from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES, DocumentFacts
from apps.pages.model.errors import (
    DamagedDocument,
    EmptyDocument,
    EmptyFile,
    EncryptedDocument,
    ParseError,
    TooManyPages,
    UnsupportedEncryption,
    WrongPassword,
)
from apps.pages.model.media_types import PDF, is_structured, printed_type_of
from apps.pages.model.office_options import AS_USUAL, OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import media_types, office_file
from apps.pages.office.invoices import invoice as invoices
from apps.pages.pdf.structure import attachments
from apps.pages.pdf.structure.attachments import AttachedStream
from apps.pages.pdf.structure.page_labels import read_page_labels
from apps.pages.reading import images
from apps.pages.reading.svg import svg_file, svg_page

MAX_TITLE_CHARACTERS = 300
MAX_INVOICE_BYTES = 20_000_000
FILES_NOT_READ = "embedded_files_not_read"


def may_be_read(head: bytes) -> bool:
    """Return whether a file that begins with these bytes may be a document that is read. Nothing is parsed."""
    return bool(printed_type_of(head)) or media_types.may_be_structured(head)


def inspect_document(
    path: str, *, password: str | None = None, max_pages: int, office: OfficeOptions = AS_USUAL
) -> DocumentFacts:
    """Return type, page count, title and attached files. Raise DocumentError. No content stream is interpreted.

    The page count of a document that must be converted first is 0.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
        head = file.read(MAX_HEADER_OFFSET_BYTES + 4)
    if not head:
        raise EmptyFile
    media_type = printed_type_of(head) or media_types.media_type_of(path, head, office, password)
    if conversion_of(media_type):
        return DocumentFacts(media_type=media_type, page_count=0)
    if media_type == PDF:
        facts = inspect_pdf(path, password)
    elif media_type == svg_file.MEDIA_TYPE:
        facts = svg_page.facts_of(path)
    elif is_structured(media_type):
        facts = office_file.opened(path, media_type, password, office).facts
    else:
        facts = DocumentFacts(media_type=media_type, page_count=images.count_frames(path, media_type))
    if facts.page_count == 0:
        raise EmptyDocument
    if facts.page_count > max_pages:
        raise TooManyPages(
            f"The document has {facts.page_count} pages; {max_pages} are allowed. "
            "Split it, or raise MAX_PAGES_PER_DOCUMENT."
        )
    return facts


def inspect_pdf(path: str, password: str | None) -> DocumentFacts:
    """Return the facts of a PDF as qpdf finds them, or PDFium if qpdf cannot open it. Raise DocumentError."""
    import pikepdf

    try:
        with pikepdf.open(path, password=password or "", suppress_warnings=True) as pdf:
            if password is None and pdf.is_encrypted and not pdf.user_password_matched:
                raise EncryptedDocument
            page_count = len(pdf.pages)  # the leaves of the page tree: the declared /Count may be wrong
            repaired = bool(pdf.get_warnings())
            try:
                title = " ".join(clean(str(pdf.docinfo.get("/Title", ""))).split())[:MAX_TITLE_CHARACTERS]
            except Exception:  # a broken title must not stop the inspection
                title = ""
            attached, page_labels = attachments.read_attachments(pdf), read_page_labels(pdf)
            invoice = _invoice_of(attached)
    except pikepdf.PasswordError as error:
        if password is not None:
            raise WrongPassword from error
        return _inspect_with_pdfium(path, None)  # PDFium opens files of which only attachments are encrypted
    except EncryptedDocument:
        raise
    except DamagedDocument:
        return _inspect_with_pdfium(path, password)
    except Exception as error:
        if "encryption" in str(error).lower() and "unsupported" in str(error).lower():
            raise UnsupportedEncryption from error
        # PDFium would count a tree that contains nothing but itself as an empty page.
        if "loop detected in /pages" in str(error).lower() and not _has_pages(path, password):
            raise DamagedDocument("The page tree of the PDF contains itself. Save it with another program.") from error
        return _inspect_with_pdfium(path, password)
    has_files = len(attached) > bool(invoice)
    codes = [code for code, is_true in (("document_repaired", repaired), (FILES_NOT_READ, has_files)) if is_true]
    names = tuple(each.facts for each in attached)
    return DocumentFacts(PDF, page_count, title, tuple(codes), names, page_labels, invoice=invoice)


def _invoice_of(attached: Sequence[AttachedStream]) -> dict[str, Any]:
    """Return the electronic invoice that is attached to a PDF (ZUGFeRD, Factur-X, XRechnung), {} if there is none."""
    for facts, stream in attached:
        if facts.name.lower().endswith(".xml") or facts.media_type.endswith("xml"):
            with suppress(ParseError):  # the pages can be read without it
                content = attachments.content_of(stream, MAX_INVOICE_BYTES)
                invoice = invoices.read(content) if content else None
                if invoice is not None:
                    return invoices.as_json(invoice)
    return {}


def _has_pages(path: str, password: str | None) -> bool:
    """Return whether a page tree that contains itself has a page. qpdf does not open such a file, pdfminer does."""
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfparser import PDFParser
    from pdfminer.pdftypes import PDFObjRef, resolve1

    with open(path, "rb") as source:  # noqa: PTH123
        waiting: list[object] = [PDFDocument(PDFParser(source), password or "").catalog.get("Pages")]
        seen: set[int] = set()
        while waiting:
            reference = waiting.pop()
            if isinstance(reference, PDFObjRef):
                if reference.objid in seen:
                    continue
                seen.add(reference.objid)
            node = resolve1(reference)
            if isinstance(node, dict):
                if "Kids" not in node:
                    return True
                waiting += resolve1(node["Kids"]) or []
    return False


def _inspect_with_pdfium(path: str, password: str | None) -> DocumentFacts:
    """Return the facts of a file that qpdf cannot open."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        # A file object, because the path may be a descriptor of a file without a name.
        with open(path, "rb") as source, pypdfium2.PdfDocument(source, password=password) as pdf:  # noqa: PTH123
            return DocumentFacts(PDF, len(pdf), "", ("document_repaired",))
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == raw.FPDF_ERR_PASSWORD:
            raise (EncryptedDocument if password is None else WrongPassword) from error
        if code == raw.FPDF_ERR_SECURITY:
            raise UnsupportedEncryption from error
        raise DamagedDocument from error
