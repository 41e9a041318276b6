"""Load a file of providers into the database: names identify rows, and the file replaces their values.

provider_file.py reads the file. Secrets are sealed before they are stored and are never shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from apps.core.sealing import sealed_secrets
from apps.providers.administration import clear_fault_or_warn, listed_price_columns
from apps.providers.catalog import catalog, unsealed
from apps.providers.deployment_faults import NO_FAULT
from apps.providers.learnt import NOTHING_LEARNT
from apps.providers.models import Deployment, Provider, Quota
from apps.providers.provider_file import ProviderEntry, read_provider_file

_UNCHANGED, _SKIPPED = "unchanged", "skipped"


@dataclass(frozen=True)
class Change:
    """A change of one row, made or only listed (dry run): a line for people, without secrets."""

    kind: str
    name: str
    description: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.description}"

    @property
    def is_made(self) -> bool:
        return self.description != _UNCHANGED and not self.description.startswith(_SKIPPED)


def load_providers(path: Path, *, dry_run: bool = False, prune: bool = False) -> list[Change]:
    """Create and update the rows that the file describes, and return the changes.

    ``dry_run``: only list the changes. ``prune``: remove the rows that the file does not name. Raise FileRefused, with
    every problem in the file, and OSError.
    """
    entries, skipped = read_provider_file(path)
    changes = [Change("provider", name, f"{_SKIPPED}: {reason}") for name, reason in skipped.items()]
    with transaction.atomic():
        for entry in entries:
            changes += save_entry(entry)
        if prune:
            changes += prune_rows(entries, skipped=list(skipped))
        if dry_run:
            transaction.set_rollback(True)
    catalog.forget()
    if dry_run:
        return changes
    changed = {(change.kind, change.name) for change in changes if change.description != _UNCHANGED}
    for entry in entries:
        rows = {("provider", entry.name), *(("deployment", name) for name in entry.deployments)}
        if rows & changed:  # the change can have fixed a fault
            clear_fault_or_warn(row=Provider.objects.get(name=entry.name))
    return changes


def save_entry(entry: ProviderEntry) -> Iterator[Change]:
    """Create or update the rows of a provider and its deployments. They lose their faults: the operator fixed them."""
    provider = Provider.objects.filter(name=entry.name).first()
    changed = list(_differences(provider, entry.fields))
    if provider is not None:
        changed += _changed_secrets(provider, entry.secrets)
        changed += ["fault cleared"] if provider.trouble_code else []
    if provider is None or changed:
        sealed = sealed_secrets.seal(json.dumps(entry.secrets), for_model_workers=True) if entry.secrets else ""
        provider, _ = Provider.objects.update_or_create(
            name=entry.name, defaults={**entry.fields, "secrets_sealed": sealed, **NO_FAULT}
        )
    yield Change("provider", entry.name, "; ".join(changed) or _UNCHANGED)
    provider_changed = bool(changed)

    for name, (fields, quota) in entry.deployments.items():
        row = Deployment.objects.select_related("quota").filter(name=name).first()
        listed = listed_price_columns(provider, fields["base_model"] or fields["model"])
        shown = {**fields, "provider_id": provider.pk, "prices_from": listed["prices_from"]}
        changed = list(_differences(row, shown))
        old_quota = getattr(row, "quota", None)
        if row is not None and quota is not None and old_quota is not None:
            changed += [f"quota.{difference}" for difference in _differences(old_quota, quota)]
        elif row is not None and (quota is None) != (old_quota is None):
            changed.append("quota added" if old_quota is None else "quota removed")
        if row is not None and row.trouble_code:
            changed.append("fault cleared")
        if row is None or changed or provider_changed:  # the change can have fixed a fault, and what was learnt
            defaults = {**fields, **listed, "provider": provider, **NO_FAULT, **NOTHING_LEARNT}
            row, _ = Deployment.objects.update_or_create(name=name, defaults=defaults)
            if quota is None:
                Quota.objects.filter(deployment=row).delete()
            else:
                Quota.objects.update_or_create(deployment=row, defaults=quota)
        yield Change("deployment", name, "; ".join(changed) or _UNCHANGED)


def prune_rows(entries: list[ProviderEntry], *, skipped: list[str]) -> list[Change]:
    """Remove the rows that the file does not name. ``skipped``: names of providers that were not read, which stay."""
    names = [entry.name for entry in entries]
    deployments = [name for entry in entries for name in entry.deployments]
    old_deployments = Deployment.objects.exclude(name__in=deployments).exclude(provider__name__in=skipped)
    changes = [Change("deployment", name, "removed") for name in old_deployments.values_list("name", flat=True)]
    old_deployments.delete()
    old_providers = Provider.objects.exclude(name__in=[*names, *skipped])
    changes += [Change("provider", name, "removed") for name in old_providers.values_list("name", flat=True)]
    old_providers.delete()
    return changes


def _changed_secrets(provider: Provider, secrets: Mapping[str, str]) -> list[str]:
    try:
        return [] if unsealed(provider.secrets_sealed) == secrets else ["secrets changed"]
    except sealed_secrets.SealedForModelWorkers:
        return ["secrets stored again, because only workers of models could compare them"]
    except sealed_secrets.BrokenSeal:
        return ["secrets changed"]


def _differences(row: Provider | Deployment | Quota | None, fields: Mapping[str, Any]) -> Iterator[str]:
    if row is None:
        yield "added"
        return
    for name, new in fields.items():
        old = getattr(row, name)
        if old != new:
            yield f"{name}: {old} -> {new}"
