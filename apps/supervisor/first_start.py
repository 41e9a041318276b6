"""What the first start makes and tells once: an administrator and an API key."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey

ADMINISTRATOR = "admin"


def ensure_administrator() -> str | None:
    """Make the user ``admin`` when there is no administrator; returns the password, which is kept nowhere."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(username=ADMINISTRATOR, password=password)
    return password


def ensure_api_key() -> str | None:
    """Make the first API key when there is none at all; returns it, only its hash is kept."""
    if ApiKey.objects.exists():
        return None
    return accounts.create_api_key(name="first start")[1]
