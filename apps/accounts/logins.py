"""Logins to the admin: the response to those that failed too often (django-axes counts them), and sessions."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

ERROR_CODE = "too_many_logins"
MAX_SESSIONS_PER_PURGE = 1000


def refuse_login(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """Return 429 and when the next login is accepted. A login that is refused does not prolong the time."""
    username = get_client_username(request, credentials)
    attempts = AccessAttempt.objects.filter(username=username, ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
    last_at = attempts.order_by("-attempt_time").values_list("attempt_time", flat=True).first() or timezone.now()
    seconds = max(1, round((last_at + settings.AXES_COOLOFF_TIME - timezone.now()).total_seconds()))
    refused = render(request, "accounts/login_refused.html", {"minutes": -(-seconds // 60)}, status=429)
    refused["Retry-After"] = str(seconds)
    refused.error_code = ERROR_CODE  # type: ignore[attr-defined]
    return refused


def oidc_provider_name() -> str:
    """Return the host name of the provider of OpenID Connect, for the login page; "" if there is none."""
    return urlsplit(settings.OIDC_ISSUER).hostname or ""


def purge_sessions() -> int:
    """Delete a batch of expired sessions. Return their number."""
    expired = Session.objects.filter(expire_date__lt=Now()).order_by("expire_date")
    keys = list(expired.values_list("pk", flat=True)[:MAX_SESSIONS_PER_PURGE])
    return Session.objects.filter(pk__in=keys).delete()[0]
