"""A check for Schemathesis: what the OpenAPI description allows, the service accepts.

Schemathesis loads it by ``SCHEMATHESIS_HOOKS``. Its own check, ``positive_data_acceptance``, goes by the status alone.
"""

from __future__ import annotations

import re
from typing import Any

import schemathesis

ACCEPTED = frozenset({401, 402, 403, 404, 409, 414, 429, 431})
# The state of an object, the bytes of a document, the meaning of a JSON schema or another server decides, not the form
# of the request.
DECIDED_ELSEWHERE = frozenset(
    {
        *("conflict", "job_not_cancellable", "idempotency_key_reused", "mode_not_available"),
        *("file_empty", "unsupported_file_type", "url_not_allowed", "incomplete_upload"),
        *("invalid_schema", "schema_too_large"),
        "confirmation_required",  # which name to send depends on what the project holds
        "invalid_idempotency_key",  # the header and transaction_id, each valid, differ
        *("fetch_failed", "fetch_timeout", "fetch_forbidden", "fetch_tls_error"),
        *("document_corrupt", "document_empty", "document_encrypted", "image_too_large", "no_page_picture"),
    }
)
# Rules that a JSON schema cannot state: a token belongs to a list, an id to an object, a range does not go backwards, a
# time is one that databases store, an address is one of a network, an expression is one of RE2, a rule has a trigger,
# a secret is not saved, margins leave something of the page.
BEYOND_SCHEMAS = re.compile(
    r"page_token|.*providers|(config\.job\.)?configuration_id|.*target_pages|.*_regexp(_mode)?|.*regexp_in_page(_mode)?"
    r"|(parameters\.)?crop_box\.(bottom|right)|bbox_(bottom|right)|bounding_box"
    r"|allowed_addresses|\w+_on_or_(after|before)|.*auto_mode_configuration(_json)?(\.\d+)?|.*webhook_headers.*"
    r"|parameters\..*(password|webhook_signing_secret)"
)


@schemathesis.hook
def map_query(ctx: Any, query: Any) -> Any:
    """Wait a second at most: jobs for which the test has no worker do not end."""
    if query and "wait" in query:
        query["wait"] = "1" if str(query["wait"]).isdigit() else query["wait"]
    return query


@schemathesis.check
def accepts_what_is_described(ctx: Any, response: Any, case: Any) -> None:
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code < 400:
        return
    if response.status_code in ACCEPTED or response.status_code >= 500:  # 5xx: not_a_server_error
        return
    problem = response.json()
    if problem["code"] in DECIDED_ELSEWHERE:
        return
    fields = [error["field"] for error in problem["errors"]]
    beyond = [error for error in problem["errors"] if error["code"] in ("not_supported", "invalid_range")]
    if fields and all(BEYOND_SCHEMAS.fullmatch(field) for field in fields):
        return
    if fields and len(beyond) == len(fields):
        return
    raise AssertionError(f"The description allows the request, and the service refuses it: {problem}")
