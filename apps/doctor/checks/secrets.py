"""Check which keys sealed the stored secrets."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from django.db import DatabaseError

from apps.core.sealing import sealed_secrets
from apps.core.sealing.sealed_secrets import SealedBy
from apps.doctor.checks.database import NO_DATABASE, refuse_missing_database
from apps.doctor.finding import Finding, failed, manage, not_checked, ok, warning

MAX_TEXTS_PER_COLUMN = 1000


def sealed() -> Finding:
    """Check that the first sealing key sealed the stored secrets, in the first rows of each column."""
    name = "stored secrets"
    older: Counter[str] = Counter()
    closed: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    try:
        refuse_missing_database()
        for column in sealed_secrets.sealed_columns():
            for _, text in islice(column.texts(), MAX_TEXTS_PER_COLUMN):
                by = sealed_secrets.key_of(text, for_model_workers=column.for_model_workers)
                older[column.label] += by is SealedBy.OLDER_KEY
                closed[column.label] += by is SealedBy.KEY_OF_OTHERS
                lost[column.label] += by is SealedBy.UNKNOWN_KEY
    except DatabaseError:
        return not_checked(name, NO_DATABASE)
    if +lost:
        sentence = f"No key opens {_listed(lost)}: a key has changed."
        fix = (
            "add the earlier key to LEAFMILL_SEALING_KEYS or LEAFMILL_PROVIDER_PRIVATE_KEYS, or enter the secrets again"
        )
        return failed(name, sentence, fix)
    if +closed:
        fix = manage("rotate_sealing_keys") + ", where LEAFMILL_PROVIDER_PRIVATE_KEYS is set"
        return warning(name, f"An older public key sealed {_listed(closed)}.", fix)
    if +older:
        return warning(name, f"An older key sealed {_listed(older)}.", manage("rotate_sealing_keys"))
    return ok(name, "The first sealing key opens all of them.")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} of {label}" for label, number in sorted((+counts).items()))
