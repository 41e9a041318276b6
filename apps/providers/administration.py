"""Commands of the operator on providers and their deployments: save, pause, resume, clear a fault.

Workers read the rows again every few seconds (catalog.py); this process does before its next call.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction

from apps.core.sealing import sealed_secrets
from apps.providers.calls.process_gateway import configured_quota_store
from apps.providers.catalog import catalog, deployment_quota_key, unsealed
from apps.providers.deployment_faults import NO_FAULT
from apps.providers.learnt import NOTHING_LEARNT
from apps.providers.model_facts import price_table
from apps.providers.models import Deployment, Provider
from apps.providers.quota.store import QuotaStoreUnavailable

logger = logging.getLogger(__name__)


def save_provider(*, provider: Provider, secrets: Mapping[str, str] | None = None, may_fix_fault: bool = False) -> None:
    """Save the row, and replace all its secrets by these (None: keep them).

    ``may_fix_fault``: the change can have fixed its fault or one of its deployments, so all are called again at once.
    """
    if secrets is not None:
        provider.secrets_sealed = sealed_secrets.seal(json.dumps(dict(secrets)), for_model_workers=True)
    _save(provider, may_fix_fault=may_fix_fault)
    for row in provider.deployments.all():  # the region in the settings decides prices, too
        refresh_listed_prices(row)


def listed_price_columns(provider: Provider, model: str) -> dict[str, Any]:
    """Return a deployment's columns with the prices of the price table; empty ones if it does not have them."""
    found = price_table.find_prices(provider.family, model, provider.settings)
    return {"listed_prices": found.prices if found else None, "prices_from": found.source if found else ""}


def save_deployment(*, deployment: Deployment, may_fix_fault: bool = False) -> None:
    """Save the row with the prices of the price table, which hold where none was entered.

    ``may_fix_fault``: the change can have fixed its fault, so it is called again at once.
    """
    for name, value in listed_price_columns(deployment.provider, deployment.base_model or deployment.model).items():
        setattr(deployment, name, value)
    _save(deployment, may_fix_fault=may_fix_fault)


def refresh_listed_prices(row: Deployment) -> None:
    """Store the prices of the present price table, which an update of this software can have changed."""
    columns = listed_price_columns(row.provider, row.base_model or row.model)
    if columns["listed_prices"] != row.listed_prices:
        Deployment.objects.filter(pk=row.pk).update(**columns)
        row.listed_prices, row.prices_from = columns["listed_prices"], columns["prices_from"]
        reread()


def kept_secrets(provider: Provider) -> dict[str, str] | None:
    """Return the provider's secrets; {} if no sealing key opens them, None if only workers of models do."""
    try:
        return unsealed(provider.secrets_sealed)
    except sealed_secrets.SealedForModelWorkers:
        return None
    except sealed_secrets.BrokenSeal:
        logger.warning("The secrets of %s cannot be read: the sealing keys changed. Enter them again", provider)
        return {}


def pause(*, row: Provider | Deployment) -> bool:
    """Send no more calls; those in flight end normally. Return False if it was already paused."""
    return _set_paused(row, paused=True)


def resume(*, row: Provider | Deployment) -> bool:
    """Allow calls again. Return False if it was not paused."""
    return _set_paused(row, paused=False)


def clear_fault(*, row: Provider | Deployment) -> None:
    """Call it again: remove its fault, and reset Retry-After and the circuit breakers of its deployments.

    Raise QuotaStoreUnavailable if the fault was removed but the quota store could not be reset.
    """
    type(row).objects.filter(pk=row.pk).update(**NO_FAULT)
    reread()
    ids = [row.pk] if isinstance(row, Deployment) else list(row.deployments.values_list("pk", flat=True))
    store = configured_quota_store()
    for deployment_id in ids:
        store.reset(deployment_quota_key(deployment_id))


def clear_fault_or_warn(*, row: Provider | Deployment) -> None:
    """Clear the fault, and only log a warning if the quota store is unavailable: its hold-offs expire by themselves."""
    try:
        clear_fault(row=row)
    except QuotaStoreUnavailable as error:
        logger.warning("%s is called again when its hold-off in the quota store expires (%s)", row, error)


def reread() -> None:
    """Have this process read the rows again once the current transaction is committed."""
    transaction.on_commit(catalog.forget)


def _save(row: Provider | Deployment, *, may_fix_fault: bool) -> None:
    if may_fix_fault:
        own = {**NO_FAULT, **NOTHING_LEARNT} if isinstance(row, Deployment) else NO_FAULT
        for name, value in own.items():
            setattr(row, name, value)
    row.save()
    if may_fix_fault and isinstance(row, Provider):
        row.deployments.update(**NO_FAULT, **NOTHING_LEARNT)
    reread()
    if may_fix_fault:
        transaction.on_commit(partial(clear_fault_or_warn, row=row))


def _set_paused(row: Provider | Deployment, *, paused: bool) -> bool:
    changed = type(row).objects.filter(pk=row.pk, paused=not paused).update(paused=paused)
    reread()
    return changed == 1
