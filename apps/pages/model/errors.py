"""What can be wrong with a file or a page.

ParseError               code (stable, public), retryable, detail (a sentence that says what to do next)
  DocumentError          the file; never tried again
    UnsupportedDocument, EncryptedDocument, WrongPassword, UnsupportedEncryption, DamagedDocument, EmptyDocument,
    EmptyFile, TooManyPages, PageOutOfRange, ImageTooLarge
  PageError              one page; the job goes on
    PageTimeout, PageMemoryExceeded, PageCrashed, PageTooLarge, RegionOutsidePage, GarbledPage, UnplannedError
  Stopped                the caller asked for it to stop
  JobError               an order that the job's state forbids (apps/jobs/errors.py)
"""

from __future__ import annotations


class ParseError(Exception):
    """Something went wrong while parsing; see the code."""

    code = "internal_error"
    retryable = False

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)


class DocumentError(ParseError):
    """The document cannot be parsed."""

    code = "document_corrupt"


class EmptyFile(DocumentError):
    """The file has no bytes. Check that the upload was complete and send it again."""

    code = "file_empty"


class UnsupportedDocument(DocumentError):
    """This kind of file is not supported. Send a PDF, or convert the document to PDF first."""

    code = "unsupported_file_type"


class EncryptedDocument(DocumentError):
    """The document is encrypted. Send its password (input_options.pdf.password, or --password-file)."""

    code = "document_encrypted"


class WrongPassword(DocumentError):
    """The password does not open this document. Check it and send the document again."""

    code = "wrong_password"


class UnsupportedEncryption(DocumentError):
    """The document is encrypted in a way that needs a certificate. Save a copy without encryption and send that."""

    code = "encryption_unsupported"


class DamagedDocument(DocumentError):
    """The file is damaged and could not be repaired. Open it in a PDF viewer, save it again and send the copy."""

    code = "document_corrupt"


class EmptyDocument(DocumentError):
    """The document has no pages. Check that the right file was exported."""

    code = "document_empty"


class TooManyPages(DocumentError):
    """The document has more pages than allowed. Split it, or raise MAX_PAGES_PER_DOCUMENT."""

    code = "too_many_pages"


class PageOutOfRange(DocumentError):
    """target_pages names pages that the document does not have. Ask for pages that exist."""

    code = "invalid_option"


class ImageTooLarge(DocumentError):
    """The picture has more pixels than allowed. Scale it down and send it again."""

    code = "image_too_large"


class PageError(ParseError):
    """This page could not be parsed; the other pages are not affected."""

    code = "page_failed"


class PageTimeout(PageError):
    """The page took longer than allowed and was stopped."""

    code = "page_timeout"


class PageMemoryExceeded(PageError):
    """The page needed more memory than allowed and was stopped."""

    code = "page_memory_exceeded"


class PageCrashed(PageError):
    """The page crashed the reader and was given up."""

    code = "page_crashed"


class PageTooLarge(PageError):
    """The page is larger than can be rendered."""

    code = "page_too_large"


class RegionOutsidePage(PageError):
    """The region lies outside the page. Ask for one that lies on it."""

    code = "region_outside_page"


class GarbledPage(PageError):
    """The reader's answer for this page was not usable."""

    code = "page_crashed"


class UnplannedError(PageError):
    """Something unexpected went wrong on our side. Try again; if it stays, report the request id."""

    code = "internal_error"
    retryable = True


class Stopped(ParseError):
    """The work was stopped because nobody wants its result any more."""

    code = "cancelled"


# What a child may say about the whole document. A child that was taken over by its document can say no more than this.
_SAYABLE: dict[str, type[ParseError]] = {
    error.code: error
    for error in (
        EmptyFile,
        UnsupportedDocument,
        EncryptedDocument,
        WrongPassword,
        UnsupportedEncryption,
        DamagedDocument,
        EmptyDocument,
        TooManyPages,
        PageOutOfRange,
        ImageTooLarge,
        PageError,
        PageTooLarge,
        RegionOutsidePage,
    )
}
_MAX_DETAIL_CHARACTERS = 300


def page_error(code: str, detail: str) -> PageError:
    """An error of one page by its public code, as another process of ours said it."""
    error = PageError(_printable(detail))
    error.code = code
    return error


def error_from_code(code: str, detail: str) -> ParseError:
    """The error that a child named, with its sentence made harmless; ``UnplannedError`` for any other code."""
    error = _SAYABLE.get(code)
    if error is None:
        return UnplannedError()
    return error(_printable(detail))


def _printable(detail: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in detail[:_MAX_DETAIL_CHARACTERS]).strip()
