"""Health checks: liveness and readiness."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api.base import PublicView, json_response


class Alive(PublicView):
    """Liveness: the process responds. Nothing else is checked."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return json_response({"status": "ok"})


class Ready(PublicView):
    """Readiness: the database responds, so a document would be accepted. If the broker is down, the work waits."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return json_response({"status": "ok", "database": "ok"})


class Health(PublicView):
    """Liveness and the version, for people and load balancers."""

    @extend_schema(operation_id="health", tags=["service"], responses={200: dict[str, str]})
    def get(self, request: Request) -> HttpResponse:
        return json_response({"status": "ok", "version": str(settings.SPECTACULAR_SETTINGS["VERSION"])})
