"""Bodies that the web process has not received yet, so that no thread waits for a slow client.

The web process (``apps/api/serving``) first runs a request with a large body without that body. Whatever refuses the
request before its body matters (a wrong key, a wrong address, a length over the limit) does so at once. The first read
ends that run with BodyNeeded; the body is then received outside the threads, and the request is run again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

META_NAME = "leafmill.awaited_body"


class BodyNeeded(BaseException):
    """The request reads its body, which is not there yet. No ``except Exception`` may turn this into a response."""


@dataclass
class AwaitedBody:
    """The agreement between the web process and the code that reads a body; the same object in both runs.

    ``max_bytes``: the reader takes no more. ``has_arrived``: the run has the body. ``when_received``: frees what the
    upload holds while it is under way. ``slot``: the name under which the uploads of its key are counted.
    ``waits_for_slot``: too many of them are under way.
    """

    max_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    has_arrived: bool = False
    when_received: list[Callable[[], object]] = field(default_factory=list)
    slot: str = ""
    waits_for_slot: bool = False
    rate_limit_headers: dict[str, str] | None = None


class MissingInput:
    """The ``wsgi.input`` of a run without the body."""

    def read(self, _size: int = -1) -> NoReturn:
        raise BodyNeeded

    readline = readlines = __iter__ = read


def awaited_body(request: HttpRequest | Request) -> AwaitedBody | None:
    """Return the agreement about the body of this request, None under another server."""
    found: Any = request.META.get(META_NAME)
    return found if isinstance(found, AwaitedBody) else None
