"""Encrypt stored secrets. The first of the sealing keys seals; all of them open, so that they can be replaced.

Without LEAFMILL_SEALING_KEYS the key is derived from SECRET_KEY, which goes on opening what it sealed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet
    from django.db.models import QuerySet

SUFFIX = "_sealed"
"""The columns with sealed texts have names with this ending."""
ROWS_PER_BATCH = 500


class BrokenSeal(Exception):
    """No sealing key opens the text: LEAFMILL_SEALING_KEYS or SECRET_KEY has changed since it was sealed."""


class SealedBy(Enum):
    """The key that opens a sealed text: the one that seals now, an older one, or none."""

    FIRST_KEY = "first"
    OLDER_KEY = "older"
    UNKNOWN_KEY = "unknown"


def seal(text: str) -> str:
    return _keys()[0].encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    from cryptography.fernet import InvalidToken, MultiFernet

    try:
        return MultiFernet(_keys()).decrypt(sealed.encode("ascii")).decode()
    except InvalidToken as error:
        raise BrokenSeal from error


def key_of(sealed: str) -> SealedBy:
    """Find out which key opens the text."""
    from cryptography.fernet import InvalidToken

    for key, by in zip(_keys(), (SealedBy.FIRST_KEY, *[SealedBy.OLDER_KEY] * len(_keys())), strict=False):
        try:
            key.decrypt(sealed.encode("ascii"))
        except InvalidToken:
            continue
        return by
    return SealedBy.UNKNOWN_KEY


def _keys() -> list[Fernet]:
    from cryptography.fernet import Fernet

    texts = [*settings.SEALING_KEYS, settings.SECRET_KEY]
    digests = [hashlib.sha256(b"leafmill sealing\0" + text.encode()).digest() for text in texts]
    return [Fernet(base64.urlsafe_b64encode(digest)) for digest in digests]


@dataclass(frozen=True)
class SealedColumn:
    """A column with sealed texts. ``rows``: those that have one."""

    label: str
    name: str
    rows: QuerySet[Any]

    def texts(self) -> Iterator[tuple[Any, str]]:
        """Yield the key of each row and its sealed text."""
        yield from self.rows.order_by("pk").values_list("pk", self.name).iterator(chunk_size=ROWS_PER_BATCH)


def sealed_columns() -> Iterator[SealedColumn]:
    """Yield the columns with sealed texts of all models."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.name.endswith(SUFFIX):
                rows = model._base_manager.exclude(**{field.name: ""})  # noqa: SLF001 (Django documents it)
                yield SealedColumn(f"{model._meta.label}.{field.name}", field.name, rows)


def reseal_column(column: SealedColumn) -> dict[SealedBy, int]:
    """Seal the texts of older keys with the first key. Return how many texts each key had sealed.

    A row that changes meanwhile keeps the change, which the first key has sealed.
    """
    counts = dict.fromkeys(SealedBy, 0)
    for row, sealed in column.texts():
        by = key_of(sealed)
        counts[by] += 1
        if by is SealedBy.OLDER_KEY:
            column.rows.filter(pk=row, **{column.name: sealed}).update(**{column.name: seal(unseal(sealed))})
    return counts
