"""The common part of the batch APIs: requests over HTTP, and the state of a batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from apps.providers.calls.authorization import authorization_headers
from apps.providers.calls.client import without_secrets
from apps.providers.calls.connection import Call, CallLimits, calling
from apps.providers.calls.failures import failure_of
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed
from apps.providers.models import Batch
from apps.providers.requests.access import headers_of

LIMITS = CallLimits(first_byte_seconds=120.0, idle_seconds=60.0, total_seconds=300.0, response_bytes=256 * 1024 * 1024)
"""The limits of one request: a file of results has as many bytes as its answers together."""


@dataclass(frozen=True)
class BatchProgress:
    """A batch's state. ``accepted``: the provider has checked the requests. ``has_failed``: it will answer none.

    ``may_retry``: the same batch can succeed later. ``results``: where the results are.
    """

    accepted: bool = False
    has_ended: bool = False
    has_failed: bool = False
    may_retry: bool = False
    detail: str = ""
    results: Sequence[str] = ()


@dataclass(frozen=True)
class Result:
    """The result of one request. ``status``: the HTTP status that the request alone would have got; None: none."""

    custom_id: str
    status: int | None
    body: bytes = field(repr=False, default=b"")
    detail: str = ""


MAX_LISTS = 100
"""Lists of a provider's newest batches that are read to find one again, with 100 batches each."""
CLOCKS_DIFFER = timedelta(minutes=10)


class NotReady(Exception):
    """The provider needs more time before it can answer: ask again later."""


class BatchApi(Protocol):
    """A provider's batch API. Its requests raise CallFailed, ``find`` and ``send`` also NotReady.

    What takes the processor is apart from what waits: that runs on the event loop of the process.
    """

    async def find(self, target: Target, batch: Batch, known: frozenset[str]) -> str:
        """Return the provider's id of a batch that may have been sent; "" if it was not. ``known``: ids of others."""

    def written(self, requests: Iterator[tuple[str, dict[str, Any]]]) -> bytes:
        """Return what is sent for these requests: their names and the bodies that they would have alone."""

    async def send(self, target: Target, batch: Batch, content: bytes) -> str:
        """Send what ``written`` returned, and return the batch's id. Note an uploaded file in ``batch``."""

    async def progress(self, target: Target, batch: Batch) -> BatchProgress:
        """Return the state of the batch."""

    async def results(self, target: Target, batch: Batch, progress: BatchProgress) -> list[bytes]:
        """Return the files of results of a batch that has ended."""

    def read(self, content: bytes) -> Iterator[Result]:
        """Yield the results in such a file."""

    async def cancel(self, target: Target, batch: Batch) -> None:
        """Ask for the end of the batch. Requests that are answered by then stay answered, and are billed."""

    async def delete(self, target: Target, batch: Batch, progress: BatchProgress) -> None:
        """Delete what the provider keeps of the batch."""


async def exchange(
    target: Target,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    body: object = None,
    content: bytes | None = None,
    upload: tuple[dict[str, str], str, bytes] | None = None,
) -> bytes:
    """Send one request and return the body of its response. Raise CallFailed.

    ``content``: a body that is JSON already. ``upload``: the form's fields, and the name and the bytes of its file.
    """
    from apps.providers.calls.transport import shared_http_client

    call = Call(LIMITS)
    call.extra_headers, call.proxy = headers_of(target.settings, target.secrets), target.settings.get("proxy")
    sent: dict[str, Any] = {"json": body} if body is not None else {}
    if content is not None:
        sent = {"content": content}
        headers = {**headers, "Content-Type": "application/json"}
    if upload is not None:
        form, name, file = upload
        sent = {"data": form, "files": {"file": (name, file, "application/jsonl")}}
    try:
        with calling(call):
            response = await shared_http_client().request(
                method, url, headers={**headers, **await authorization_headers(target)}, params=params, **sent
            )
        response.raise_for_status()
    except CallFailed:
        raise
    except Exception as error:
        raise without_secrets(failure_of(call, error), target) from None
    return response.content


async def exchange_json(target: Target, method: str, url: str, **arguments: Any) -> dict[str, Any]:
    """Send one request and return the JSON object of its response; {} if it is none. Raise CallFailed."""
    try:
        found = json.loads(await exchange(target, method, url, **arguments))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def json_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file. Lines that are none are skipped."""
    for line in content.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
