"""Create an administrator and an API key at the first start; both are shown once."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey

ADMINISTRATOR = "admin"


def ensure_administrator() -> str | None:
    """Create the user ``admin`` if there is no administrator. Return the password, which is not stored."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser(username=ADMINISTRATOR, password=password)
    return password


def ensure_api_key() -> str | None:
    """Create the first API key if there is none. Return it; only its hash is stored."""
    if ApiKey.objects.exists():
        return None
    return accounts.create_api_key(name="first start")[1]
