"""The error codes of responses, jobs and pages: HTTP status, title, and whether a retry can help.

Codes are public and never renamed. The statuses follow the v2 API of LlamaParse. Its clients always retry 408, 409, 429
and 5xx, so an error that a retry cannot fix has another status.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorKind:
    """The properties that all errors of one code share."""

    status: int
    title: str
    retryable: bool = False


CODES: dict[str, ErrorKind] = {
    # The request
    "invalid_request": ErrorKind(400, "The request is not valid"),
    "invalid_json": ErrorKind(400, "The body is not valid JSON"),
    "file_missing": ErrorKind(400, "The request contains no document"),
    "file_empty": ErrorKind(400, "The file is empty"),
    "too_many_files": ErrorKind(400, "The request contains more than one file"),
    "too_many_fields": ErrorKind(400, "The request has too many form fields"),
    "incomplete_upload": ErrorKind(400, "The upload is incomplete"),
    "invalid_idempotency_key": ErrorKind(400, "The idempotency key is not valid"),
    "confirmation_required": ErrorKind(400, "The request needs a confirmation"),
    "unauthenticated": ErrorKind(401, "A valid API key or token is required"),
    "scope_missing": ErrorKind(403, "The API key lacks a scope"),
    "ip_not_allowed": ErrorKind(403, "The API key may not be used from this address"),
    "origin_not_allowed": ErrorKind(403, "Pages of other websites may not use this address"),
    "not_found": ErrorKind(404, "The requested object does not exist"),
    "method_not_allowed": ErrorKind(405, "The address does not support this HTTP method"),
    "not_acceptable": ErrorKind(406, "The response is not available in the requested format"),
    "upload_timeout": ErrorKind(408, "The body of the request arrived too slowly", retryable=True),
    "file_too_large": ErrorKind(413, "The file is too large"),
    "field_too_large": ErrorKind(413, "A field is too large"),
    "unsupported_media_type": ErrorKind(415, "The content type of the body is not supported"),
    "unsupported_file_type": ErrorKind(415, "The file type is not supported"),
    "unsupported_encoding": ErrorKind(415, "Compressed request bodies are not supported"),
    "range_not_satisfiable": ErrorKind(416, "The file does not have this part"),
    "invalid_option": ErrorKind(422, "An option has an invalid value"),
    "mode_not_available": ErrorKind(422, "The mode is not available"),
    "mode_not_allowed": ErrorKind(403, "The project does not allow the mode"),
    "quota_exceeded": ErrorKind(402, "The project's quota is used up"),
    "idempotency_key_reused": ErrorKind(422, "The idempotency key belongs to another request"),
    "idempotency_key_in_use": ErrorKind(409, "A request with this idempotency key is being processed", retryable=True),
    "invalid_schema": ErrorKind(422, "The JSON schema cannot be used"),
    "schema_too_large": ErrorKind(422, "The JSON schema is too large"),
    "rate_limited": ErrorKind(429, "The key has sent too many requests", retryable=True),
    "queue_full": ErrorKind(429, "Too many pages wait to be parsed", retryable=True),
    "too_many_uploads": ErrorKind(429, "The key sends too many uploads at once", retryable=True),
    "too_many_wrong_keys": ErrorKind(429, "The address has sent too many wrong keys"),
    "url_not_allowed": ErrorKind(422, "The address must not be fetched"),
    "fetch_failed": ErrorKind(422, "The document could not be fetched"),
    "fetch_timeout": ErrorKind(422, "The server of the document was too slow"),
    "fetch_forbidden": ErrorKind(422, "The server of the document refused the request"),
    "fetch_tls_error": ErrorKind(422, "The certificate of the document's server is not valid"),
    # The state of a job or a file
    "conflict": ErrorKind(400, "The current state does not allow this"),
    "job_not_cancellable": ErrorKind(400, "The job cannot be cancelled"),
    "job_not_finished": ErrorKind(409, "The job has not finished", retryable=True),
    "document_missing": ErrorKind(410, "The bytes of the document are missing from storage"),
    "result_missing": ErrorKind(410, "The files of the result are missing from storage"),
    # The service
    "internal_error": ErrorKind(500, "An unexpected error occurred in the service", retryable=True),
    "overloaded": ErrorKind(503, "The service has too many requests under way", retryable=True),
    "database_unavailable": ErrorKind(503, "The database does not respond", retryable=True),
    "broker_unavailable": ErrorKind(503, "The message broker does not respond", retryable=True),
    "intake_paused": ErrorKind(503, "The service accepts no new jobs at the moment", retryable=True),
    "too_many_waiting": ErrorKind(503, "Too many requests are waiting for their results", retryable=True),
    "wait_ended": ErrorKind(504, "The document takes longer than a request may wait", retryable=True),
    "storage_unavailable": ErrorKind(503, "The storage does not respond", retryable=True),
    "storage_full": ErrorKind(507, "The storage is full", retryable=True),
    # The document
    "document_corrupt": ErrorKind(422, "The document is damaged"),
    "document_empty": ErrorKind(422, "The document has no pages"),
    "document_without_text": ErrorKind(422, "The document has no text"),
    "document_encrypted": ErrorKind(422, "The document is encrypted"),
    "wrong_password": ErrorKind(422, "The password is wrong"),
    "encryption_unsupported": ErrorKind(422, "The encryption of the document is not supported"),
    "too_many_pages": ErrorKind(422, "The document has too many pages"),
    "image_too_large": ErrorKind(422, "The image is too large"),
    "archive_too_large": ErrorKind(422, "The file unpacks to too much"),
    "too_many_elements": ErrorKind(422, "The document has too many elements"),
    "document_timeout": ErrorKind(422, "The document took too long to open"),
    "document_memory_exceeded": ErrorKind(422, "The document needed too much memory to open"),
    "converter_missing": ErrorKind(422, "The file type needs a converter, which is not installed"),
    "conversion_failed": ErrorKind(422, "The document could not be converted"),
    "conversion_timeout": ErrorKind(422, "The conversion of the document took too long"),
    "document_too_long": ErrorKind(422, "The text is too long for one request to a model"),
    # A page
    "page_failed": ErrorKind(422, "The page could not be parsed"),
    "page_timeout": ErrorKind(422, "The page took too long"),
    "page_memory_exceeded": ErrorKind(422, "The page needed too much memory"),
    "page_crashed": ErrorKind(422, "The reader process crashed on the page"),
    "reader_not_confined": ErrorKind(
        503, "The machine cannot confine the processes that read documents", retryable=True
    ),
    "page_too_large": ErrorKind(422, "The page is too large"),
    "no_page_picture": ErrorKind(422, "The page has no picture"),
    "region_outside_page": ErrorKind(422, "The region is outside the page"),
    "ocr_failed": ErrorKind(422, "OCR failed on the page"),
    "ocr_timeout": ErrorKind(422, "OCR took too long on the page"),
    "language_not_installed": ErrorKind(422, "An OCR language is not installed"),
    # A model call
    "provider_rate_limited": ErrorKind(503, "The quota of every provider is used up", retryable=True),
    "provider_unavailable": ErrorKind(503, "No provider can be reached", retryable=True),
    "provider_overloaded": ErrorKind(503, "The provider is overloaded", retryable=True),
    "provider_timeout": ErrorKind(503, "The provider took too long", retryable=True),
    "provider_bad_response": ErrorKind(422, "The provider's response cannot be used"),
    "output_truncated": ErrorKind(422, "The model's response is cut off"),
    "output_incomplete": ErrorKind(422, "The model's response omits text of the page"),
    "output_altered": ErrorKind(422, "The model's response changes text of the page"),
    "output_invalid": ErrorKind(422, "The model's response does not fit the JSON schema"),
    "provider_refused": ErrorKind(422, "The provider refused the page"),
    "provider_auth_failed": ErrorKind(422, "The provider rejected the credentials of the service"),
    "provider_model_not_found": ErrorKind(422, "The provider does not know the model"),
    "provider_quota_exhausted": ErrorKind(422, "The account at the provider has no credit left"),
    "provider_context_exceeded": ErrorKind(422, "The page is too long for the model's context"),
    "provider_bad_request": ErrorKind(422, "The provider rejected the request as invalid"),
    "provider_parameter_refused": ErrorKind(422, "The provider does not take a parameter of the request"),
    "provider_misconfigured": ErrorKind(422, "The provider's settings do not fit it"),
    "provider_not_allowed": ErrorKind(422, "The rules exclude every provider"),
    "all_providers_failed": ErrorKind(422, "Every provider failed on the page"),
    "failure_condition_met": ErrorKind(422, "A failure condition of the request was met"),
    "budget_exceeded": ErrorKind(422, "The budget of the job is used up"),
    # The execution of a job
    "worker_lost": ErrorKind(503, "The worker process stopped", retryable=True),
    "job_deadline_exceeded": ErrorKind(422, "The job exceeded its time limit"),
    "cancelled": ErrorKind(400, "The job was cancelled"),
}

_LLAMAPARSE = {
    "unsupported_file_type": "UNSUPPORTED_FILE_TYPE",
    "document_encrypted": "PDF_IS_PROTECTED",
    "wrong_password": "PDF_IS_PROTECTED",
    "encryption_unsupported": "PDF_IS_PROTECTED",
    "document_corrupt": "PDF_IS_BROKEN",
    "document_empty": "NO_DATA_FOUND_IN_FILE",
    "file_empty": "NO_DATA_FOUND_IN_FILE",
    "invalid_option": "NO_DATA_FOUND_IN_FILE",
    "file_too_large": "DOCUMENT_TOO_LARGE",
    "image_too_large": "DOCUMENT_TOO_LARGE",
    "archive_too_large": "DOCUMENT_TOO_LARGE",
    "too_many_elements": "DOCUMENT_TOO_LARGE",
    "document_memory_exceeded": "DOCUMENT_TOO_LARGE",
    "too_many_pages": "TOO_MANY_PAGES",
    "document_timeout": "TIMEOUT",
    "page_timeout": "TIMEOUT",
    "conversion_timeout": "TIMEOUT",
    "job_deadline_exceeded": "TIMEOUT",
}


def error_kind(code: str) -> ErrorKind:
    """Return the properties of a code; those of ``internal_error`` for an unknown one."""
    return CODES.get(code, CODES["internal_error"])


def llamaparse_code(code: str) -> str:
    """Return the code at the start of ``error_message``: LlamaParse's, or ours in capitals if it has none."""
    return _LLAMAPARSE.get(code, code.upper())
