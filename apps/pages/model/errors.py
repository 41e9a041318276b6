"""The errors of the product. Each has a stable public ``code``, and ``retryable`` if another attempt may succeed.

The docstring of a class is its default message: one sentence on the fault, one on what to do next.

ParseError
  DocumentError              the file; never tried again
    UnsupportedDocument, EncryptedDocument, WrongPassword, UnsupportedEncryption, DamagedDocument, EmptyDocument
    EmptyFile, TooManyPages, PageOutOfRange, ImageTooLarge, ArchiveTooLarge, TooManyElements
    DocumentTimeout, DocumentMemoryExceeded
    ConverterMissing, ConversionFailed, ConversionTimeout
    DocumentNotFound, FileTooLarge, DocumentInUse, DirectoryNotFound, NameTaken, S3FolderNotAllowed
    QuotaExceeded, SourceGone, NoText, DocumentMissing
    RefusedByServer
      NotInResult
    NoTables, NoPdf
    FetchFailed, FetchTimeout, FetchForbidden, FetchTlsError, FetchTooLarge
  PageError                  one page; the job continues
    PageTimeout, PageMemoryExceeded, PageCrashed, PageTooLarge, RegionOutsidePage, NoPictureOfPage, GarbledPage
    DeadlineExceeded, DocumentGone, NoOcrHere
    UnplannedError           a fault of ours; another attempt may succeed
      ReaderNotConfined, ConverterCrashed
    ProviderError            a model call
      QuotaExhausted
        BudgetReserved, AnswersLater
      ProvidersUnavailable, AllProvidersFailed, BudgetExceeded, ProviderNotAllowed, UnusableAnswer
  JobError                   a command that the state or the options of a job forbid
    JobNotFound, JobNotFinished, BatchNotFound, ConfigurationNotFound, ModeNotAllowed, IntakePaused,
    QueueFull, ResultMissing, TooSlowToEstimate
    IllegalMove
      NotCancellable
    InvalidOption
      ModeNotAvailable
  InvalidSchema, SchemaTooLarge, DocumentTooLong
  RequestError               an HTTP request that cannot be read
    UnknownHost, InvalidJson, FileMissing, TooManyFiles, TooManyFields, FieldTooLarge, IncompleteUpload
    UploadTimeout, UnsupportedMediaType, UnsupportedEncoding, RangeNotSatisfiable, InvalidIdempotencyKey,
    Unauthenticated, ScopeMissing, AddressNotAllowed, NotFound, ConfirmationRequired
    InvalidOptions, OriginNotAllowed
    InvalidRequest
      InvalidTarget
    LimitReached
      RateLimited, TooManyUploads, TooManyWrongKeys
  Unavailable                a part of the service does not answer
    Overloaded, DatabaseUnavailable, TooManyWaiting, WaitEnded
  ProjectBeingDeleted
  IdempotencyKeyError        a key that another request has
    IdempotencyKeyReused, IdempotencyKeyInUse
  UrlNotAllowed, WebhookNotFound, JobFailed
  BrokerUnavailable
  StorageUnavailable
    StorageFull
  InvalidRules
  ServerProblem
  Stopped                    the caller asked for it
"""

from __future__ import annotations


class ParseError(Exception):
    """Something went wrong while parsing. See the code."""

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
    """This kind of file is not read, or its content is no document. Save the document as PDF, and send that."""

    code = "unsupported_file_type"


class EncryptedDocument(DocumentError):
    """The document is encrypted. Send its password (input_options.pdf.password, or --password-file)."""

    code = "document_encrypted"


class WrongPassword(DocumentError):
    """The password does not open this document. Send the right one (input_options.pdf.password, or --password-file)."""

    code = "wrong_password"


class UnsupportedEncryption(DocumentError):
    """The document is encrypted in a way that needs a certificate. Save a copy without encryption and send that."""

    code = "encryption_unsupported"


class DamagedDocument(DocumentError):
    """The file is damaged and could not be repaired. Open it in the program that made it, and send a new copy."""

    code = "document_corrupt"


class EmptyDocument(DocumentError):
    """The document has no pages. Check that the right file was exported."""

    code = "document_empty"


class TooManyPages(DocumentError):
    """The document has more pages than allowed. Split it, or raise MAX_PAGES_PER_DOCUMENT."""

    code = "too_many_pages"


class PageOutOfRange(DocumentError):
    """target_pages contains pages that the document does not have. Send pages that exist."""

    code = "invalid_option"


class ImageTooLarge(DocumentError):
    """The picture has more pixels than allowed. Scale it down and send it again."""

    code = "image_too_large"


class ArchiveTooLarge(DocumentError):
    """The file is larger when unpacked than office documents are. Remove large parts of it, or split it."""

    code = "archive_too_large"


class TooManyElements(DocumentError):
    """The document has more elements or cells than are read. Split it, or remove what is not needed."""

    code = "too_many_elements"


class DocumentTimeout(DocumentError):
    """The document took longer to open than allowed and was stopped. Split it into smaller files."""

    code = "document_timeout"


class DocumentMemoryExceeded(DocumentError):
    """The document needs more memory to open than allowed. Raise READER_MEMORY_MB, or split it into smaller files."""

    code = "document_memory_exceeded"


class ConverterMissing(DocumentError):
    """This kind of file needs LibreOffice, which is not here. Save it in a current format, or install LibreOffice."""

    code = "converter_missing"


class ConversionFailed(DocumentError):
    """LibreOffice could not convert the document. Open it in the program that made it and save it as PDF."""

    code = "conversion_failed"


class ConversionTimeout(DocumentError):
    """The conversion took longer than allowed. Save the document in a current format and send that, or split it."""

    code = "conversion_timeout"


class PageError(ParseError):
    """This page could not be parsed. The other pages are not affected."""

    code = "page_failed"


class PageTimeout(PageError):
    """The page took longer than allowed and was stopped. Parse it again, or simplify the page."""

    code = "page_timeout"


class PageMemoryExceeded(PageError):
    """The page needed more memory than allowed and was stopped. Raise READER_MEMORY_MB, or simplify the page."""

    code = "page_memory_exceeded"


class PageCrashed(PageError):
    """The page crashed the reader process. The other pages are not affected."""

    code = "page_crashed"


class PageTooLarge(PageError):
    """The page is too large to be rendered. Scale it down and send the document again."""

    code = "page_too_large"


class NoTables(DocumentError):
    """The document has no tables, so there is no file of them. Ask for another format."""

    code = "not_found"


class NoPictureOfPage(PageError):
    """This document has no pictures of its pages. Parse an office document with images_to_save: screenshot for them."""

    code = "no_page_picture"


class RegionOutsidePage(PageError):
    """The region is outside the page. Send a region inside it."""

    code = "region_outside_page"


class GarbledPage(PageError):
    """The reader process returned an unusable result for this page."""

    code = "page_crashed"


class UnplannedError(PageError):
    """An unexpected error occurred on our side. Try again; if it happens again, report the id of the job or request."""

    code = "internal_error"
    retryable = True


class Stopped(ParseError):
    """The work was stopped because its result is no longer needed."""

    code = "cancelled"


class ReaderNotConfined(UnplannedError):
    """This machine cannot confine the processes that read documents, so it reads none. See docs/isolation.md."""

    code = "reader_not_confined"


class ConverterCrashed(UnplannedError):
    """LibreOffice crashed on this document several times. Save the document in a current format, and send that."""

    code = "conversion_failed"


# The only errors that a sandboxed child may report. A child that its document took over can report no others.
_REPORTABLE: dict[str, type[ParseError]] = {
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
        ArchiveTooLarge,
        TooManyElements,
        PageError,
        PageTooLarge,
        RegionOutsidePage,
        NoPictureOfPage,
    )
}
_MAX_DETAIL_CHARACTERS = 300


def page_error(code: str, detail: str) -> PageError:
    """Return an error of one page with the public code that another process reported."""
    error = PageError(_printable(detail))
    error.code = code
    return error


def error_from_code(code: str, detail: str) -> ParseError:
    """Return the error that a child reported, its detail made printable; ``UnplannedError`` for an unknown code."""
    error = _REPORTABLE.get(code)
    if error is None:
        return UnplannedError()
    return error(_printable(detail))


def _printable(detail: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in detail[:_MAX_DETAIL_CHARACTERS]).strip()
