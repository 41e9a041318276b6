"""All writes to projects and keys, and the lookup of a key."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.errors import ProjectBeingDeleted
from apps.accounts.models import ALL_SCOPES, ApiKey, Project

DEFAULT_PROJECT = "default"
KEY_PREFIX = "lm-"
USE_NOTED_EVERY = timedelta(minutes=1)


def default_project() -> Project:
    return Project.objects.get_or_create(name=DEFAULT_PROJECT)[0]


@transaction.atomic
def create_api_key(
    *,
    name: str,
    project: str = DEFAULT_PROJECT,
    expires_at: datetime | None = None,
    scopes: str = ALL_SCOPES,
    allowed_addresses: str = "",
) -> tuple[ApiKey, str]:
    """Create a key for ``project``, and the project if it is new. Return the row and the key, which is not stored.

    Raise ProjectBeingDeleted if there is a project of this name that is being deleted.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    owner, _ = Project.objects.get_or_create(name=project)
    if owner.deletion_requested_at is not None:
        raise ProjectBeingDeleted
    row = ApiKey(
        project=owner,
        name=name,
        beginning=key[:8],
        sha256=_digest(key),
        expires_at=expires_at,
        scopes=scopes,
        allowed_addresses=allowed_addresses,
    )
    row.clean_fields()
    row.save(force_insert=True)
    return row, key


@transaction.atomic
def rotate_api_key(*, api_key: ApiKey, old_until: datetime) -> tuple[ApiKey, str]:
    """Create a key like ``api_key``, which is accepted until ``old_until``. Return the new row and key."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.get(pk=api_key.pk)
    row.pk, row.beginning, row.sha256, row.last_used_at = None, key[:8], _digest(key), None
    row.save(force_insert=True)
    still_longer = Q(expires_at=None) | Q(expires_at__gt=old_until)
    ApiKey.objects.filter(still_longer, pk=api_key.pk).update(expires_at=old_until)
    return row, key


def revoke_api_key(*, api_key: ApiKey) -> None:
    ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=Now())


def find_api_key(key: str) -> ApiKey | None:
    """Return the row of this key with its project; None if the key is unknown, expired or revoked.

    The row notes the use, at most once a minute.
    """
    row = ApiKey.objects.valid().select_related("project").filter(sha256=_digest(key)).first()
    if row is not None and (row.last_used_at is None or timezone.now() - row.last_used_at > USE_NOTED_EVERY):
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=Now())
    return row


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
