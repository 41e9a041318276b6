"""Encrypt stored secrets. The first of the sealing keys seals; all of them open, so that they can be replaced.

Without LEAFMILL_SEALING_KEYS the key is derived from SECRET_KEY, which goes on opening what it sealed.

Secrets of providers can be sealed with LEAFMILL_PROVIDER_PUBLIC_KEY instead. Then only processes that have
LEAFMILL_PROVIDER_PRIVATE_KEYS, the workers of models, open them.
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

from apps.core.sealing import key_pairs

if TYPE_CHECKING:
    from cryptography.fernet import Fernet
    from django.db.models import QuerySet

SUFFIX = "_sealed"
"""The columns with sealed texts have names with this ending."""
ROWS_PER_BATCH = 500


class BrokenSeal(Exception):
    """No sealing key opens the text: LEAFMILL_SEALING_KEYS or SECRET_KEY has changed since it was sealed."""


class SealedForModelWorkers(BrokenSeal):
    """The text can be opened only by workers of models: this process has no private key."""


class SealedBy(Enum):
    """The key that opens a sealed text: the one that seals now, an older one, one that only others have, or none."""

    FIRST_KEY = "first"
    OLDER_KEY = "older"
    KEY_OF_OTHERS = "others"
    UNKNOWN_KEY = "unknown"


def seal(text: str, *, for_model_workers: bool = False) -> str:
    """Seal a text. ``for_model_workers``: with the public key, if there is one."""
    public = public_key() if for_model_workers else ""
    return key_pairs.seal(text, public=public) if public else _keys()[0].encrypt(text.encode()).decode("ascii")


def public_key() -> str:
    """Return the public key that seals secrets of providers, or "" if they are sealed like others."""
    private = settings.PROVIDER_PRIVATE_KEYS
    return settings.PROVIDER_PUBLIC_KEY or (key_pairs.public_key_of(private[0]) if private else "")


def unseal(sealed: str) -> str:
    """Open a text. Raise BrokenSeal, and SealedForModelWorkers if another process can open it."""
    from cryptography.fernet import InvalidToken, MultiFernet

    if key_pairs.is_sealed(sealed):
        if not settings.PROVIDER_PRIVATE_KEYS:
            raise SealedForModelWorkers
        try:
            return key_pairs.unseal(sealed, private=settings.PROVIDER_PRIVATE_KEYS)
        except key_pairs.NoPrivateKey as error:
            raise BrokenSeal from error
    try:
        return MultiFernet(_keys()).decrypt(sealed.encode("ascii")).decode()
    except InvalidToken as error:
        raise BrokenSeal from error


def key_of(sealed: str, *, for_model_workers: bool = False) -> SealedBy:
    """Return which key opens the text. Without a private key, it is FIRST_KEY for a text of the present public key."""
    from cryptography.fernet import InvalidToken

    public = public_key() if for_model_workers else ""
    if key_pairs.is_sealed(sealed):
        return _pair_of(sealed, public)
    if public:
        return SealedBy.OLDER_KEY if key_of(sealed) is not SealedBy.UNKNOWN_KEY else SealedBy.UNKNOWN_KEY
    for key, by in zip(_keys(), (SealedBy.FIRST_KEY, *[SealedBy.OLDER_KEY] * len(_keys())), strict=False):
        try:
            key.decrypt(sealed.encode("ascii"))
        except InvalidToken:
            continue
        return by
    return SealedBy.UNKNOWN_KEY


def _pair_of(sealed: str, public: str) -> SealedBy:
    is_present = bool(public) and key_pairs.id_of(sealed) == key_pairs.key_id(public)
    if settings.PROVIDER_PRIVATE_KEYS:
        try:
            key_pairs.unseal(sealed, private=settings.PROVIDER_PRIVATE_KEYS)
        except key_pairs.NoPrivateKey:
            return SealedBy.UNKNOWN_KEY
        return SealedBy.FIRST_KEY if is_present else SealedBy.OLDER_KEY
    return SealedBy.FIRST_KEY if is_present else SealedBy.KEY_OF_OTHERS


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
    for_model_workers: bool = False

    def texts(self) -> Iterator[tuple[Any, str]]:
        """Yield the key of each row and its sealed text."""
        yield from self.rows.order_by("pk").values_list("pk", self.name).iterator(chunk_size=ROWS_PER_BATCH)


def sealed_columns() -> Iterator[SealedColumn]:
    """Yield the columns with sealed texts of all models.

    The attribute ``sealed_for_model_workers`` of a model names those that only workers of models have to open.
    """
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.name.endswith(SUFFIX):
                rows = model._base_manager.exclude(**{field.name: ""})  # noqa: SLF001 (Django documents it)
                is_theirs = field.name in getattr(model, "sealed_for_model_workers", ())
                yield SealedColumn(f"{model._meta.label}.{field.name}", field.name, rows, is_theirs)


def reseal_column(column: SealedColumn) -> dict[SealedBy, int]:
    """Seal the texts of older keys with the first key. Return how many texts each key had sealed.

    A row that changes meanwhile keeps the change, which the first key has sealed.
    """
    counts = dict.fromkeys(SealedBy, 0)
    for row, sealed in column.texts():
        by = key_of(sealed, for_model_workers=column.for_model_workers)
        counts[by] += 1
        if by is SealedBy.OLDER_KEY:
            anew = seal(unseal(sealed), for_model_workers=column.for_model_workers)
            column.rows.filter(pk=row, **{column.name: sealed}).update(**{column.name: anew})
    return counts
