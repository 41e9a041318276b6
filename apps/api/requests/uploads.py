"""Multipart bodies: one file, streamed to disk within a limit that is counted while reading, and a few fields."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import FileUploadHandler
from django.http import multipartparser
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.request import Request

from apps.api.request_errors import (
    FieldTooLarge,
    FileMissing,
    IncompleteUpload,
    InvalidRequest,
    TooManyFields,
    TooManyFiles,
    UnsupportedMediaType,
)
from apps.api.requests.bodies import check_encoding, content_type, source_of
from apps.documents.errors import FileTooLarge

MAX_FIELD_BYTES = 64 * 1024
MAX_FIELDS = 50  # Django's own limit is wider, for the lists of the admin
MAX_FRAME_BYTES = 1024 * 1024  # what a body may have beyond its file: fields, boundaries, headers
CHUNK_BYTES = 64 * 1024
_TAIL_BYTES = 512

# Django allows 1 KB for the headers of a part, which a long name in percent-encoded Chinese exceeds.
multipartparser.MAX_TOTAL_HEADER_SIZE = 8 * 1024  # type: ignore[attr-defined]


@dataclass
class Upload:
    """A form with one file. ``content`` stands at the beginning of the bytes and goes when the form is closed."""

    name: str
    content: BinaryIO
    size_bytes: int
    fields: dict[str, str] = field(default_factory=dict)


@contextmanager
def read_upload(request: Request) -> Iterator[Upload]:
    """The request's form; nothing of it is left on disk when the block ends, however it ends.

    Raises UnsupportedMediaType, UnsupportedEncoding, FileTooLarge, FieldTooLarge, TooManyFields, TooManyFiles,
    FileMissing, IncompleteUpload, InvalidRequest.
    """
    check_encoding(request)
    if content_type(request) != "multipart/form-data":
        raise UnsupportedMediaType("The body must be multipart/form-data with the document in the part file.")
    body = _Body(request)
    handler = _OneFile()
    try:
        fields = _parse(request, body, handler)
        body.check_end()
        if handler.spool is None:
            raise FileMissing("The form has no file part. Send the document as the part file, with a file name.")
        handler.spool.seek(0)
        yield Upload(handler.shown_name, cast(BinaryIO, handler.spool), handler.size_bytes, fields)
    finally:
        handler.close()


def _too_many_fields() -> TooManyFields:
    return TooManyFields(f"The form has more than {MAX_FIELDS} fields. Put options into 'configuration'.")


def _parse(request: Request, body: _Body, handler: _OneFile) -> dict[str, str]:
    meta = {**request.META, "CONTENT_LENGTH": str(body.length)}
    try:
        fields, _ = _Parser(meta, cast(Any, body), [handler], "utf-8").parse()
    except TooManyFilesSent as error:
        raise TooManyFiles from error
    except TooManyFieldsSent as error:
        raise _too_many_fields() from error
    except RequestDataTooBig as error:
        raise FieldTooLarge from error
    except OSError as error:  # also Django's UnreadablePostError
        raise IncompleteUpload from error
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise InvalidRequest("The form cannot be read. Check its boundary and its parts.") from error
    if sum(len(values) for _, values in fields.lists()) > MAX_FIELDS:
        raise _too_many_fields()
    if any(len(value) > MAX_FIELD_BYTES for value in fields.values()):
        raise FieldTooLarge
    return {name: str(value) for name, value in fields.items()}


class _Parser(MultiPartParser):
    def sanitize_file_name(self, file_name: str) -> str:
        """Keep the name as it was sent, so that a strange one is no reason to lose the file; it is cleaned later."""
        return file_name or "document"


class _OneFile(FileUploadHandler):
    """Keeps the file in memory while it is small, then in a temporary file."""

    def __init__(self) -> None:
        super().__init__()
        self.chunk_size = CHUNK_BYTES
        self.spool: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.shown_name = ""
        self.size_bytes = 0

    def new_file(self, field_name: str, file_name: str, *_: Any, **__: Any) -> None:
        self.shown_name = file_name
        self.spool = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size_bytes += len(raw_data)
        check_size(self.size_bytes)
        assert self.spool is not None
        self.spool.write(raw_data)

    def file_complete(self, file_size: int) -> None:
        return None

    def close(self) -> None:
        if self.spool is not None:
            self.spool.close()


class _Body:
    """The request's bytes, counted, with the end of them kept. An announced length that is too large is refused."""

    def __init__(self, request: Request) -> None:
        self._source, self._announced = source_of(request)
        check_size(self._announced - MAX_FRAME_BYTES)
        self._most = settings.MAX_UPLOAD_BYTES + MAX_FRAME_BYTES
        self.length = self._most if self._announced < 0 else self._announced
        self._read = 0
        self._tail = b""

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        chunk: bytes = self._source.read(size)
        self._read += len(chunk)
        if self._read > self._most:
            raise _too_large()
        if chunk:
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:] if len(chunk) < _TAIL_BYTES else chunk[-_TAIL_BYTES:]
        return chunk

    def check_end(self) -> None:
        """Raise IncompleteUpload unless all that was announced came and the form was closed.

        A length that was too small and a lost connection both end in the middle of the form.
        """
        if self._read < self._announced or not self._tail.rstrip(b"\r\n \t").endswith(b"--"):
            raise IncompleteUpload


def check_size(size_bytes: int) -> None:
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise _too_large()


def _too_large() -> FileTooLarge:
    return FileTooLarge(f"The file is larger than {settings.MAX_UPLOAD_BYTES // (1024 * 1024)} MB. Split it.")
