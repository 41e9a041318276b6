"""Leader locks: work that only one process of the installation does at a time."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.jobs.models import LeaderLock


def acquire_leader_lock(name: str, *, duration: timedelta) -> bool:
    """Acquire the named lock for ``duration``. Return False if another process holds it."""
    until = Now() + duration
    if LeaderLock.objects.filter(name=name, expires_at__lt=Now()).update(expires_at=until):
        return True
    if LeaderLock.objects.filter(name=name).exists():
        return False
    try:
        with transaction.atomic():
            LeaderLock.objects.create(name=name, expires_at=until)
    except IntegrityError:
        return False
    return True


def renew_leader_lock(name: str, *, duration: timedelta) -> None:
    """Keep an acquired lock for ``duration`` from now."""
    LeaderLock.objects.filter(name=name).update(expires_at=Now() + duration)


def release_leader_lock(name: str) -> None:
    """Release an acquired lock before it expires."""
    LeaderLock.objects.filter(name=name).delete()
