"""Multipart bodies: one file, streamed to disk with its size checked while it is read, and a few fields."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
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
from apps.api.requests import idempotency
from apps.api.requests.bodies import check_encoding, content_type, source_of
from apps.api.requests.rate_limits import upload_slot
from apps.documents.errors import FileTooLarge

MAX_FIELD_BYTES = 64 * 1024
MAX_FIELDS = 50  # Django's own limit is higher, for the lists of the admin
MAX_FRAME_BYTES = 1024 * 1024  # of a body without its file: fields, boundaries, headers
CHUNK_BYTES = 64 * 1024
_TAIL_BYTES = 512

# Django allows 1 KB for the headers of a part. A long file name in percent-encoded Chinese exceeds that.
multipartparser.MAX_TOTAL_HEADER_SIZE = 8 * 1024  # type: ignore[attr-defined]


@dataclass
class Upload:
    """A form with one file. ``content`` is positioned at the first byte and is closed together with the form."""

    name: str
    content: BinaryIO
    size_bytes: int
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Form:
    """A form: the values of each field in the order they were sent, and its file, if it has one."""

    values: dict[str, list[str]]
    upload: Upload | None


@contextmanager
def read_upload(request: Request) -> Iterator[Upload]:
    """Yield the form of the request. When the block ends, even with an error, nothing of the form is left on disk.

    Raises FileMissing and the errors of ``read_form``.
    """
    with read_form(request) as form:
        if form.upload is None:
            raise FileMissing(
                "The form has no file part. Send the document as the part file, with a file name (curl: -F file=@NAME)."
            )
        yield form.upload


@contextmanager
def read_form(request: Request, *, max_fields: int = MAX_FIELDS) -> Iterator[Form]:
    """Yield the form of the request, with or without a file. When the block ends, nothing of it is left on disk.

    Ends the request if it was answered before (``idempotency.begin``). Raises UnsupportedMediaType,
    UnsupportedEncoding, FileTooLarge, FieldTooLarge, TooManyFields, TooManyFiles, IncompleteUpload, InvalidRequest,
    TooManyUploads.
    """
    check_encoding(request)
    if content_type(request) != "multipart/form-data":
        raise UnsupportedMediaType(
            "The body must be a form. Send multipart/form-data with the document in the part file."
        )
    with closing(_OneFile()) as handler:
        with upload_slot(request):
            values = _values(request, handler, max_fields)
        upload = None
        if handler.spool is not None:
            handler.spool.seek(0)
            last = {name: sent[-1] for name, sent in values.items()}
            upload = Upload(handler.shown_name, cast(BinaryIO, handler.spool), handler.size_bytes, last)
        name, content = (upload.name, upload.content) if upload else ("", None)
        idempotency.begin(request, lambda: idempotency.fingerprint_of_form(values, name, content))
        yield Form(values, upload)


def _values(request: Request, handler: _OneFile, max_fields: int) -> dict[str, list[str]]:
    """Read the form to its end and return its values; its file goes to ``handler``."""
    body = _Body(request)
    meta = {**request.META, "CONTENT_LENGTH": str(body.length)}
    try:
        fields, _ = _Parser(meta, cast(Any, body), [handler], "utf-8").parse()
    except TooManyFilesSent as error:
        raise TooManyFiles from error
    except TooManyFieldsSent as error:
        raise too_many_fields(max_fields) from error
    except RequestDataTooBig as error:
        raise FieldTooLarge from error
    except OSError as error:  # also Django's UnreadablePostError
        raise IncompleteUpload from error
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise InvalidRequest("The form is malformed. Check its boundary and its parts.") from error
    values = {name: [str(value) for value in sent] for name, sent in fields.lists()}
    check_fields(values, max_fields=max_fields)
    body.check_end()
    return values


def check_fields(values: Mapping[str, Sequence[str]], *, max_fields: int) -> None:
    """Raise TooManyFields, FieldTooLarge or InvalidRequest if the fields exceed the limits, or cannot be stored."""
    if sum(len(sent) for sent in values.values()) > max_fields:
        raise too_many_fields(max_fields)
    if any(len(value) > MAX_FIELD_BYTES for sent in values.values() for value in sent):
        raise FieldTooLarge
    if any("\x00" in value for sent in values.values() for value in sent):
        raise InvalidRequest("The form contains NUL. Remove it.")


def too_many_fields(max_fields: int) -> TooManyFields:
    return TooManyFields(f"The form has more than {max_fields} fields. Send only the options that you need.")


class _Parser(MultiPartParser):
    def sanitize_file_name(self, file_name: str) -> str:
        """Keep the name as sent. A strange name must not make the upload fail; the name is cleaned later."""
        return file_name or "document"


class _OneFile(FileUploadHandler):
    """Keep a small file in memory and a larger one in a temporary file."""

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
    """The bytes of the body: count them, keep the last ones, and reject an announced length that is too large."""

    def __init__(self, request: Request) -> None:
        self._max_bytes = settings.MAX_UPLOAD_BYTES + MAX_FRAME_BYTES
        self._source, self._announced = source_of(request, max_bytes=self._max_bytes)
        check_size(self._announced - MAX_FRAME_BYTES)
        self.length = self._max_bytes if self._announced < 0 else self._announced
        self._read = 0
        self._tail = b""

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        chunk: bytes = self._source.read(size)
        self._read += len(chunk)
        if self._read > self._max_bytes:
            raise _too_large()
        if chunk:
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:] if len(chunk) < _TAIL_BYTES else chunk[-_TAIL_BYTES:]
        return chunk

    def check_end(self) -> None:
        """Raise IncompleteUpload unless the announced bytes arrived and the form has its closing boundary.

        If the length was too small or the connection was lost, the bytes end in the middle of the form.
        """
        if self._read < self._announced or not self._tail.rstrip(b"\r\n \t").endswith(b"--"):
            raise IncompleteUpload


def check_size(size_bytes: int) -> None:
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise _too_large()


def _too_large() -> FileTooLarge:
    return FileTooLarge(f"The file is larger than {settings.MAX_UPLOAD_BYTES // (1024 * 1024)} MB. Split it.")
