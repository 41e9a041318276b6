"""Every error code that an answer, a job or a page may carry: its HTTP status, its title, whether a retry can help.

Codes are public and never renamed. Source of the statuses: the v2 API of LlamaParse, whose clients retry 408, 409, 429
and 5xx blindly, so nothing that a retry cannot mend has one of those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorKind:
    """What is the same for every error of one code."""

    status: int
    title: str
    retryable: bool = False


CODES: dict[str, ErrorKind] = {
    # The request
    "invalid_request": ErrorKind(400, "The request cannot be read"),
    "invalid_json": ErrorKind(400, "The JSON cannot be read"),
    "file_missing": ErrorKind(400, "There is no document in the request"),
    "file_empty": ErrorKind(400, "The file is empty"),
    "too_many_files": ErrorKind(400, "There is more than one file in the request"),
    "too_many_fields": ErrorKind(400, "There are too many form fields"),
    "incomplete_upload": ErrorKind(400, "The upload is incomplete"),
    "unauthenticated": ErrorKind(401, "A valid API key or token is needed"),
    "not_found": ErrorKind(404, "There is no such thing"),
    "method_not_allowed": ErrorKind(405, "The address does not take this method"),
    "not_acceptable": ErrorKind(406, "The answer is not available in the format asked for"),
    "file_too_large": ErrorKind(413, "The file is too large"),
    "field_too_large": ErrorKind(413, "A field is too large"),
    "unsupported_media_type": ErrorKind(415, "The body has another content type than expected"),
    "unsupported_file_type": ErrorKind(415, "This kind of file is not supported"),
    "unsupported_encoding": ErrorKind(415, "The body is compressed"),
    "invalid_option": ErrorKind(422, "An option cannot be used"),
    "mode_not_available": ErrorKind(422, "The mode is not available"),
    "mode_not_allowed": ErrorKind(403, "The project does not allow the mode"),
    "quota_exceeded": ErrorKind(402, "The project's quota is used up"),
    "url_not_allowed": ErrorKind(422, "The address may not be fetched"),
    # The state of things
    "conflict": ErrorKind(400, "This is not possible now"),
    "job_not_cancellable": ErrorKind(400, "The job cannot be cancelled"),
    "job_not_finished": ErrorKind(409, "The job has not finished", retryable=True),
    # Us
    "internal_error": ErrorKind(500, "Something went wrong on our side", retryable=True),
    "database_unavailable": ErrorKind(503, "The database does not answer", retryable=True),
    "broker_unavailable": ErrorKind(503, "The broker does not answer", retryable=True),
    "intake_paused": ErrorKind(503, "No new jobs are taken for the moment", retryable=True),
    "storage_unavailable": ErrorKind(503, "Storage does not answer", retryable=True),
    "storage_full": ErrorKind(507, "Storage is full", retryable=True),
    # The document
    "document_corrupt": ErrorKind(422, "The document is damaged"),
    "document_empty": ErrorKind(422, "The document has no pages"),
    "document_encrypted": ErrorKind(422, "The document is encrypted"),
    "wrong_password": ErrorKind(422, "The password does not open the document"),
    "encryption_unsupported": ErrorKind(422, "This kind of encryption is not supported"),
    "too_many_pages": ErrorKind(422, "The document has too many pages"),
    "image_too_large": ErrorKind(422, "The picture is too large"),
    "unsupported_content": ErrorKind(422, "The document's content is not supported"),
    # A page
    "page_failed": ErrorKind(422, "The page could not be parsed"),
    "page_timeout": ErrorKind(422, "The page took too long"),
    "page_memory_exceeded": ErrorKind(422, "The page needed too much memory"),
    "page_crashed": ErrorKind(422, "The page crashed the reader"),
    "page_too_large": ErrorKind(422, "The page is too large"),
    "region_outside_page": ErrorKind(422, "The region lies outside the page"),
    "ocr_failed": ErrorKind(422, "The page's text could not be recognised"),
    "ocr_timeout": ErrorKind(422, "Recognising the page's text took too long"),
    "language_not_installed": ErrorKind(422, "A language to be recognised is not installed"),
    # A model
    "provider_rate_limited": ErrorKind(503, "Every provider's quota is used up", retryable=True),
    "provider_unavailable": ErrorKind(503, "No provider can be reached", retryable=True),
    "provider_overloaded": ErrorKind(503, "The provider is overloaded", retryable=True),
    "provider_timeout": ErrorKind(503, "The provider took too long", retryable=True),
    "provider_bad_response": ErrorKind(422, "The provider's answer cannot be used"),
    "output_truncated": ErrorKind(422, "The model's answer is cut off"),
    "output_incomplete": ErrorKind(422, "The model's answer leaves out what the page says"),
    "output_altered": ErrorKind(422, "The model's answer changes what the page says"),
    "provider_refused": ErrorKind(422, "The provider refused the page"),
    "provider_auth_failed": ErrorKind(422, "The provider refused our credentials"),
    "provider_model_not_found": ErrorKind(422, "The provider does not know the model"),
    "provider_quota_exhausted": ErrorKind(422, "The account at the provider has no money left"),
    "provider_context_exceeded": ErrorKind(422, "The page is too long for the model"),
    "provider_bad_request": ErrorKind(422, "The provider does not take the request"),
    "provider_not_allowed": ErrorKind(422, "A rule keeps the providers from being used"),
    "all_providers_failed": ErrorKind(422, "Every provider failed on the page"),
    "budget_exceeded": ErrorKind(422, "The money for the job is spent"),
    # The work
    "worker_lost": ErrorKind(503, "The worker was lost", retryable=True),
    "lease_expired": ErrorKind(503, "The worker fell silent", retryable=True),
    "job_deadline_exceeded": ErrorKind(422, "The job ran out of time"),
    "cancelled": ErrorKind(400, "The job was cancelled"),
}

_LLAMAPARSE = {
    "unsupported_file_type": "UNSUPPORTED_FILE_TYPE",
    "unsupported_content": "UNSUPPORTED_FILE_TYPE",
    "document_encrypted": "PDF_IS_PROTECTED",
    "wrong_password": "PDF_IS_PROTECTED",
    "encryption_unsupported": "PDF_IS_PROTECTED",
    "document_corrupt": "PDF_IS_BROKEN",
    "document_empty": "NO_DATA_FOUND_IN_FILE",
    "file_empty": "NO_DATA_FOUND_IN_FILE",
    "invalid_option": "NO_DATA_FOUND_IN_FILE",
    "file_too_large": "DOCUMENT_TOO_LARGE",
    "image_too_large": "DOCUMENT_TOO_LARGE",
    "too_many_pages": "TOO_MANY_PAGES",
    "page_timeout": "TIMEOUT",
    "job_deadline_exceeded": "TIMEOUT",
}


def error_kind(code: str) -> ErrorKind:
    """Return the row of a code; an unknown code becomes ``internal_error``."""
    return CODES.get(code, CODES["internal_error"])


def llamaparse_code(code: str) -> str:
    """The word that LlamaParse's ``error_message`` begins with; ours in capitals where it has none."""
    return _LLAMAPARSE.get(code, code.upper())
