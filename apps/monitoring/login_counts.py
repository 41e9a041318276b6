"""Count logins to the admin and write them into the audit log. Django and django-axes send a signal for each."""

from __future__ import annotations

import logging
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_login_failed
from prometheus_client import Counter

from apps.accounts import audit
from apps.accounts.models import AuditEntry
from apps.monitoring.request_counts import REGISTRY

logger = logging.getLogger(__name__)
_LOGINS = Counter(
    "leafmill_logins", "Logins to the admin by result: ok, failed, refused", ["result"], registry=REGISTRY
)
MAX_LOGGED_CHARS = 150


def start() -> None:
    user_logged_in.connect(_succeeded)
    user_login_failed.connect(_failed)
    user_locked_out.connect(_refused)


def _succeeded(sender: object, *, request: Any, user: Any, **_more: Any) -> None:
    _LOGINS.labels("ok").inc()
    _record("login ok", user.get_username(), request)


def _failed(sender: object, *, credentials: dict[str, Any], request: Any = None, **_more: Any) -> None:
    _LOGINS.labels("failed").inc()
    address = getattr(request, "axes_ip_address", None)
    username = str(credentials.get("username"))[:MAX_LOGGED_CHARS]
    logger.warning("Login of %r from %s failed", username, address)
    if not getattr(request, "axes_locked_out", False):
        _record("login failed", username, request)


def _refused(sender: object, *, request: Any, username: str | None, ip_address: str | None, **_more: Any) -> None:
    _LOGINS.labels("refused").inc()
    _record("login refused", str(username), request)
    logger.warning("Login of %r from %s refused: too many failed", str(username)[:MAX_LOGGED_CHARS], ip_address)


def _record(action: str, username: str, request: Any) -> None:
    audit.record(kind=AuditEntry.Kind.PERSON, actor=username, action=action, meta=request.META if request else None)
