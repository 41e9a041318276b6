"""Limits on clients: requests a minute and uploads at once of an API key, and wrong keys a minute of an address.

The counts are in Redis or Valkey, so they hold for all web processes together. A minute begins with the first request
that it counts. A limit that is off costs nothing, a
low one an exchange with the store for each request. While the store does not
answer, requests are not limited: a limit protects the service, and must not be what stops it.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.accounts.client_address import network_of
from apps.accounts.models import ApiKey
from apps.api.request_errors import RateLimited, TooManyUploads, TooManyWrongKeys
from apps.api.requests.awaited_bodies import BodyNeeded, awaited_body
from apps.providers.quota.store import connect

if TYPE_CHECKING:
    import redis

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
UPLOAD_WAIT_SECONDS = 5
STORE_PAUSE_SECONDS = 5.0
_store_fails_until = 0.0
Counted = TypeVar("Counted")


@dataclass
class _CountedAhead:
    """Requests of a key that this process has counted in the store already: those after ``used``, up to ``until``."""

    used: int
    until: int
    ends_at: float


_counted_ahead: dict[str, _CountedAhead] = {}
_lock = threading.Lock()


class KeyRateLimit(BaseThrottle):
    """Count the request for its key and keep the headers that say what is left. Raise RateLimited over the limit."""

    def allow_request(self, request: Request, view: Any) -> bool:
        awaited = awaited_body(request)
        if awaited is not None and awaited.rate_limit_headers is not None:  # counted in the run without the body
            request.rate_limit_headers = awaited.rate_limit_headers  # type: ignore[attr-defined]
            return True
        key: ApiKey = cast(Any, request.user).api_key
        limit = settings.KEY_REQUESTS_PER_MINUTE if key.requests_per_minute is None else key.requests_per_minute
        counted = _count(f"leafmill:requests:{key.pk}", limit) if limit else None
        if counted is None:
            return True
        used, reset_seconds = counted
        left = max(0, limit - used)
        # The draft's present form, and the earlier one with a header for each number, which more programs read.
        headers = {
            "RateLimit-Policy": f'"requests";q={limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"requests";r={left};t={reset_seconds}',
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(reset_seconds),
        }
        request.rate_limit_headers = headers  # type: ignore[attr-defined]
        if awaited is not None:
            awaited.rate_limit_headers = headers
        if used > limit:
            detail = f"This key may send {limit} requests a minute. Wait {reset_seconds} seconds."
            raise RateLimited(detail, wait_seconds=reset_seconds)
        return True


@contextmanager
def upload_slot(request: Request) -> Iterator[None]:
    """Count an upload of the request's key until it has been received. Raise TooManyUploads over the limit."""
    awaited = awaited_body(request)
    if awaited is not None and awaited.has_arrived:
        yield
        return
    key: ApiKey = cast(Any, request.user).api_key
    limit = settings.KEY_UPLOADS_AT_ONCE if key.uploads_at_once is None else key.uploads_at_once
    if not limit:
        yield
        return
    name, upload = f"leafmill:uploads:{key.pk}", secrets.token_hex(8)

    def free() -> None:
        _exchange(lambda client: client.zrem(name, upload))

    if awaited is not None:
        awaited.slot = name
    under_way = _add_upload(name, upload)
    try:
        if under_way > limit:
            if awaited is not None:
                awaited.waits_for_slot = True
            detail = f"This key may send {limit} uploads at once. Send this one again when another has ended."
            raise TooManyUploads(detail, wait_seconds=UPLOAD_WAIT_SECONDS)
        yield
    except BodyNeeded:
        assert awaited is not None
        awaited.when_received.append(free)
        raise
    except BaseException:
        free()
        raise
    else:
        free()


def count_wrong_key(request: HttpRequest | Request) -> None:
    """Count a wrong key for the address that sent it. Raise TooManyWrongKeys over the limit."""
    limit = settings.WRONG_KEYS_PER_MINUTE
    counted = _count(f"leafmill:wrong-keys:{network_of(request.META)}", limit) if limit else None
    if counted is not None and counted[0] > limit:
        detail = f"This address has sent more than {limit} wrong keys in a minute. Check the key, then try again."
        raise TooManyWrongKeys(detail, wait_seconds=counted[1])


def _count(name: str, limit: int) -> tuple[int, int] | None:
    """Count one in the present minute. Return the count and the seconds left, or None if the store does not answer.

    For a high limit a process takes a thousandth of it at once, so that most requests cost no exchange with the store.
    """
    batch = max(1, limit // 1000)
    with _lock:
        ahead = _counted_ahead.get(name)
        if ahead is not None and ahead.used < ahead.until and time.monotonic() < ahead.ends_at:
            ahead.used += 1
            return ahead.used, math.ceil(ahead.ends_at - time.monotonic())

    def count(client: redis.Redis) -> tuple[int, int]:
        with client.pipeline() as exchange:
            exchange.set(name, 0, nx=True, ex=WINDOW_SECONDS)
            exchange.incrby(name, batch)
            exchange.pttl(name)
            _, used, left_milliseconds = exchange.execute()
        return used, left_milliseconds

    counted = _exchange(count)
    if counted is None:
        return None
    until, left_milliseconds = counted
    used, left_seconds = until - batch + 1, left_milliseconds / 1000
    if batch > 1:
        with _lock:
            _counted_ahead[name] = _CountedAhead(used, until, time.monotonic() + left_seconds)
    return used, max(1, math.ceil(left_seconds))


def _add_upload(name: str, upload: str) -> int:
    """Count the upload. Return how many are under way, 0 if the store does not answer.

    One that is older than UPLOAD_SECONDS does not count: its web process has died.
    """

    def add(client: redis.Redis) -> int:
        now = time.time()
        with client.pipeline() as exchange:
            exchange.zremrangebyscore(name, "-inf", now)
            exchange.zadd(name, {upload: now + settings.UPLOAD_SECONDS})
            exchange.zcard(name)
            exchange.expire(name, settings.UPLOAD_SECONDS)
            return int(exchange.execute()[2])

    return _exchange(add) or 0


def _exchange(ask: Callable[[redis.Redis], Counted]) -> Counted | None:
    """Return ``ask(client)``; None if the store does not answer. It is not asked again for a few seconds then."""
    from redis.exceptions import RedisError  # the library imports OpenTelemetry, where that is installed

    global _store_fails_until
    if time.monotonic() < _store_fails_until:
        return None
    try:
        return ask(_client(settings.REDIS_URL))
    except RedisError as error:
        _store_fails_until = time.monotonic() + STORE_PAUSE_SECONDS
        logger.warning("Requests are not limited: the store of their counts does not answer (%s)", error)
        return None


@cache
def _client(url: str) -> redis.Redis:
    return connect(url)
