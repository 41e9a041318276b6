"""What can be wrong with a request, beyond what the services find.

ParseError (apps/pages/model/errors.py)
  RequestError                 the request itself
    InvalidRequest, UnknownHost, InvalidJson, FileMissing, TooManyFiles, TooManyFields, FieldTooLarge, IncompleteUpload,
    UnsupportedMediaType, UnsupportedEncoding, Unauthenticated, NotFound
    InvalidOptions        holds every option at fault
  Unavailable             a part that we need
    DatabaseUnavailable, StorageUnreachable, StorageFull
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.pages.model.errors import ParseError


class RequestError(ParseError):
    """The request cannot be read. Compare it with the API's description at /api/docs."""

    code = "invalid_request"


class InvalidRequest(RequestError):
    __doc__ = RequestError.__doc__


class UnknownHost(RequestError):
    """This service does not answer to the name in the request's address. Who runs it adds the name to ALLOWED_HOSTS."""


class InvalidJson(RequestError):
    """The body is not JSON in UTF-8. Send an object such as {"tier": "fast", "version": "latest"}."""

    code = "invalid_json"


class FileMissing(RequestError):
    """Either file_id, source_url or an uploaded file must be provided. Name one of them."""

    code = "file_missing"


class TooManyFiles(RequestError):
    """The request has more than one file. Send one request for each."""

    code = "too_many_files"


class TooManyFields(RequestError):
    """The request has too many form fields. Send the options as JSON in the field configuration."""

    code = "too_many_fields"


class FieldTooLarge(RequestError):
    """A field of the request is too large. Send documents as a file part, and shorten what is longer than 64 KB."""

    code = "field_too_large"


class IncompleteUpload(RequestError):
    """The upload ended before it was complete. Send it again."""

    code = "incomplete_upload"


class UnsupportedMediaType(RequestError):
    """The body has another content type than this address takes. See /api/docs."""

    code = "unsupported_media_type"


class UnsupportedEncoding(RequestError):
    """Compressed bodies are not taken. Send the request again without Content-Encoding."""

    code = "unsupported_encoding"


class Unauthenticated(RequestError):
    """The API key is missing or not valid. Send the header Authorization: Bearer KEY."""

    code = "unauthenticated"


class NotFound(RequestError):
    """There is nothing at this address. See /api/docs for those that exist."""

    code = "not_found"


@dataclass(frozen=True)
class OptionProblem:
    """One option at fault: ``location`` as the client wrote it (``body``, ``page_ranges``, ``max_pages``)."""

    type: str
    location: tuple[str | int, ...]
    message: str
    value: object = None


class InvalidOptions(RequestError):
    """Options have values that cannot be used."""

    code = "invalid_option"

    def __init__(self, problems: Sequence[OptionProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class Unavailable(ParseError):
    """A part of the service does not answer. Try again in a moment."""

    code = "internal_error"
    retryable = True


class DatabaseUnavailable(Unavailable):
    """The database does not answer. Try again in a moment."""

    code = "database_unavailable"


class StorageUnreachable(Unavailable):
    """Storage does not answer. Try again in a moment."""

    code = "storage_unavailable"


class StorageFull(Unavailable):
    """There is no room left in storage. Tell whoever runs this service, then try again."""

    code = "storage_full"
