"""manage.py rotate_sealing_keys"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts import audit
from apps.core.sealing import sealed_secrets
from apps.core.sealing.sealed_secrets import SealedBy


class Command(BaseCommand):
    help = (
        "Seal all stored secrets with the present keys: the first of LEAFMILL_SEALING_KEYS, and "
        "LEAFMILL_PROVIDER_PUBLIC_KEY for secrets of providers. Older keys are not needed afterwards."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        lost = closed = 0
        audit.record_command("rotate sealing keys", "")
        for column in sealed_secrets.sealed_columns():
            counts = sealed_secrets.reseal_column(column)
            lost += counts[SealedBy.UNKNOWN_KEY]
            closed += counts[SealedBy.KEY_OF_OTHERS]
            self.stdout.write(
                f"{column.label}: {counts[SealedBy.OLDER_KEY]:,} sealed again, {counts[SealedBy.FIRST_KEY]:,} already "
                f"sealed with the present key, {counts[SealedBy.UNKNOWN_KEY]:,} that no key opens"
            )
        if closed:
            raise CommandError(
                f"An older public key sealed {closed:,} secret(s). Run this in a process that has "
                "LEAFMILL_PROVIDER_PRIVATE_KEYS."
            )
        if lost:
            raise CommandError(
                f"{lost:,} secret(s) cannot be read. Add the key that sealed them to LEAFMILL_SEALING_KEYS or "
                "LEAFMILL_PROVIDER_PRIVATE_KEYS and run this again, or enter them again."
            )
