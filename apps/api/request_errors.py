"""The errors of HTTP requests that the services behind the API do not raise themselves.

ParseError (apps/pages/model/errors.py)
  RequestError                 the request itself
    InvalidRequest, UnknownHost, InvalidJson, FileMissing, TooManyFiles, TooManyFields, FieldTooLarge, IncompleteUpload,
    UploadTimeout, UnsupportedMediaType, UnsupportedEncoding, RangeNotSatisfiable, InvalidIdempotencyKey,
    Unauthenticated, NotFound, ConfirmationRequired
    InvalidOptions        holds every invalid option
    LimitReached          RateLimited, TooManyUploads, TooManyWrongKeys
  Unavailable             a part of the service does not respond
    Overloaded, DatabaseUnavailable
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.pages.model.errors import ParseError

MAX_USER_TEXT_CHARS = 120
_SECRET = re.compile("password|secret|token|key|proxy|header|authorization", re.IGNORECASE)
# The client sent a text where an object is expected, and that object may hold a secret.
_TYPES_OF_GROUPS = frozenset({"model_type", "dict_type", "list_type"})


class RequestError(ParseError):
    """The request is not valid. Compare it with the API description at /api/docs."""

    code = "invalid_request"


class InvalidRequest(RequestError):
    __doc__ = RequestError.__doc__


class UnknownHost(RequestError):
    """The service does not accept this host name. Ask the operator to add the name to ALLOWED_HOSTS."""


class ConfirmationRequired(RequestError):
    """The request deletes what cannot be brought back. Send it again with the confirmation that this response names."""

    code = "confirmation_required"


class InvalidJson(RequestError):
    """The body is not valid JSON in UTF-8. Send an object such as {"tier": "fast", "version": "latest"}."""

    code = "invalid_json"


class FileMissing(RequestError):
    """The request contains no document. Send exactly one of: file_id, source_url, an uploaded file."""

    code = "file_missing"


class TooManyFiles(RequestError):
    """The request contains more than one file. Send one request per file."""

    code = "too_many_files"


class TooManyFields(RequestError):
    """The request has too many form fields. Send the options as JSON in the field configuration."""

    code = "too_many_fields"


class FieldTooLarge(RequestError):
    """A form field is larger than 64 KB. Shorten it; send a document as a file part, with a file name."""

    code = "field_too_large"


class IncompleteUpload(RequestError):
    """The upload ended before it was complete. Send it again."""

    code = "incomplete_upload"


class UploadTimeout(RequestError):
    """The body of the request arrived too slowly. Send it again, over a faster connection."""

    code = "upload_timeout"
    retryable = True


class UnsupportedMediaType(RequestError):
    """This address does not accept the content type of the body. See /api/docs for the expected one."""

    code = "unsupported_media_type"


class UnsupportedEncoding(RequestError):
    """Compressed bodies are not supported. Send the request again without Content-Encoding."""

    code = "unsupported_encoding"


class RangeNotSatisfiable(RequestError):
    """The file does not have the part that the header Range asks for. Send another range, or none."""

    code = "range_not_satisfiable"


class InvalidIdempotencyKey(RequestError):
    """The Idempotency-Key is not valid. Send 1 to 255 printable ASCII characters, such as a new UUID."""

    code = "invalid_idempotency_key"


class Unauthenticated(RequestError):
    """The API key is missing or not valid. Send Authorization: Bearer KEY (manage.py create_api_key NAME)."""

    code = "unauthenticated"


class ScopeMissing(RequestError):
    """The API key may not do this. Use a key with the scope that is named, or ask the operator for one."""

    code = "scope_missing"


class AddressNotAllowed(RequestError):
    """The API key may not be used from this address. Ask the operator to add the address to the key."""

    code = "ip_not_allowed"


class LimitReached(RequestError):
    """The client has reached a limit of the service. Wait, then send the request again."""

    code = "rate_limited"

    def __init__(self, detail: str | None = None, *, wait_seconds: int) -> None:
        super().__init__(detail)
        self.wait_seconds = wait_seconds


class RateLimited(LimitReached):
    """The key has sent too many requests. Wait, then send the request again."""

    retryable = True


class TooManyUploads(LimitReached):
    """The key sends too many uploads at once. Send this one again when another has ended."""

    code = "too_many_uploads"
    retryable = True


class TooManyWrongKeys(LimitReached):
    """The address has sent too many wrong keys. Check the key, then try again."""

    code = "too_many_wrong_keys"


class NotFound(RequestError):
    """There is nothing at this address. See /api/docs for the addresses of the API."""

    code = "not_found"


WRONG_PROJECT = "The API key does not belong to this project. Omit project_id to use the project of the key."


@dataclass(frozen=True)
class OptionProblem:
    """An invalid option. ``location`` is its path as the client wrote it: ``("body", "page_ranges", "max_pages")``."""

    type: str
    location: tuple[str | int, ...]
    message: str
    value: object = None

    @property
    def field(self) -> str:
        """The path without ``body`` or ``query``, with dots."""
        return ".".join(str(part) for part in self.location[1:] or self.location)

    @property
    def safe_value(self) -> object:
        """The value if a response may repeat it: short, and neither a secret nor something that may contain one."""
        if self.type in _TYPES_OF_GROUPS or any(_SECRET.search(str(part)) for part in self.location):
            return None
        if isinstance(self.value, str):
            return printable(self.value)
        return self.value if isinstance(self.value, bool | int | float) else None


def printable(text: str) -> str:
    """Return user text for a response: at most 120 characters, with spaces in place of control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_USER_TEXT_CHARS])


class InvalidOptions(RequestError):
    """One or more options have invalid values. Correct them and send the request again."""

    code = "invalid_option"

    def __init__(self, problems: Sequence[OptionProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class Unavailable(ParseError):
    """A part of the service does not respond. Try again in a moment."""

    code = "internal_error"
    retryable = True


class Overloaded(Unavailable):
    """The service has too many requests under way. Try again in a moment."""

    code = "overloaded"


class DatabaseUnavailable(Unavailable):
    """The database does not respond. Try again in a moment."""

    code = "database_unavailable"
