"""Errors of uploads and documents.

DocumentError (apps/pages/model/errors.py)
  DocumentNotFound, FileTooLarge, DocumentInUse, DirectoryNotFound, NameTaken, S3FolderNotAllowed, DocumentMissing
StorageUnavailable (a ParseError)
  StorageFull
"""

from __future__ import annotations

from apps.pages.model.errors import DocumentError, ParseError


class DocumentNotFound(DocumentError):
    """No such file. It may have been deleted, or the id belongs to another project."""

    code = "not_found"


class FileTooLarge(DocumentError):
    """The file is larger than allowed. Split it, or raise MAX_UPLOAD_MB."""

    code = "file_too_large"


class DocumentInUse(DocumentError):
    """A job of this file is still running. Cancel the job or wait until it ends, then delete the file."""

    code = "conflict"


class DirectoryNotFound(DocumentError):
    """No such directory. It may have been deleted, or the id belongs to another project."""

    code = "not_found"


class NameTaken(DocumentError):
    """The directory already has a file of this unique_id. Send another one, or remove that file."""

    code = "conflict"


class S3FolderNotAllowed(DocumentError):
    """This S3 path is not in a folder that the service may use. Send another one, or ask the operator: S3_FOLDERS."""

    code = "url_not_allowed"


class DocumentMissing(DocumentError):
    """The bytes of the document are missing from storage. Upload the document again."""

    code = "document_missing"


class StorageUnavailable(ParseError):
    """The storage does not respond. Try again in a moment."""

    code = "storage_unavailable"
    retryable = True


class StorageFull(StorageUnavailable):
    """The storage is full. Ask the operator of the service to free space, then try again."""

    code = "storage_full"
