"""Work that only one process does at a time: whoever takes the turn does it."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.jobs.models import Turn


def take_turn(name: str, *, lasts: timedelta) -> bool:
    """Whether it is ours from now on, for so long."""
    until = Now() + lasts
    if Turn.objects.filter(name=name, expires_at__lt=Now()).update(expires_at=until):
        return True
    if Turn.objects.filter(name=name).exists():
        return False
    try:
        with transaction.atomic():
            Turn.objects.create(name=name, expires_at=until)
    except IntegrityError:
        return False
    return True
