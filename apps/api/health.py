"""Health checks: liveness and readiness."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api.base import PublicView, json_response
from apps.api.request_errors import DatabaseUnavailable

READY_SECONDS = 1.9
_asker = ThreadPoolExecutor(1, "readiness")
_asking: list[Future[None]] = []
_lock = threading.Lock()


def database_answers() -> bool:
    """Return whether the database answers within ``READY_SECONDS``.

    A thread of its own asks, because a frozen database would hold the caller for longer. Probes that come meanwhile
    wait for the same answer.
    """
    with _lock:
        if not _asking or _asking[0].done():
            _asking[:] = [_asker.submit(_ask_database)]
        asking = _asking[0]
    try:
        asking.result(READY_SECONDS)
    except (TimeoutError, DatabaseError):
        return False
    return True


def _ask_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


class Alive(PublicView):
    """Liveness: the process responds. Nothing else is checked."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return json_response({"status": "ok"})


class Ready(PublicView):
    """Readiness: the database responds, so a document would be accepted. If the broker is down, the work waits."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        if not database_answers():
            raise DatabaseUnavailable
        return json_response({"status": "ok", "database": "ok"})


class Health(PublicView):
    """Liveness and the version, for people and load balancers."""

    @extend_schema(operation_id="health", tags=["service"], responses={200: dict[str, str]})
    def get(self, request: Request) -> HttpResponse:
        return json_response({"status": "ok", "version": str(settings.SPECTACULAR_SETTINGS["VERSION"])})
