"""The audit log: what people, keys and commands did. Rows are only added, and removed when they are old;
the database refuses everything else (migration 0012).

An entry holds names, ids and addresses, never a secret, a field's value or text of a document. It is also logged.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts.client_address import address_of
from apps.accounts.models import AuditEntry, AuditRetention
from apps.core import logs

logger = logging.getLogger(__name__)

MAX_NAMED = 20
MAX_ROWS_PER_PURGE = 1000
RECORDED_ELSEWHERE = ("login", "logout", "second_factor")


def record(
    *, kind: AuditEntry.Kind, actor: str, action: str, target: str = "", meta: Mapping[str, Any] | None = None
) -> None:
    """Add an entry. ``meta`` is the META of the request that did it, if a request did it."""
    address = address_of(meta) if meta is not None else None
    entry = AuditEntry(
        kind=kind,
        actor=actor[:200],
        action=action[:200],
        target=target[:500],
        address=str(address) if address else None,
        request_id=logs.current("request_id") if meta is not None else "",
    )
    entry.save(force_insert=True)
    logger.info("Audit: %s %r: %s %s, from %s", entry.kind, entry.actor, entry.action, entry.target, entry.address)


def record_command(action: str, target: str) -> None:
    """Add an entry for a command on this machine, under the name of the user who runs it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "unknown"
    record(kind=AuditEntry.Kind.COMMAND, actor=user, action=action, target=target)


class AuditMiddleware:
    """Record what people change in the admin: each POST that succeeds, which the admin answers with a redirect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        match, user = request.resolver_match, getattr(request, "user", None)
        is_change = request.method == "POST" and response.status_code == 302 and request.path_info.startswith("/admin/")
        if is_change and match and user and user.is_authenticated and match.url_name not in RECORDED_ELSEWHERE:
            chosen = request.POST.getlist("_selected_action")
            named = [*map(str, match.kwargs.values()), *chosen[:MAX_NAMED]]
            more = f" and {len(chosen) - MAX_NAMED} more" if len(chosen) > MAX_NAMED else ""
            what = f"{match.url_name} {request.POST.get('action', '')}".strip()
            record(
                kind=AuditEntry.Kind.PERSON,
                actor=user.get_username(),
                action=what,
                target=", ".join(named) + more,
                meta=request.META,
            )
        return response


def purge() -> int:
    """Delete a batch of entries that are older than AUDIT_LOG_DAYS. Return their number."""
    if settings.AUDIT_LOG_DAYS <= 0:
        return 0
    before = Now() - timedelta(days=settings.AUDIT_LOG_DAYS)
    old = AuditEntry.objects.filter(at__lt=before).order_by("pk")
    keys = list(old.values_list("pk", flat=True)[:MAX_ROWS_PER_PURGE])
    if not keys:
        return 0
    with transaction.atomic():
        retention = AuditRetention.objects.create(before=before)
        deleted = AuditEntry.objects.filter(pk__in=keys).delete()[0]
        retention.delete()
    return deleted
