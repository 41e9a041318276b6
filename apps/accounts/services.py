"""All writes to projects and keys, and the lookup of a key."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts.errors import ProjectBeingDeleted
from apps.accounts.models import ApiKey, Project

DEFAULT_PROJECT = "default"
KEY_PREFIX = "lm-"


def default_project() -> Project:
    return Project.objects.get_or_create(name=DEFAULT_PROJECT)[0]


@transaction.atomic
def create_api_key(
    *, name: str, project: str = DEFAULT_PROJECT, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Create a key for ``project``, and the project if it is new. Return the row and the key, which is not stored.

    Raise ProjectBeingDeleted if there is a project of this name that is being deleted.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    owner, _ = Project.objects.get_or_create(name=project)
    if owner.deletion_requested_at is not None:
        raise ProjectBeingDeleted
    row = ApiKey.objects.create(project=owner, name=name, beginning=key[:8], sha256=_digest(key), expires_at=expires_at)
    return row, key


def revoke_api_key(*, api_key: ApiKey) -> None:
    ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=Now())


def find_api_key(key: str) -> ApiKey | None:
    """Return the row of this key with its project; None if the key is unknown, expired or revoked."""
    return ApiKey.objects.valid().select_related("project").filter(sha256=_digest(key)).first()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
