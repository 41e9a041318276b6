"""Every write to providers and their deployments that somebody orders who runs the service.

Workers read the rows again every few seconds (catalog.py); this process does at its next question.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial

from django.db import transaction

from apps.core import sealed_secrets
from apps.providers.calls.shared_gateway import shared_store
from apps.providers.catalog import catalog, deployment_quota_key, unsealed
from apps.providers.models import Deployment, Provider
from apps.providers.quota.store import QuotaStoreUnavailable
from apps.providers.trouble import NO_TROUBLE

logger = logging.getLogger(__name__)


def save_provider(*, provider: Provider, secrets: Mapping[str, str] | None = None, mended: bool = False) -> None:
    """Save the row, with these secrets in place of all that it has (None: those stay).

    ``mended``: what was wrong with it need not be wrong any more, so it is called again at once.
    """
    if secrets is not None:
        provider.secrets_sealed = sealed_secrets.seal(json.dumps(dict(secrets)))
    _save(provider, mended=mended)


def save_deployment(*, deployment: Deployment, mended: bool = False) -> None:
    _save(deployment, mended=mended)


def kept_secrets(provider: Provider) -> dict[str, str]:
    """The provider's secrets; none where SECRET_KEY changed since they were sealed, and they have to be typed again."""
    try:
        return unsealed(provider.secrets_sealed)
    except sealed_secrets.BrokenSeal:
        logger.warning("The secrets of %s cannot be read: SECRET_KEY changed. Type them again", provider)
        return {}


def pause(*, row: Provider | Deployment) -> bool:
    """Calls that are out come back; no further ones leave. False when it was paused before."""
    return _set_paused(row, paused=True)


def resume(*, row: Provider | Deployment) -> bool:
    """False when it was not paused."""
    return _set_paused(row, paused=False)


def clear_trouble(*, row: Provider | Deployment) -> None:
    """Somebody mended it: it is called again, and Retry-After and breakers are forgotten.

    Raises QuotaStoreUnavailable when only the latter could not be done.
    """
    type(row).objects.filter(pk=row.pk).update(**NO_TROUBLE)
    reread()
    ids = [row.pk] if isinstance(row, Deployment) else list(row.deployments.values_list("pk", flat=True))
    store = shared_store()
    for deployment_id in ids:
        store.reset(deployment_quota_key(deployment_id))


def reread() -> None:
    """Rows were changed: once they are committed, this process looks at them again."""
    transaction.on_commit(catalog.forget)


def _save(row: Provider | Deployment, *, mended: bool) -> None:
    if mended:
        for name, value in NO_TROUBLE.items():
            setattr(row, name, value)
    row.save()
    reread()
    if mended:
        transaction.on_commit(partial(call_again, row=row))


def call_again(*, row: Provider | Deployment) -> None:
    """``clear_trouble``, where it does no harm when the store hears of it late."""
    try:
        clear_trouble(row=row)
    except QuotaStoreUnavailable as error:
        logger.warning("%s is called again when the quota store lets it (%s)", row, error)


def _set_paused(row: Provider | Deployment, *, paused: bool) -> bool:
    changed = type(row).objects.filter(pk=row.pk, paused=not paused).update(paused=paused)
    reread()
    return changed == 1
