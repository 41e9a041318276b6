"""``Idempotency-Key``: a request that is sent again creates nothing a second time.

A view that creates something has the decorator ``idempotent`` and creates within ``create_once``. The functions that
read bodies call ``begin``, which claims the key or ends the request with the response of the first one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import BinaryIO, Concatenate, ParamSpec, TypeVar

from django.db import DatabaseError
from django.http import HttpResponse
from rest_framework.request import Request

from apps.accounts import idempotency
from apps.accounts.errors import IdempotencyKeyInUse
from apps.accounts.idempotency import KeyClaim, StoredResponse
from apps.api.base import project_of
from apps.api.request_errors import InvalidIdempotencyKey
from apps.core.database_connections import durable_transaction

logger = logging.getLogger(__name__)

MAX_KEY_CHARS = 255
MAX_WAIT_SECONDS = 5.0
"""How long a request waits in its thread for another one with the same key."""
REPLAYED = "Idempotent-Replayed"
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
Arguments = ParamSpec("Arguments")
View = TypeVar("View")
Post = Callable[Concatenate[View, Request, Arguments], HttpResponse]


@dataclass
class _Attempt:
    """A request to a view that creates something. ``key`` "": none was sent so far. ``claim`` None: it holds no key."""

    key: str
    claim: KeyClaim | None = None


class _Repeated(Exception):
    """The request was answered before."""

    def __init__(self, first: StoredResponse) -> None:
        super().__init__()
        self.first = first


def idempotent(post: Post[View, Arguments]) -> Post[View, Arguments]:
    """Decorate a view's method so that requests with the same key and body create one object and get one response."""

    @wraps(post)
    def answer(view: View, request: Request, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponse:
        sent = request.META.get("HTTP_IDEMPOTENCY_KEY")
        attempt = _Attempt("" if sent is None else _checked(sent))
        request.idempotent_attempt = attempt  # type: ignore[attr-defined]
        try:
            return post(view, request, *args, **kwargs)
        except _Repeated as repeated:
            response = HttpResponse(repeated.first.body, "application/json", repeated.first.status)
            response[REPLAYED] = "true"
            return response
        finally:
            _release(attempt)

    return answer


def begin(request: Request, fingerprint_of_body: Callable[[], str], *, transaction_id: object = None) -> None:
    """Claim the key of this request, whose body has been read; do nothing for other views and without a key.

    ``transaction_id`` is LlamaParse's name for the key, in the body. A request that waited too long for another one
    raises IdempotencyKeyInUse; other errors are InvalidIdempotencyKey and those of ``claim_key``.
    """
    attempt = _attempt_of(request)
    if attempt is None:
        return
    if isinstance(transaction_id, str):
        attempt.key = attempt.key or _checked(transaction_id)
        if attempt.key != transaction_id:
            raise InvalidIdempotencyKey(
                "The request has an Idempotency-Key and another transaction_id. Send one of them."
            )
    if attempt.key:
        fingerprint = hashlib.sha256(f"{request.path_info} {fingerprint_of_body()}".encode()).hexdigest()
        attempt.claim = _claim(request, attempt.key, fingerprint)


def create_once(request: Request, create: Callable[[], HttpResponse]) -> HttpResponse:
    """Return ``create()``, and store it under the request's key in the transaction in which ``create`` writes."""
    attempt = _attempt_of(request)
    if attempt is None or attempt.claim is None:
        return create()
    with durable_transaction():
        response = create()
        stored = StoredResponse(response.status_code, response.content.decode())
        idempotency.store_response(claim=attempt.claim, response=stored)
    attempt.claim = None
    return response


def fingerprint_of_form(values: dict[str, list[str]], name: str, content: BinaryIO | None) -> str:
    """Return a SHA-256 of the form. Its bytes differ each time, because clients choose new boundaries."""
    of_file = hashlib.file_digest(content, "sha256").hexdigest() if content else ""  # type: ignore[arg-type]
    if content:
        content.seek(0)
    return fingerprint_of(json.dumps([values, name, of_file], sort_keys=True).encode())


def fingerprint_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _claim(request: Request, key: str, fingerprint: str) -> KeyClaim:
    """Return the claim. Wait while another request holds the key. Raise _Repeated once there is a response."""
    until, pause = time.monotonic() + MAX_WAIT_SECONDS, _SHORTEST_PAUSE
    while True:
        try:
            found = idempotency.claim_key(project=project_of(request), key=key, fingerprint=fingerprint)
        except IdempotencyKeyInUse:
            if time.monotonic() >= until:
                raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            continue
        if isinstance(found, StoredResponse):
            raise _Repeated(found)
        return found


def _attempt_of(request: Request) -> _Attempt | None:
    return getattr(request, "idempotent_attempt", None)


def _release(attempt: _Attempt) -> None:
    """Free the key of a request that created nothing. If that fails, its lease ends soon."""
    if attempt.claim is None:
        return
    try:
        idempotency.release_key(claim=attempt.claim)
    except DatabaseError as error:
        logger.warning("An idempotency key could not be released (%s); its lease ends soon", type(error).__name__)


def _checked(key: str) -> str:
    if not 0 < len(key) <= MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise InvalidIdempotencyKey
    return key
