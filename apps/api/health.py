"""Whether the service lives, and whether it can take work."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.api.base import PublicView, json_response


class Alive(PublicView):
    """The process answers; nothing else is asked."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return json_response({"status": "ok"})


class Ready(PublicView):
    """The database answers: a document that is sent now would be accepted. The broker may be down; work waits then."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return json_response({"status": "ok", "database": "ok"})


class Health(PublicView):
    """For people and load balancers alike: alive, and which version."""

    @extend_schema(operation_id="health", tags=["service"], responses={200: dict[str, str]})
    def get(self, request: Request) -> HttpResponse:
        return json_response({"status": "ok", "version": str(settings.SPECTACULAR_SETTINGS["VERSION"])})
